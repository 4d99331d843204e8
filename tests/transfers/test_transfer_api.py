"""Asking for exports and imports over HTTP, following them, and getting the file."""

from __future__ import annotations

import io
import json
import threading
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import TimestampSigner
from sqlalchemy import text
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from app.auth.tokens import login_token
from app.delivery.handover import wait_for_hand_over
from app.models import Event, Mail, Session, Transfer, User, db
from app.models.base import utc_now
from app.models.transfer import EXPORT, KEPT
from app.transfers.reading import MAX_BYTES
from app.transfers.tasks import sweep
from app.transfers.work import run
from tests.conftest import People
from tests.support.api import MEDIA_TYPE, Api
from tests.support.errors import errors_of, pointer_of
from tests.support.rows import count, mailed, notified
from tests.support.transfers import SMALL, ask_export, ask_import, do, to_bytes
from tests.support.world import World


@pytest.fixture
def user(people: People) -> User:
    return people.user("olivia@example.org")


def send_file(client: FlaskClient, user: User, **options: Any) -> TestResponse:
    headers = {"Authorization": f"JWT {login_token(user)}", "Accept": MEDIA_TYPE}
    return client.post("/v1/event-imports", headers=headers, **options)


def send_json(client: FlaskClient, user: User, content: bytes) -> TestResponse:
    return send_file(client, user, data=content, content_type="application/json")


def send_form(client: FlaskClient, user: User, content: bytes, name: str = "file", filename: str = "c.json") -> Any:
    # Put together here: the test client would leave a temporary file open.
    boundary, body = encode_multipart({name: FileStorage(io.BytesIO(content), filename)})
    return send_file(client, user, data=body, content_type=f"multipart/form-data; boundary={boundary}")


def work() -> None:
    """What a worker does with all that waits."""
    for id_ in db.session.scalars(text("SELECT id FROM transfers WHERE state = 'queued' ORDER BY id")).all():
        run(id_)


# --- exports


@pytest.mark.triggers("mail:Event Exported", "notif:Event Exported")
def test_a_manager_asks_for_an_export_follows_it_and_downloads_the_file(api: Api, people: People, user: User) -> None:
    event = people.event(user)
    mine = api.as_(user)
    asked = mine.create("/v1/event-exports", "event-export", {}, event=("event", event.id))
    assert asked.status_code == 201
    path = asked.headers["Location"]
    assert path == f"/v1/event-exports/{asked.json['data']['id']}"
    attributes = asked.json["data"]["attributes"]
    assert attributes["created-at"]
    del attributes["created-at"]
    waiting = {"state": "queued", "done": 0, "total": 0, "progress": 0, "error": None, "finished-at": None}
    assert attributes == {**waiting, "download-url": None}
    assert mine.get(f"{path}/download").status_code == 404
    work()
    data = mine.get(path).json["data"]
    assert (data["attributes"]["state"], data["attributes"]["progress"]) == ("succeeded", 100)
    assert data["relationships"]["event"]["data"] == {"type": "event", "id": str(event.id)}
    assert data["relationships"]["user"]["data"] == {"type": "user", "id": str(user.id)}
    assert data["attributes"]["download-url"] == f"{path}/download"
    file = mine.get(data["attributes"]["download-url"])
    assert file.status_code == 200
    assert file.headers["Content-Type"] == "application/json"
    assert file.headers["Content-Disposition"] == f'attachment; filename="event-{event.identifier}.json"'
    assert json.loads(file.data)["event"]["name"] == "Harbour Conference"
    assert notified("Event Exported") == mailed("Event Exported") == ["olivia@example.org"]


@pytest.mark.triggers("mail:Event Export Failed", "notif:Event Export Failed")
def test_an_export_of_an_event_that_is_deleted_meanwhile_fails(api: Api, people: People, user: User) -> None:
    event = people.event(user)
    mine = api.as_(user)
    path = mine.create("/v1/event-exports", "event-export", {}, event=("event", event.id)).headers["Location"]
    assert mine.delete(f"/v1/events/{event.id}").status_code == 204
    work()
    attributes = mine.get(path).json["data"]["attributes"]
    assert (attributes["state"], attributes["error"]) == ("failed", "the event was deleted")
    assert attributes["download-url"] is None
    assert mine.get(f"{path}/download").status_code == 404
    assert notified("Event Export Failed") == mailed("Event Export Failed") == ["olivia@example.org"]


