"""Marking many notifications at once: both bodies, one UPDATE, all or none."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import insert, select

from app.models import Happening, Notification, User, db
from app.models.base import utc_now
from tests.conftest import People
from tests.support.api import Api
from tests.support.errors import errors_of, pointer_of
from tests.support.rows import notify, statements


@pytest.fixture
def ana(people: People) -> User:
    return people.user("ana@example.org")


def named(*marks: tuple[int, Any]) -> dict[str, Any]:
    return {
        "data": [{"type": "notification", "id": str(id_), "attributes": {"is-read": is_read}} for id_, is_read in marks]
    }


def mark(api: Api, user: User, body: Any) -> Any:
    return api.as_(user).patch(f"/v1/users/{user.id}/notifications", body)


def read_ids() -> list[int]:
    """The ids of those that are read; each has the time of it, the others none."""
    rows = db.session.execute(select(Notification.id, Notification.is_read, Notification.read_at)).all()
    assert all(is_read == (read_at is not None) for _, is_read, read_at in rows)
    return sorted(id_ for id_, is_read, _ in rows if is_read)


def test_named_ones_are_marked_each_as_it_says(api: Api, ana: User) -> None:
    unread, other, read, untouched = notify(ana), notify(ana), notify(ana, is_read=True, read_at=utc_now()), notify(ana)
    answer = mark(api, ana, named((unread.id, True), (other.id, True), (read.id, False)))
    assert answer.status_code == 200
    assert answer.json == {"meta": {"updated": 3, "unread-count": 2}, "jsonapi": {"version": "1.1"}}
    assert read_ids() == [unread.id, other.id]
    assert untouched.id not in read_ids()


def test_updated_counts_what_changed_and_the_first_time_of_reading_stays(api: Api, ana: User) -> None:
    long_ago = utc_now() - timedelta(days=3)
    read, unread = notify(ana, is_read=True, read_at=long_ago), notify(ana)
    answer = mark(api, ana, named((read.id, True), (unread.id, True)))
    assert answer.json["meta"] == {"updated": 1, "unread-count": 0}
    db.session.refresh(read)
    assert read.read_at == long_ago


@pytest.mark.parametrize("foreign", ["somebody else's", "removed", "nowhere"])
def test_one_that_is_not_mine_is_404_and_none_is_marked(api: Api, people: People, ana: User, foreign: str) -> None:
    mine = notify(ana)
    theirs = {
        "somebody else's": lambda: notify(people.user()).id,
        "removed": lambda: notify(ana, deleted_at=utc_now()).id,
        "nowhere": lambda: 987654,
    }[foreign]()
    answer = mark(api, ana, named((mine.id, True), (theirs, True)))
    assert answer.status_code == 404
    assert pointer_of(answer) == "/data/1/id"
    assert read_ids() == []


def test_all_are_marked_read_and_unread(api: Api, people: People, ana: User) -> None:
    hers = [notify(ana).id for _ in range(3)]
    removed = notify(ana, deleted_at=utc_now())
    other = notify(people.user())
    assert mark(api, ana, {"meta": {"is-read": True}}).json["meta"] == {"updated": 3, "unread-count": 0}
    assert read_ids() == hers
    assert mark(api, ana, {"meta": {"is-read": False}}).json["meta"] == {"updated": 3, "unread-count": 3}
    assert read_ids() == []
    assert removed.id not in read_ids()
    assert other.id not in read_ids()


def test_only_those_received_before_a_time_are_marked(api: Api, ana: User) -> None:
    noon = utc_now().replace(microsecond=0)
    before, at, after = (notify(ana, received_at=noon + timedelta(seconds=step)) for step in (-1, 0, 1))
    body = {"meta": {"is-read": True, "received-before": noon.isoformat()}}
    assert mark(api, ana, body).json["meta"] == {"updated": 1, "unread-count": 2}
    assert read_ids() == [before.id]
    assert {at.id, after.id}.isdisjoint(read_ids())
    assert mark(api, ana, {"meta": {"is-read": True, "received-before": None}}).json["meta"]["updated"] == 2


def test_all_up_to_one_are_marked_and_all_that_were_seen(api: Api, ana: User) -> None:
    made = [notify(ana).id for _ in range(4)]
    assert mark(api, ana, {"meta": {"is-read": True, "up-to": "marker"}}).json["meta"]["updated"] == 0
    assert mark(api, ana, {"meta": {"is-read": True, "up-to": str(made[0])}}).json["meta"]["updated"] == 1
    marker = {"seen_id": str(made[2]), "version": 0}
    mine = api.as_(ana)
    path = f"/v1/users/{ana.id}/notification-marker"
    assert mine.update(path, "notification-marker", ana.id, **marker).status_code == 200
    body = {"meta": {"is-read": True, "up-to": "marker"}}
    assert mark(api, ana, body).json["meta"] == {"updated": 2, "unread-count": 1}
    assert read_ids() == made[:3]


def test_one_line_of_the_grouped_inbox_is_marked(api: Api, people: People, ana: User) -> None:
    grouped = [notify(ana) for _ in range(2)]
    theirs, single = notify(people.user()), notify(ana)
    for row in (*grouped, theirs):
        row.happening.group_key = "event:1:proposals"
    db.session.commit()
    body = {"meta": {"is-read": True, "group-key": "event:1:proposals"}}
    assert mark(api, ana, body).json["meta"] == {"updated": 2, "unread-count": 1}
    assert read_ids() == [row.id for row in grouped]
    assert mark(api, ana, {"meta": {"is-read": True, "group-key": "another"}}).json["meta"]["updated"] == 0
    assert single.id not in read_ids()


@pytest.mark.parametrize("body", [{"data": []}, {"meta": {"is-read": True}}])
def test_marking_nothing_is_fine(api: Api, ana: User, body: Any) -> None:
    assert mark(api, ana, body).json["meta"] == {"updated": 0, "unread-count": 0}


def fill(user: User, number: int) -> list[int]:
    news = [{"action": "Test", "title": "News", "message": "News"}] * number
    happenings = db.session.scalars(insert(Happening).returning(Happening.id), news)
    rows = [{"user_id": user.id, "happening_id": happening} for happening in happenings]
    made = db.session.scalars(insert(Notification).returning(Notification.id), rows).all()
    db.session.commit()
    return sorted(made)


@pytest.mark.parametrize("body", ["named", "all"])
def test_a_thousand_are_marked_with_one_update(api: Api, ana: User, body: str) -> None:
    made = fill(ana, 1000)
    marks = named(*((id_, id_ % 2 == 0) for id_ in made)) if body == "named" else {"meta": {"is-read": True}}
    with statements() as seen:
        answer = mark(api, ana, marks)
    expected = 500 if body == "named" else 1000
    assert answer.json["meta"] == {"updated": expected, "unread-count": "99+" if body == "named" else 0}
    assert sum(statement.lstrip().upper().startswith("UPDATE") for statement in seen) == 1
    assert len(seen) <= 6


def test_devices_that_mark_the_same_at_once_do_not_get_in_each_others_way(app: Flask, api: Api, ana: User) -> None:
    made, token, path = fill(ana, 300), api.as_(ana).token, f"/v1/users/{ana.id}/notifications"

    def go_on(device: int) -> list[int]:
        mine = Api(app.test_client(), token)
        bodies: list[Any] = [
            named(*((id_, bool(turn % 2)) for id_ in made)) if device % 2 else {"meta": {"is-read": turn % 2 == 0}}
            for turn in range(6)
        ]
        return [mine.patch(path, body).status_code for body in bodies]

    with ThreadPoolExecutor(4) as devices:
        assert {status for statuses in devices.map(go_on, range(4)) for status in statuses} == {200}


def test_more_than_a_thousand_at_once_are_refused(api: Api, ana: User) -> None:
    made = fill(ana, 1001)
    answer = mark(api, ana, named(*((id_, True) for id_ in made)))
    assert answer.status_code == 400
    assert pointer_of(answer) == "/data"
    assert "1000" in errors_of(answer)[0]["detail"]
    assert read_ids() == []


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        ({}, 400, ""),
        ({"data": [], "meta": {"is-read": True}}, 400, ""),
        ({"data": None}, 400, "/data"),
        ({"data": {}}, 400, "/data"),
        ({"data": [None]}, 400, "/data/0"),
        ({"data": [{"type": "notification"}]}, 400, "/data/0/id"),
        ({"data": [{"id": "1"}]}, 400, "/data/0/type"),
        ({"data": [{"type": "user", "id": "1"}]}, 409, "/data/0/type"),
        ({"data": [{"type": "notification", "id": 1}]}, 400, "/data/0/id"),
        ({"data": [{"type": "notification", "id": "1"}]}, 422, "/data/0/attributes/is-read"),
        (named((1, "true")), 422, "/data/0/attributes/is-read"),
        (named((1, None)), 422, "/data/0/attributes/is-read"),
        (named((1, True), (1, False)), 400, "/data/1/id"),
        ({"data": [{**named((1, True))["data"][0], "attributes": {"x": 1}}]}, 422, "/data/0/attributes/x"),
        ({"meta": None}, 422, "/meta/is-read"),
        ({"meta": {}}, 422, "/meta/is-read"),
        ({"meta": {"is-read": 1}}, 422, "/meta/is-read"),
        ({"meta": {"is-read": True, "user": 2}}, 422, "/meta"),
        ({"meta": {"is-read": True, "up-to": 1}}, 422, "/meta/up-to"),
        ({"meta": {"is-read": True, "up-to": "01"}}, 422, "/meta/up-to"),
        ({"meta": {"is-read": True, "group-key": 1}}, 422, "/meta/group-key"),
        # What a client has no value for is not all: a marker that was never moved, a line without a key.
        ({"meta": {"is-read": True, "up-to": None}}, 422, "/meta/up-to"),
        ({"meta": {"is-read": True, "group-key": None}}, 422, "/meta/group-key"),
        ({"meta": {"is-read": True, "received-before": "yesterday"}}, 422, "/meta/received-before"),
        ({"meta": {"is-read": True, "received-before": "2026-01-01T00:00:00"}}, 422, "/meta/received-before"),
        ({"meta": {"is-read": True, "received-before": 5}}, 422, "/meta/received-before"),
        ({"meta": {"is-read": True, "received-before": "9999-12-31T23:59:59-23:59"}}, 422, "/meta/received-before"),
    ],
)  # fmt: skip
def test_a_body_of_another_shape_says_where_and_marks_nothing(
    api: Api, ana: User, body: Any, status: int, pointer: str
) -> None:
    assert notify(ana).id == 1
    answer = mark(api, ana, body)
    assert answer.status_code == status, answer.text
    assert pointer_of(answer) == pointer
    assert read_ids() == []


def test_read_only_attributes_and_a_user_may_stand_in_the_body(api: Api, people: People, ana: User) -> None:
    other, notification = people.user(), notify(ana)
    item = api.as_(ana).get(f"/v1/notifications/{notification.id}").json["data"]
    item["attributes"].update({"is-read": True, "title": "Mine"})
    item["relationships"]["user"] = {"data": {"type": "user", "id": str(other.id)}}
    assert mark(api, ana, {"data": [item]}).json["meta"]["updated"] == 1
    db.session.refresh(notification)
    assert (notification.user_id, notification.title) == (ana.id, "News")


def test_only_the_owner_marks(api: Api, people: People, ana: User) -> None:
    notification = notify(ana)
    for other, status in ((people.user(), 403), (people.admin(), 403)):
        answer = api.as_(other).patch(f"/v1/users/{ana.id}/notifications", named((notification.id, True)))
        assert answer.status_code == status
    assert api.patch(f"/v1/users/{ana.id}/notifications", {"meta": {"is-read": True}}).status_code == 401
    assert read_ids() == []
