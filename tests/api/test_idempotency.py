"""The header `Idempotency-Key`: a request that is repeated is answered again, not carried out again."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, text, update
from werkzeug.test import TestResponse

from app.api.jsonapi.table import routes_of
from app.models import IdempotencyKey, Mail, Session, User, db
from app.models.base import utc_now
from tests.api.test_routes import ROWS, Row, body_of
from tests.conftest import People
from tests.support.api import MEDIA_TYPE
from tests.support.errors import errors_of
from tests.support.world import World

KEY = '"8e03978e-40d5-43e8-bc93-6894a57f9324"'


def send(client: FlaskClient, token: str | None, method: str, path: str, body: Any, key: str = KEY) -> TestResponse:
    headers = {"Idempotency-Key": key, "Accept": MEDIA_TYPE, "Content-Type": MEDIA_TYPE}
    if token:
        headers["Authorization"] = f"JWT {token}"
    return client.open(path, method=method, headers=headers, data=json.dumps(body))


def proposal(world: World, title: str = "New") -> dict[str, Any]:
    event = {"data": {"type": "event", "id": str(world.ids["event"])}}
    return {"data": {"type": "session", "attributes": {"title": title}, "relationships": {"event": event}}}


def propose(world: World, title: str = "New", key: str = KEY, viewer: str = "organizer") -> TestResponse:
    return send(
        world.clients["anonymous"].client,
        world.clients[viewer].token,
        "POST",
        "/v1/sessions",
        proposal(world, title),
        key,
    )


def count(model: Any) -> int:
    return db.session.scalar(select(func.count()).select_from(model)) or 0


def test_the_same_request_is_carried_out_once_and_answered_alike(world: World) -> None:
    before = count(Session), count(Mail)
    first = propose(world)
    sent = count(Mail)
    assert sent > before[1]
    again = propose(world)
    assert first.status_code == again.status_code == 201
    assert first.data == again.data
    for name in ("Location", "Content-Type", "Vary"):
        assert first.headers[name] == again.headers[name]
    assert first.headers.get("Idempotency-Replayed") is None
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (count(Session), count(Mail)) == (before[0] + 1, sent)


def test_another_request_with_the_key_is_422_and_changes_nothing(world: World, client: FlaskClient) -> None:
    propose(world)
    before = count(Session), count(Mail)
    token = world.clients["organizer"].token
    body = proposal(world)
    for answer in (
        propose(world, "Other"),
        send(client, token, "POST", "/v1/sessions?fields[session]=title", body),
        send(client, token, "POST", "/v1/speakers", body),
    ):
        assert answer.status_code == 422
        assert errors_of(answer)[0]["source"] == {"header": "Idempotency-Key"}
    assert (count(Session), count(Mail)) == before


def test_each_has_keys_of_his_own(world: World) -> None:
    ids = {propose(world, viewer=viewer).json["data"]["id"] for viewer in ("organizer", "owner", "speaker")}
    assert len(ids) == 3


def test_an_error_is_not_kept(world: World, client: FlaskClient) -> None:
    token = world.clients["organizer"].token
    assert send(client, token, "POST", "/v1/sessions", {"data": {"type": "session"}}).status_code == 422
    assert propose(world).status_code == 201
    assert count(IdempotencyKey) == 1


def test_somebody_without_a_login_may_repeat_too(client: FlaskClient, database: None) -> None:
    body = {"data": {"type": "user", "attributes": {"email": "ana@example.org", "password": "correct horse battery"}}}
    first, again = (send(client, None, "POST", "/v1/users", body) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.data == again.data
    assert count(User) == 1
    kept = str(list(db.session.execute(text("SELECT * FROM idempotency_keys"))))
    assert "correct horse battery" not in kept


def test_asking_for_a_reset_twice_sends_one_mail_whether_or_not_there_is_an_account(
    client: FlaskClient, people: People
) -> None:
    people.user("ana@example.org")
    for number, email in enumerate(("ana@example.org", "nobody@example.org")):
        body = {"data": {"email": email}}
        answers = [send(client, None, "POST", "/v1/auth/reset-password", body, f"reset-{number}") for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[1].headers["Idempotency-Replayed"] == "true"
    assert count(Mail) == 1


def test_what_gives_a_token_keeps_no_answer(client: FlaskClient, people: People) -> None:
    user = people.user()
    body = {"email": user.email, "password": people.password}
    for _ in range(2):
        answer = send(client, None, "POST", "/auth/session", body)
        assert answer.status_code == 200
        assert "Idempotency-Replayed" not in answer.headers
    change = {"data": {"old-password": people.password, "new-password": "another horse battery"}}
    assert send(client, people.token(user), "POST", "/v1/auth/change-password", change).status_code == 200
    assert count(IdempotencyKey) == 0


@pytest.mark.parametrize("key", ['""', '"a', '"ä"', "ä", "a b", '"' + "x" * 256 + '"', "x" * 256, '"a\\b"', "a,b", " "])
def test_what_is_no_key_is_400(world: World, key: str) -> None:
    answer = propose(world, key=key)
    assert answer.status_code == 400
    assert errors_of(answer)[0]["source"] == {"header": "Idempotency-Key"}


@pytest.mark.parametrize("key", ["order-7", '"order 7"', '"a \\"quoted\\" \\\\ key"', "x" * 255, "a:b/c=="])
def test_a_key_may_stand_in_quotes_or_not(world: World, key: str) -> None:
    assert propose(world, key=key).status_code == 201
    assert propose(world, key=f"  {key} ").headers["Idempotency-Replayed"] == "true"


def test_quotes_make_no_other_key(world: World) -> None:
    assert propose(world, key="order-7").data == propose(world, key='"order-7"').data


def test_a_request_that_is_being_carried_out_is_409(world: World) -> None:
    number = select(func.hashtextextended(f"usher.idempotency.user:{world.people['organizer'].id}.order-7", 0))
    with db.engine.connect() as other:
        other.execute(select(func.pg_advisory_xact_lock(number.scalar_subquery())))
        answer = propose(world, key="order-7")
        assert answer.status_code == 409
        assert answer.headers["Retry-After"] == "1"
        errors_of(answer)
    assert propose(world, key="order-7").status_code == 201


def test_ten_at_once_are_one(app: Flask, world: World) -> None:
    before, token, body = count(Session), world.clients["organizer"].token, proposal(world)
    db.session.commit()
    start = threading.Barrier(10)

    def ask(_: int) -> int:
        start.wait(10)
        return send(app.test_client(), token, "POST", "/v1/sessions", body).status_code

    with ThreadPoolExecutor(10) as pool:
        statuses = list(pool.map(ask, range(10)))
    assert set(statuses) <= {201, 409}
    assert 201 in statuses
    assert count(Session) == before + 1


def test_an_answer_is_kept_for_a_day(world: World) -> None:
    first = propose(world)
    for hours, replayed in ((23, True), (25, False)):
        db.session.execute(update(IdempotencyKey).values(created_at=utc_now() - timedelta(hours=hours)))
        db.session.commit()
        assert ("Idempotency-Replayed" in propose(world).headers) == replayed
    assert propose(world).data != first.data
    assert count(IdempotencyKey) == 1


def test_whoever_may_not_do_it_any_more_gets_no_kept_answer(world: World, client: FlaskClient) -> None:
    admin = world.people["admin"]
    body = {"data": {"type": "setting", "id": "1", "attributes": {"app-name": "Other"}}}
    assert send(client, world.clients["admin"].token, "PATCH", "/v1/settings/1", body).status_code == 200
    admin.is_admin = False
    db.session.commit()
    assert send(client, world.clients["admin"].token, "PATCH", "/v1/settings/1", body).status_code == 403


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row.method in ("POST", "PATCH")], ids=lambda row: f"{row.method} {row.path}"
)
def test_every_write_that_takes_a_key_keeps_its_answer(app: Flask, world: World, client: FlaskClient, row: Row) -> None:
    """A view that commits by itself would forget it."""
    adapter = app.url_map.bind("")
    keyed = routes_of(app)[row.rule(adapter).endpoint].has_keys
    viewer = "owner" if row.expected[-1] >= 400 and row.expected[3] < 400 else "admin"
    body, token, path = body_of(row, world, viewer), world.clients[viewer].token, world.path(row.path)
    first, again = (send(client, token, row.method, path, body) for _ in range(2))
    replayed = again.headers.get("Idempotency-Replayed") == "true"
    assert replayed == (keyed and first.status_code < 400)
    if replayed:
        assert (first.status_code, first.data) == (again.status_code, again.data)