def test_the_list_has_ones_own_exports_only_and_can_be_filtered(world: World) -> None:
    owner, organizer, admin = (world.clients[name] for name in ("owner", "organizer", "admin"))
    assert owner.get("/v1/event-exports").json["meta"]["count"] == 1
    assert organizer.get("/v1/event-exports").json["meta"]["count"] == 0
    assert admin.get("/v1/event-exports", include="event,user").json["meta"]["count"] == 1
    assert owner.get("/v1/event-exports", **{"filter[state]": "queued"}).json["data"] == []
    # The two kinds share a table, but not their addresses.
    assert owner.get(world.path("/v1/event-imports/{export}")).status_code == 404
    assert owner.get(world.path("/v1/event-exports/{import}")).status_code == 404


def test_a_draft_that_one_cannot_see_is_no_event_to_export(world: World) -> None:
    draft, none = world.ids["draft"], 999_999
    answers = []
    for id_ in (draft, none):
        answer = world.clients["stranger"].create("/v1/event-exports", "event-export", {}, event=("event", id_))
        assert answer.status_code == 422
        assert pointer_of(answer).startswith("/data/relationships/event/data")
        answers.append(answer.text.replace(f"id {id_}", "id ID"))
    assert answers[0] == answers[1]


def test_an_export_needs_its_event(world: World) -> None:
    answer = world.clients["owner"].create("/v1/event-exports", "event-export", {})
    assert answer.status_code == 422
    assert pointer_of(answer) == "/data/relationships/event"


def test_nobody_asks_for_an_export_in_anothers_name(world: World) -> None:
    related = {"event": ("event", world.ids["event"]), "user": ("user", world.ids["stranger_user"])}
    answer = world.clients["owner"].create("/v1/event-exports", "event-export", {"state": "succeeded"}, **related)
    assert answer.status_code == 201
    assert answer.json["data"]["attributes"]["state"] == "queued"
    assert answer.json["data"]["relationships"]["user"]["data"]["id"] == str(world.ids["owner_user"])


def test_the_mails_link_downloads_the_file_without_a_login(client: FlaskClient, people: People, user: User) -> None:
    do(ask_export(user, people.event(user)))
    [mail] = db.session.query(Mail).all()
    [link] = [word for word in mail.text.replace("<", " ").replace(">", " ").split() if "token=" in word]
    parts = urlsplit(link)
    file = client.get(f"{parts.path}?{parts.query}")
    assert file.status_code == 200
    assert file.headers["Content-Disposition"].startswith("attachment")
    assert file.headers["Referrer-Policy"] == "no-referrer"
    assert json.loads(file.data)["event"]["name"] == "Harbour Conference"


def test_a_links_token_opens_its_own_file_only_and_not_for_ever(
    client: FlaskClient, people: People, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    exports = [do(ask_export(user, people.event(user))) for _ in range(2)]
    link = urlsplit(db.session.query(Mail).order_by(Mail.id).first().text.partition("<")[2].partition(">")[0])
    token = parse_qs(link.query)["token"][0]
    assert link.path == f"/event-exports/{exports[0].id}/download"
    for path, query in (
        (f"/event-exports/{exports[1].id}/download", token),
        (link.path, ""),
        (link.path, "x"),
        (link.path, token[:-1]),
        (link.path, "\ud800\x00"),
        (link.path, login_token(user)),
    ):
        answer = client.get(path, query_string={"token": query.encode("utf-8", "surrogatepass")})
        assert answer.status_code == 400
        assert "not valid or has expired" in answer.text
    later = int(utc_now().timestamp() + KEPT.total_seconds()) + 2
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _self: later)
    assert client.get(link.path, query_string={"token": token}).status_code == 400


def test_a_file_is_gone_after_seven_days_and_its_content_is_removed(api: Api, people: People, user: User) -> None:
    old, new = (do(ask_export(user, people.event(user))) for _ in range(2))
    old.finished_at = utc_now() - KEPT - timedelta(seconds=1)
    new.finished_at = utc_now() - KEPT + timedelta(minutes=5)
    db.session.commit()
    mine = api.as_(user)
    path = f"/v1/event-exports/{old.id}"
    assert mine.get(f"{path}/download").status_code == 410
    sweep()
    db.session.rollback()
    kept = db.session.scalars(text("SELECT id FROM transfers WHERE content IS NOT NULL")).all()
    assert kept == [new.id]
    assert mine.get(path).json["data"]["attributes"]["download-url"] is None
    answer = mine.get(f"{path}/download")
    assert answer.status_code == 410
    errors_of(answer)
    assert mine.get(f"/v1/event-exports/{new.id}/download").status_code == 200


