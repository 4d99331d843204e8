"""How far the inbox was seen: forward only, and never over somebody else's step."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.models import NotificationMarker, User, db
from app.models.base import utc_now
from tests.conftest import People
from tests.support.api import Api
from tests.support.errors import errors_of, pointer_of
from tests.support.rows import notify


@pytest.fixture
def ana(people: People) -> User:
    return people.user("ana@example.org")


def path(user: User) -> str:
    return f"/v1/users/{user.id}/notification-marker"


def move(api: Api, user: User, **attributes: Any) -> TestResponse:
    return api.update(path(user), "notification-marker", user.id, **attributes)


def shown(answer: TestResponse) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    data = answer.json["data"]
    assert data["type"] == "notification-marker"
    attributes: dict[str, Any] = data["attributes"]
    return attributes


def test_before_anything_was_seen_all_is_unseen(api: Api, people: People, ana: User) -> None:
    notify(ana)
    notify(ana, is_read=True, read_at=utc_now())
    notify(ana, deleted_at=utc_now())
    nothing = {"seen-id": None, "seen-at": None, "version": 0, "unseen-count": 2}
    for reader in (ana, people.admin()):
        answer = api.as_(reader).get(path(ana))
        assert shown(answer) == nothing
        assert answer.json["data"]["id"] == str(ana.id)
        assert answer.json["links"] == {"self": path(ana)}
    assert db.session.get(NotificationMarker, ana.id) is None, "reading writes nothing"


def test_moving_it_counts_what_is_newer_and_reads_nothing(api: Api, ana: User) -> None:
    made = [notify(ana).id for _ in range(3)]
    mine = api.as_(ana)
    after = shown(move(mine, ana, seen_id=str(made[1]), version=0))
    assert (after["seen-id"], after["version"], after["unseen-count"]) == (str(made[1]), 1, 1)
    assert after["seen-at"] is not None
    assert shown(mine.get(path(ana))) == after
    assert mine.get(f"/v1/users/{ana.id}/notifications/count").json["meta"]["unread-count"] == 3
    assert shown(move(mine, ana, seen_id=str(made[1]), version=1)) == after, "the same once more changes nothing"


def test_the_unseen_are_counted_to_99(api: Api, ana: User) -> None:
    for _ in range(100):
        notify(ana)
    assert shown(api.as_(ana).get(path(ana)))["unseen-count"] == "99+"


def test_one_who_knows_an_old_version_is_told_the_present_one(api: Api, ana: User) -> None:
    made = [notify(ana).id for _ in range(2)]
    mine = api.as_(ana)
    present = shown(move(mine, ana, seen_id=str(made[0]), version=0))
    for outdated in (0, 2, 2**62):
        answer = move(mine, ana, seen_id=str(made[1]), version=outdated)
        assert answer.status_code == 409
        [error] = errors_of(answer)
        assert error["source"] == {"pointer": "/data/attributes/version"}
        assert error["meta"] == {name: present[name] for name in ("seen-id", "seen-at", "version")}
    assert shown(mine.get(path(ana))) == present


def test_it_moves_forward_only_and_to_ones_own(api: Api, people: People, ana: User) -> None:
    older, theirs, gone, newer = notify(ana), notify(people.user()), notify(ana, deleted_at=utc_now()), notify(ana)
    mine = api.as_(ana)
    assert shown(move(mine, ana, seen_id=str(gone.id), version=0))["seen-id"] == str(gone.id)
    for wrong in (older.id, theirs.id, newer.id + 1):
        answer = move(mine, ana, seen_id=str(wrong), version=1)
        assert answer.status_code == 422
        assert pointer_of(answer) == "/data/attributes/seen-id"
    assert shown(mine.get(path(ana)))["version"] == 1


@pytest.mark.parametrize(
    ("attributes", "pointer"),
    [
        ({"seen-id": "1"}, "/data/attributes/version"),
        ({"version": 0}, "/data/attributes/seen-id"),
        ({"seen-id": 1, "version": 0}, "/data/attributes/seen-id"),
        ({"seen-id": None, "version": 0}, "/data/attributes/seen-id"),
        ({"seen-id": "9" * 30, "version": 0}, "/data/attributes/seen-id"),
        ({"seen-id": "1", "version": "0"}, "/data/attributes/version"),
        ({"seen-id": "1", "version": -1}, "/data/attributes/version"),
        ({"seen-id": "1", "version": 0, "colour": 1}, "/data/attributes/colour"),
    ],
)
def test_a_body_that_cannot_be_says_where(api: Api, ana: User, attributes: dict[str, Any], pointer: str) -> None:
    notify(ana)
    answer = api.as_(ana).update(path(ana), "notification-marker", ana.id, **attributes)
    assert answer.status_code == 422
    assert pointer_of(answer) == pointer


def test_what_was_read_can_be_sent_back_whole(api: Api, ana: User) -> None:
    seen = notify(ana).id
    mine = api.as_(ana)
    item = mine.get(path(ana)).json["data"]
    item["attributes"]["seen-id"] = str(seen)
    assert shown(mine.patch(path(ana), {"data": item}))["version"] == 1


def test_of_many_who_move_it_at_once_one_wins_and_the_others_are_told(app: Flask, people: People, ana: User) -> None:
    made = [notify(ana).id for _ in range(6)]
    token = people.token(ana)

    def step(seen: int) -> tuple[int, int]:
        answer = move(Api(app.test_client(), token), ana_, seen_id=str(seen), version=0)
        return answer.status_code, seen

    ana_ = User(id=ana.id)
    with ThreadPoolExecutor(6) as pool:
        got = list(pool.map(step, made))
    [won] = [seen for status, seen in got if status == 200]
    assert sorted(status for status, _ in got) == [200, 409, 409, 409, 409, 409]
    db.session.expire_all()
    marker = db.session.get_one(NotificationMarker, ana.id)
    assert (marker.seen_id, marker.version) == (won, 1)


def test_a_repeated_request_with_its_key_moves_it_once(api: Api, ana: User) -> None:
    seen = notify(ana).id
    mine = api.as_(ana)
    attributes = {"seen-id": str(seen), "version": 0}
    body = {"data": {"type": "notification-marker", "id": str(ana.id), "attributes": attributes}}
    answers = [mine.patch(path(ana), body, Idempotency_Key="once") for _ in range(2)]
    assert [shown(answer)["version"] for answer in answers] == [1, 1]
