"""An inbox that has not changed is confirmed without the database, and one that has is never confirmed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, update
from werkzeug.test import TestResponse

from app.auth.accounts import set_password
from app.delivery.services.shared_redis import SharedRedis, connect
from app.inbox import versions
from app.inbox.changes import NEW, REMOVED, note_change
from app.inbox.store import MANY, Store
from app.inbox.versions import store
from app.models import Happening, Notification, User, db
from app.models.base import utc_now
from tests.conftest import People
from tests.support.api import Api
from tests.support.rows import notify, statements

pytestmark = pytest.mark.usefixtures("patient_versions")


@pytest.fixture
def ana(people: People) -> User:
    return people.user("ana@example.org")


@pytest.fixture
def mine(api: Api, ana: User) -> Api:
    return api.as_(ana)


def inbox(user: User, rest: str = "") -> str:
    return f"/v1/users/{user.id}/notifications{rest}"


def etag(answer: TestResponse) -> str:
    assert answer.status_code == 200, answer.text
    return str(answer.headers["ETag"])


@pytest.mark.parametrize(
    "rest", ["", "/count", "?page%5Bsize%5D=1&sort=-title", "?filter%5Bis-read%5D=false&fields%5Bnotification%5D=title"]
)
def test_what_has_not_changed_is_confirmed_without_a_statement(mine: Api, ana: User, rest: str) -> None:
    notify(ana)
    notify(ana)
    known = etag(mine.get(inbox(ana, rest)))
    with statements() as seen:
        answer = mine.get_if_new(inbox(ana, rest), known)
    assert answer.status_code == 304
    assert seen == []
    assert answer.data == b""
    assert answer.headers["ETag"] == known
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert {each.strip() for each in answer.headers["Vary"].split(",")} >= {"Accept", "Authorization"}
    assert "Content-Type" not in answer.headers


def mark(read: bool) -> Callable[[Api, User, Notification], Any]:
    return lambda mine, _, row: mine.update(f"/v1/notifications/{row.id}", "notification", row.id, is_read=read)


def recall(_mine: Api, user: User, row: Notification) -> None:
    db.session.execute(update(Notification).where(Notification.id == row.id).values(deleted_at=utc_now()))
    note_change(db.session(), REMOVED, [user.id], happening_id=row.happening_id)
    db.session.commit()


def fan_out(_mine: Api, user: User, _row: Notification) -> None:
    happening = Happening(action="Test", title="For all", message="News")
    db.session.add(happening)
    db.session.flush()
    db.session.execute(db.insert(Notification).values(user_id=user.id, happening_id=happening.id))
    note_change(db.session(), NEW, range(user.id, user.id + MANY + 1), happening_id=happening.id)
    db.session.commit()


@pytest.mark.parametrize(
    "change",
    [
        lambda _, user, _row: notify(user),
        mark(read=True),
        lambda mine, user, _: mine.patch(inbox(user), {"meta": {"is-read": True}}),
        lambda mine, user, row: mine.patch(
            inbox(user),
            {"data": [{"type": "notification", "id": str(row.id), "attributes": {"is-read": True}}]},
        ),
        lambda mine, _, row: mine.delete(f"/v1/notifications/{row.id}"),
        recall,
        fan_out,
    ],
    ids=["new", "read", "all read", "some read", "removed", "recalled", "told to many"],
)
def test_after_a_change_the_inbox_is_given_anew(
    mine: Api, ana: User, change: Callable[[Api, User, Notification], Any]
) -> None:
    row = notify(ana)
    before = {rest: mine.get(inbox(ana, rest)) for rest in ("", "/count")}
    change(mine, ana, row)
    for rest, old in before.items():
        new = mine.get_if_new(inbox(ana, rest), etag(old))
        assert new.status_code == 200
        assert new.json != old.json
        assert etag(new) != etag(old)
        assert new.json == mine.get(inbox(ana, rest)).json


def test_marking_unread_again_does_not_bring_the_old_answer_back(mine: Api, ana: User) -> None:
    row = notify(ana)
    known = etag(mine.get(inbox(ana)))
    for is_read in (True, False):
        assert mark(read=is_read)(mine, ana, row).status_code == 200
        assert mine.get_if_new(inbox(ana), known).status_code == 200


def test_an_ended_token_is_401_whatever_it_knows(api: Api, mine: Api, ana: User) -> None:
    known = etag(mine.get(inbox(ana)))
    assert mine.get_if_new(inbox(ana), known).status_code == 304
    set_password(ana, "another horse battery")
    db.session.commit()
    assert mine.get_if_new(inbox(ana), known).status_code == 401
    fresh = api.as_(ana)
    new = etag(fresh.get(inbox(ana)))
    assert new != known
    for old in (known, new):
        assert mine.get_if_new(inbox(ana), old).status_code == 401
    assert fresh.get_if_new(inbox(ana), new).status_code == 304


def test_any_state_is_confirmed_only_where_there_is_one_for_the_caller(mine: Api, ana: User) -> None:
    notify(ana)
    known = etag(mine.get(inbox(ana)))
    for rest in ("", "/count", "/count"):
        answer = mine.get_if_new(inbox(ana, rest), "*")
        assert (answer.status_code, answer.data) == (304, b"")
    assert mine.get_if_new(inbox(ana), "*").headers["ETag"] == known
    # RFC 9110, 13.2.1: a condition is not looked at where the answer is an error.
    assert mine.get_if_new(inbox(ana, "?page%5Bsize%5D=0"), "*").status_code == 400
    set_password(ana, "another horse battery")
    db.session.commit()
    for rest in ("", "/count"):
        answer = mine.get_if_new(inbox(ana, rest), "*")
        assert (answer.status_code, "ETag" in answer.headers) == (401, False)


@pytest.mark.parametrize("change", [{"deleted_at": utc_now()}, {"token_version": 7}])
def test_whatever_ends_a_token_ends_what_it_knows(mine: Api, ana: User, change: dict[str, Any]) -> None:
    known = etag(mine.get(inbox(ana)))
    for name, value in change.items():
        setattr(ana, name, value)
    db.session.commit()
    assert mine.get_if_new(inbox(ana), known).status_code == 401


def test_what_is_committed_while_an_answer_is_made_is_not_missed(app: Flask, mine: Api, ana: User) -> None:
    path, user_id = inbox(ana), ana.id
    waiting = ["FROM notifications"]

    def commit() -> None:
        with app.app_context():
            db.session.add(Notification(user_id=user_id, happening=Happening(action="T", title="T", message="m")))
            db.session.commit()

    def interfere(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if waiting and waiting[0] in statement:
            waiting.clear()
            writer = threading.Thread(target=commit)
            writer.start()
            writer.join()

    event.listen(db.engine, "after_cursor_execute", interfere)
    try:
        old = mine.get(path)
    finally:
        event.remove(db.engine, "after_cursor_execute", interfere)
    assert (waiting, old.json["meta"]["count"]) == ([], 0)
    new = mine.get_if_new(path, old.headers.get("ETag", ""))
    assert (new.status_code, new.json["meta"]["count"]) == (200, 1)


def test_nobody_else_is_told_that_it_has_not_changed(api: Api, people: People, mine: Api, ana: User) -> None:
    known = etag(mine.get(inbox(ana)))
    assert api.as_(people.user()).get_if_new(inbox(ana), known).status_code == 403
    assert api.get_if_new(inbox(ana), known).status_code == 401
    assert Api(api.client, "no.real.token").get_if_new(inbox(ana), known).status_code == 401
    admin = api.as_(people.admin()).get_if_new(inbox(ana), known)
    assert admin.status_code == 200
    assert "ETag" not in admin.headers


@pytest.mark.parametrize(
    "query",
    [
        {"include": "user"},
        {"sort": "user.email"},
        {"filter": '[{"not": {"name": "user.email", "op": "eq", "val": "x"}}]'},
        {"filter": '[{"name": "user", "op": "has", "val": {"name": "email", "op": "ne", "val": "x"}}]'},
    ],
)
def test_what_depends_on_other_rows_has_no_etag(mine: Api, ana: User, query: dict[str, str]) -> None:
    answer = mine.get(inbox(ana), **query)
    assert answer.status_code == 200
    assert "ETag" not in answer.headers
    assert answer.headers["Cache-Control"] == "private, no-cache"


def test_an_etag_is_of_one_address_only_and_other_media_types_are_still_refused(mine: Api, ana: User) -> None:
    notify(ana)
    known = etag(mine.get(inbox(ana)))
    assert mine.get_if_new(inbox(ana, "?page%5Bsize%5D=2"), known).status_code == 200
    assert mine.get_if_new(inbox(ana, "/count"), known).status_code == 200
    assert mine.get_if_new(inbox(ana), known, accept="text/html").status_code == 406
    assert mine.get_if_new(inbox(ana), f'"other", {known}').status_code == 304
    assert mine.get_if_new(inbox(ana), "*").status_code == 304


def test_a_writer_who_died_before_he_released_hides_nothing(
    mine: Api, ana: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = etag(mine.get(inbox(ana)))
    with monkeypatch.context() as dead:
        dead.setattr(Store, "release", lambda *_: True)
        notify(ana)
    answer = mine.get_if_new(inbox(ana), known)
    assert answer.status_code == 200
    assert answer.json["meta"]["count"] == 1
    assert "ETag" not in answer.headers


def test_without_redis_there_is_no_etag_and_all_else_works(
    mine: Api, ana: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = etag(mine.get(inbox(ana)))
    away = Store(SharedRedis(connect("redis://127.0.0.1:1/0")))
    monkeypatch.setattr(versions, "inbox_store", lambda _: away)
    notify(ana)
    answer = mine.get_if_new(inbox(ana), known)
    assert answer.status_code == 200
    assert answer.json["meta"] == {"count": 1, "unread-count": 1}
    assert "ETag" not in answer.headers


def test_an_inbox_is_counted_once_for_each_version(mine: Api, ana: User) -> None:
    for _ in range(3):
        notify(ana)

    def counted(rest: str) -> int:
        with statements() as seen:
            assert mine.get(inbox(ana, rest)).json["meta"]["count"] == 3
        return sum("count(*)" in each and "LIMIT" not in each for each in seen)

    assert counted("?page%5Bsize%5D=2") == 1
    assert counted("?page%5Bsize%5D=1&page%5Bnumber%5D=2") == 0
    assert counted("/count") == 0
    notify(ana, deleted_at=utc_now())
    assert counted("/count") == 1


def test_a_filtered_list_has_its_own_count(mine: Api, ana: User) -> None:
    for title in "aab":
        notify(ana, title)
    assert mine.get(inbox(ana, "?page%5Bsize%5D=1")).json["meta"]["count"] == 3
    assert mine.get(inbox(ana, "?page%5Bsize%5D=1&filter%5Btitle%5D=a")).json["meta"]["count"] == 2


def test_readers_and_writers_at_once_never_confirm_what_is_past(app: Flask, ana: User, people: People) -> None:
    token, user_id = people.token(ana), ana.id
    rounds, done = 25, threading.Event()
    committed = [0, 0]  # by each writer; whoever asks after it was written must see it

    def write(writer: int) -> None:
        with app.app_context():
            for _ in range(rounds):
                happening = Happening(action="Test", title="News", message="News")
                db.session.add(Notification(user_id=user_id, happening=happening))
                db.session.commit()
                committed[writer] += 1

    def read(path: str) -> int:
        mine, confirmed = Api(app.test_client(), token), 0
        known, content = "", 0
        while not done.is_set() or content < 2 * rounds:
            before = sum(committed)
            answer = mine.get_if_new(path, known)
            confirmed += answer.status_code == 304
            if answer.status_code == 200:
                known, content = answer.headers.get("ETag", ""), answer.json["meta"]["count"]
            assert content >= before
        return confirmed

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read, f"/v1/users/{user_id}/notifications{rest}") for rest in ("", "/count")]
        for writer in [pool.submit(write, number) for number in range(2)]:
            writer.result()
        done.set()
        for reader in readers:
            reader.result()
    assert store().read(user_id) is not None


def test_a_login_that_is_known_with_the_version_is_not_looked_up_and_ends_with_it(mine: Api, ana: User) -> None:
    user_id, path = ana.id, inbox(ana)

    def users_read() -> int:
        db.session.remove()  # a request has a session of its own
        with statements() as seen:
            assert mine.get(path).status_code == 200
        return sum("FROM users" in each for each in seen)

    assert users_read() == 1
    assert users_read() == 0
    db.session.get_one(User, user_id).is_admin = True
    db.session.commit()
    assert users_read() > 0
    assert users_read() > 0, "an admin's is looked up each time"
    admin = db.session.get_one(User, user_id)
    admin.is_admin, admin.token_version = False, admin.token_version + 1
    db.session.commit()
    assert mine.get(path).status_code == 401