def test_the_link_of_a_removed_file_says_so(client: FlaskClient, people: People, user: User) -> None:
    do(ask_export(user, people.event(user)))
    link = urlsplit(db.session.query(Mail).one().text.partition("<")[2].partition(">")[0])
    db.session.execute(text("UPDATE transfers SET content = NULL"))
    db.session.commit()
    answer = client.get(f"{link.path}?{link.query}")
    assert answer.status_code == 410
    assert "removed" in answer.text


# --- importing a file


@pytest.mark.triggers("mail:Event Imported", "notif:Event Imported")
@pytest.mark.parametrize("send", [send_json, send_form])
def test_a_file_is_imported_as_a_draft_and_its_progress_can_be_read(
    client: FlaskClient, api: Api, user: User, send: Any
) -> None:
    answer = send(client, user, to_bytes(SMALL))
    assert answer.status_code == 201
    path = answer.headers["Location"]
    assert answer.headers["Content-Type"] == MEDIA_TYPE
    data = answer.json["data"]
    assert data["attributes"]["filename"] == ("c.json" if send is send_form else None)
    assert (data["attributes"]["state"], data["relationships"]["event"]["data"]) == ("queued", None)
    work()
    data = api.as_(user).get(path).json["data"]
    assert data["attributes"]["state"] == "succeeded"
    assert (data["attributes"]["done"], data["attributes"]["total"], data["attributes"]["progress"]) == (5, 5, 100)
    event = data["relationships"]["event"]["data"]["id"]
    mine = api.as_(user)
    assert mine.get(f"/v1/events/{event}").json["data"]["attributes"]["state"] == "draft"
    assert mine.get(f"/v1/events/{event}/sessions").json["meta"]["count"] == 2
    assert api.get(f"/v1/events/{event}").status_code == 404
    assert notified("Event Imported") == mailed("Event Imported") == ["olivia@example.org"]
    assert count(Mail) == 1


@pytest.mark.triggers("mail:Event Import Failed", "notif:Event Import Failed")
def test_a_broken_file_is_taken_and_fails_with_its_reason(client: FlaskClient, api: Api, user: User) -> None:
    path = send_json(client, user, b'{"event": 1}').headers["Location"]
    work()
    attributes = api.as_(user).get(path).json["data"]["attributes"]
    assert (attributes["state"], attributes["error"]) == ("failed", "event must be a JSON object")
    assert attributes["finished-at"]
    assert count(Event) == count(Session) == 0
    assert mailed("Event Import Failed") == ["olivia@example.org"]


def test_an_address_that_is_not_confirmed_imports_nothing(client: FlaskClient, people: People) -> None:
    assert send_json(client, people.user(verified=False), to_bytes(SMALL)).status_code == 403


@pytest.mark.parametrize("content_type", [None, "text/plain", "text/json", MEDIA_TYPE, "application/xml", "x", "a/b/c"])
def test_other_media_types_are_415_with_what_to_do(client: FlaskClient, user: User, content_type: str | None) -> None:
    answer = send_file(client, user, data=to_bytes(SMALL), content_type=content_type)
    assert answer.status_code == 415
    [error] = errors_of(answer)
    assert "multipart/form-data" in error["detail"]
    assert error["source"] == {"header": "Content-Type"}


def test_an_accept_header_that_excludes_the_answer_is_406(client: FlaskClient, user: User) -> None:
    headers = {"Authorization": f"JWT {login_token(user)}", "Accept": "text/html"}
    answer = client.post("/v1/event-imports", headers=headers, data=b"{}", content_type="application/json")
    assert answer.status_code == 406


@pytest.mark.parametrize("send", [send_json, send_form])
def test_ten_mebibytes_are_taken_and_one_byte_more_is_413(client: FlaskClient, user: User, send: Any) -> None:
    assert send(client, user, b" " * MAX_BYTES).status_code == 201
    answer = send(client, user, b" " * (MAX_BYTES + 1))
    assert answer.status_code == 413
    assert "10,485,760" in errors_of(answer)[0]["detail"]
    assert send(client, user, b" " * (MAX_BYTES + 200_000)).status_code == 413
    assert count(Transfer) == 1


def test_other_addresses_still_take_one_mebibyte(api: Api, user: User) -> None:
    answer = api.as_(user).create("/v1/event-exports", "event-export", {"x": "y" * 1024 * 1024})
    assert answer.status_code == 413


def test_nothing_to_import_is_422(client: FlaskClient, user: User) -> None:
    form = "multipart/form-data"
    two = [(io.BytesIO(b"{}"), "a"), (io.BytesIO(b"{}"), "b")]
    for answer in (
        send_json(client, user, b""),
        send_form(client, user, b""),
        send_form(client, user, b"{}", name="other"),
        send_file(client, user, data={"file": "{}"}, content_type=form),
        send_file(client, user, data={"file": two}, content_type=form),
        send_file(client, user, data=b"nonsense", content_type=f"{form}; boundary=x"),
        send_file(client, user, data=b"nonsense", content_type=form),
        send_file(client, user, data=b"--x\r\n\r\n", content_type=f"{form}; boundary=x"),
        send_file(client, user, data=b"x", content_type=f"{form}; boundary={'y' * 5000}"),
    ):
        assert answer.status_code == 422, answer.text
        errors_of(answer)
    assert count(Transfer) == 0


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\\\files\\\\c.json", "c.json"),
        ("a\x07b\u2028.json", "a b .json"),
        ("x" * 300, "x" * 255),
        ("<b>.json", "<b>.json"),
        ("é 🎤.json", "é 🎤.json"),
        ("/", None),
    ],
)
def test_a_file_name_is_only_a_text(client: FlaskClient, user: User, given: str, kept: str | None) -> None:
    answer = send_form(client, user, b"{}", filename=given)
    assert answer.status_code == 201
    assert answer.json["data"]["attributes"]["filename"] == kept


# --- at most three at once


def test_a_fourth_that_would_wait_is_429_until_one_has_ended(client: FlaskClient, api: Api, world: World) -> None:
    owner = world.people["owner"]
    mine = world.clients["owner"]
    for _ in range(2):
        assert send_json(client, owner, b"{}").status_code == 201
    related = {"event": ("event", world.ids["event"])}
    assert mine.create("/v1/event-exports", "event-export", {}, **related).status_code == 201
    for answer in (
        send_json(client, owner, b"{}"),
        mine.create("/v1/event-exports", "event-export", {}, **related),
    ):
        assert answer.status_code == 429
        assert answer.headers["Retry-After"] == "10"
        errors_of(answer)
    assert send_json(client, world.people["stranger"], b"{}").status_code == 201
    work()
    assert send_json(client, owner, b"{}").status_code == 201


def test_many_requests_at_once_do_not_pass_the_limit_together(app: Flask, user: User) -> None:
    token = login_token(user)
    together, statuses = threading.Barrier(8), []

    def ask() -> None:
        headers = {"Authorization": f"JWT {token}"}
        together.wait()
        answer = app.test_client().post("/v1/event-imports", headers=headers, json={})
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201] * 3 + [429] * 5


# --- the hand-over


def tasks(broker: redis.Redis) -> list[tuple[str, Any]]:
    """The tasks in the broker, with their arguments."""
    found = [json.loads(raw) for raw in broker.lrange("usher", 0, -1)]
    return [(each["headers"]["task"], json.loads(each["headers"]["argsrepr"])) for each in found]


def test_a_commit_hands_the_transfer_over_and_a_rollback_does_not(user: User, broker: redis.Redis) -> None:
    assert wait_for_hand_over()
    transfer = ask_import(user)
    assert wait_for_hand_over()
    assert ("usher.transfer", [[transfer.id]]) in tasks(broker)
    broker.flushdb()
    db.session.add(Transfer(kind=EXPORT, user=user))
    db.session.flush()
    db.session.rollback()
    assert wait_for_hand_over()
    assert tasks(broker) == []


def test_the_sweep_finds_what_the_broker_or_a_worker_lost(user: User, broker: redis.Redis) -> None:
    waiting, lost, running, done = (ask_import(user) for _ in range(4))
    assert wait_for_hand_over()
    broker.flushdb()
    do(done)
    lost.created_at = utc_now() - timedelta(seconds=5)
    running.state = "running"
    ids = [lost.id, running.id]
    db.session.commit()
    assert wait_for_hand_over()
    broker.flushdb()
    sweep()
    assert sorted(arguments for task, arguments in tasks(broker)) == [[[id_]] for id_ in ids]
    assert waiting.state == "queued"
