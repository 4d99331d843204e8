"""The inbox: what its owner reads, marks and removes, and what others cannot."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from app.models import User, db
from app.models.base import utc_now
from tests.conftest import People
from tests.support.api import Api
from tests.support.errors import pointer_of
from tests.support.inbox import ATTRIBUTES, ids, inbox, reread
from tests.support.rows import notify


@pytest.fixture
def ana(people: People) -> User:
    return people.user("ana@example.org")


@pytest.fixture
def ben(people: People) -> User:
    return people.user("ben@example.org")


# --- lists and counts


def test_a_list_has_the_contracts_attributes_newest_first_with_both_counts(api: Api, ana: User, ben: User) -> None:
    made = [notify(ana, f"News {number}") for number in range(3)]
    notify(ben)
    made[1].mark(is_read=True)
    db.session.commit()
    answer = api.as_(ana).get(inbox(ana))
    assert ids(answer) == [row.id for row in reversed(made)]
    assert answer.json["meta"] == {"count": 3, "unread-count": 2}
    assert answer.json["jsonapi"] == {"version": "1.1"}
    [item, *_] = answer.json["data"]
    assert item["type"] == "notification"
    assert set(item["attributes"]) == ATTRIBUTES
    assert set(item["relationships"]) == {"user", "happening"}
    assert item["attributes"]["received-at"].endswith("Z")
    assert item["attributes"]["title"] == "News 2"
    assert item["attributes"]["message"] == "<b>News 2</b>"


def test_the_count_is_of_the_user_alone_and_without_what_was_removed(api: Api, ana: User, ben: User) -> None:
    notify(ben)
    notify(ana, is_read=True, read_at=utc_now())
    notify(ana)
    notify(ana, deleted_at=utc_now())
    answer = api.as_(ana).get(f"{inbox(ana)}/count")
    assert answer.json == {"jsonapi": {"version": "1.1"}, "meta": {"count": 2, "unread-count": 1}}


def test_an_empty_inbox_is_an_empty_list(api: Api, ana: User) -> None:
    answer = api.as_(ana).get(inbox(ana))
    assert answer.json["data"] == []
    assert answer.json["meta"] == {"count": 0, "unread-count": 0}


def test_an_admin_reads_a_users_list_and_gets_404_for_no_user(api: Api, people: People, ana: User) -> None:
    mine = notify(ana)
    admin = api.as_(people.admin())
    assert ids(admin.get(inbox(ana))) == [mine.id]
    assert admin.get(f"{inbox(ana)}/count").json["meta"] == {"count": 1, "unread-count": 1}
    assert admin.get("/v1/users/999/notifications").status_code == 404
    assert admin.get("/v1/users/999/notifications/count").status_code == 404


def test_the_admins_log_has_everybodys_and_keeps_what_was_removed(
    api: Api, people: People, ana: User, ben: User
) -> None:
    kept, removed = notify(ana), notify(ben)
    admin = api.as_(people.admin())
    assert api.as_(ben).delete(f"/v1/notifications/{removed.id}").status_code == 204
    assert ids(admin.get("/v1/notifications")) == [removed.id, kept.id]
    assert admin.get(f"/v1/notifications/{removed.id}").status_code == 200
    assert ids(admin.get(inbox(ben))) == []


def test_pages_do_not_overlap_and_link_to_each_other(api: Api, ana: User) -> None:
    now = utc_now()
    made = [notify(ana, received_at=now) for _ in range(25)]
    mine = api.as_(ana)
    first = mine.get(inbox(ana), **{"page[size]": 10, "sort": "-received-at"})
    assert set(first.json["links"]) == {"self", "first", "last", "next"}
    seen, link = ids(first), first.json["links"]["next"]
    while link:
        page = mine.get(link)
        seen += ids(page)
        link = page.json["links"].get("next")
    assert seen == [row.id for row in reversed(made)]
    assert first.json["meta"]["count"] == 25


# --- one notification


def test_the_owner_and_admins_read_it(api: Api, people: People, ana: User) -> None:
    notification = notify(ana)
    for reader in (ana, people.admin()):
        answer = api.as_(reader).get(f"/v1/notifications/{notification.id}")
        assert answer.status_code == 200
        assert set(answer.json["data"]["attributes"]) == ATTRIBUTES


def test_for_others_it_does_not_exist(api: Api, ana: User, ben: User) -> None:
    hers = notify(ana)
    other = api.as_(ben)
    for suffix in ("", "/user", "/relationships/user"):
        there, nowhere = (other.get(f"/v1/notifications/{id_}{suffix}") for id_ in (hers.id, 987654))
        assert there.status_code == nowhere.status_code == 404
        assert there.text.replace(f"id {hers.id}.", "id ?.") == nowhere.text.replace("id 987654.", "id ?.")
    assert other.update(f"/v1/notifications/{hers.id}", "notification", hers.id, is_read=True).status_code == 404
    assert other.delete(f"/v1/notifications/{hers.id}").status_code == 404
    assert not reread(hers).is_read
    assert hers.deleted_at is None


def test_without_a_token_there_and_not_there_look_the_same(api: Api, ana: User) -> None:
    hers = notify(ana)
    answers = [api.get(f"/v1/notifications/{id_}") for id_ in (hers.id, 987654)]
    answers += [api.delete(f"/v1/notifications/{id_}") for id_ in (hers.id, 987654)]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1


def test_the_relationship_to_the_user(api: Api, people: People, ana: User) -> None:
    notification = notify(ana)
    for reader in (ana, people.admin()):
        mine = api.as_(reader)
        linkage = mine.get(f"/v1/notifications/{notification.id}/relationships/user").json
        assert linkage["data"] == {"type": "user", "id": str(ana.id)}
        assert linkage["links"] == {
            "self": f"/v1/notifications/{notification.id}/relationships/user",
            "related": f"/v1/notifications/{notification.id}/user",
        }
        user = mine.get(f"/v1/notifications/{notification.id}/user").json["data"]
        assert (user["type"], user["id"], user["attributes"]["email"]) == ("user", str(ana.id), ana.email)
        assert "password" not in user["attributes"]


# --- marking one


def test_marking_sets_the_time_of_reading_and_unmarking_clears_it(api: Api, ana: User) -> None:
    notification = notify(ana)
    mine, path = api.as_(ana), f"/v1/notifications/{notification.id}"
    read = mine.update(path, "notification", notification.id, is_read=True)
    assert read.status_code == 200
    assert read.json["data"]["attributes"]["is-read"] is True
    first = reread(notification).read_at
    assert first is not None
    mine.update(path, "notification", notification.id, is_read=True)
    assert reread(notification).read_at == first
    unread = mine.update(path, "notification", notification.id, is_read=False)
    assert unread.json["data"]["attributes"]["read-at"] is None
    assert reread(notification).read_at is None
    assert not notification.is_read


def test_the_owner_cannot_move_a_notification_to_another_user(api: Api, ana: User, ben: User) -> None:
    notification = notify(ana, "Old title")
    body = {
        "data": {
            "id": str(notification.id),
            "type": "notification",
            "attributes": {
                "is-read": True,
                "title": "New title",
                "message": None,
                "action": None,
                "received-at": "2018-08-10T10:00:00.000Z",
                "read-at": None,
                "link": "https://example.org/",
                "data": {"x": 1},
            },
            "relationships": {"user": {"data": {"type": "user", "id": str(ben.id)}}},
        }
    }
    received = notification.received_at
    answer = api.as_(ana).patch(f"/v1/notifications/{notification.id}", body)
    assert answer.status_code == 200
    reread(notification)
    assert notification.user_id == ana.id
    assert notification.is_read
    assert notification.read_at is not None
    assert (notification.title, notification.link, notification.data) == ("Old title", None, None)
    assert notification.received_at == received


def test_what_was_read_can_be_sent_back_whole(api: Api, ana: User) -> None:
    notification = notify(ana)
    mine, path = api.as_(ana), f"/v1/notifications/{notification.id}"
    item = mine.get(path, include="user,happening").json["data"]
    answer = mine.patch(path, {"data": item})
    assert answer.status_code == 200
    assert answer.json["data"]["attributes"] == item["attributes"]


@pytest.mark.parametrize("value", [None, "true", 1, 0, [], {}, "", 1.0])
def test_is_read_is_a_json_boolean(api: Api, ana: User, value: Any) -> None:
    notification = notify(ana)
    answer = api.as_(ana).update(f"/v1/notifications/{notification.id}", "notification", notification.id, is_read=value)
    assert answer.status_code == 422
    assert pointer_of(answer) == "/data/attributes/is-read"
    assert not reread(notification).is_read


@pytest.mark.parametrize("name", ["is_read", "deleted-at", "user-id", "colour", "created-at", "accept"])
def test_an_unknown_attribute_is_422_and_nothing_changes(api: Api, ana: User, name: str) -> None:
    notification = notify(ana)
    attributes = {"is-read": True, name: None}
    body = {"data": {"type": "notification", "id": str(notification.id), "attributes": attributes}}
    answer = api.as_(ana).patch(f"/v1/notifications/{notification.id}", body)
    assert answer.status_code == 422
    assert pointer_of(answer) == f"/data/attributes/{name}"
    assert not reread(notification).is_read


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (None, 400),
        ([], 400),
        ({}, 400),
        ({"type": "notification"}, 400),
        ({"type": "notification", "id": 1}, 400),
        ({"type": "notifications", "id": "1"}, 409),
        ({"type": "notification", "id": "2"}, 409),
        ({"type": "notification", "id": "01"}, 409),
        ({"type": "notification", "id": "1", "attributes": []}, 400),
        ({"type": "notification", "id": "1", "relationships": {"user": {"data": {"type": "user", "id": "x"}}}}, 422),
        ({"type": "notification", "id": "1", "relationships": {"colour": {"data": None}}}, 422),
    ],
)
def test_a_document_of_another_shape_says_where(api: Api, ana: User, data: Any, status: int) -> None:
    assert notify(ana).id == 1
    answer = api.as_(ana).patch("/v1/notifications/1", {"data": data})
    assert answer.status_code == status
    assert pointer_of(answer).startswith("/data")


def test_an_admin_neither_marks_nor_removes_anothers(api: Api, people: People, ana: User) -> None:
    notification = notify(ana)
    admin, path = api.as_(people.admin()), f"/v1/notifications/{notification.id}"
    assert admin.update(path, "notification", notification.id, is_read=True).status_code == 403
    assert admin.update(path, "notification", notification.id).status_code == 403
    assert admin.delete(path).status_code == 403
    assert not reread(notification).is_read
    assert notification.deleted_at is None


def test_an_admin_marks_and_removes_his_own(api: Api, people: People) -> None:
    admin = people.admin()
    notification = notify(admin)
    mine, path = api.as_(admin), f"/v1/notifications/{notification.id}"
    assert mine.update(path, "notification", notification.id, is_read=True).status_code == 200
    assert mine.delete(path).status_code == 204
    assert ids(mine.get(inbox(admin))) == []


def test_removing_hides_it_from_its_owner_everywhere(api: Api, ana: User) -> None:
    gone, kept = notify(ana), notify(ana)
    mine, path = api.as_(ana), f"/v1/notifications/{gone.id}"
    answer = mine.delete(path)
    assert answer.status_code == 204
    assert answer.data == b""
    assert ids(mine.get(inbox(ana))) == [kept.id]
    assert mine.get(f"{inbox(ana)}/count").json["meta"] == {"count": 1, "unread-count": 1}
    for again in (mine.get(path), mine.delete(path), mine.get(f"{path}/user"), mine.get(f"{path}/relationships/user")):
        assert again.status_code == 404
    assert mine.update(path, "notification", gone.id, is_read=True).status_code == 404
    assert reread(gone).deleted_at is not None


def test_two_changes_at_once_do_not_break_each_other(app: Flask, people: People, ana: User) -> None:
    notification = notify(ana)
    token, id_ = people.token(ana), notification.id

    def mark(number: int) -> int:
        mine = Api(app.test_client(), token)
        return mine.update(f"/v1/notifications/{id_}", "notification", id_, is_read=bool(number % 2)).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(mark, range(32))) == {200}
    reread(notification)
    assert notification.is_read == (notification.read_at is not None)


def test_marking_and_removing_at_once_end_in_one_of_the_two_orders(app: Flask, people: People, ana: User) -> None:
    made = [notify(ana).id for _ in range(8)]
    token = people.token(ana)

    def change(job: tuple[str, int]) -> tuple[str, int]:
        mine, (what, id_) = Api(app.test_client(), token), job
        path = f"/v1/notifications/{id_}"
        answer = mine.delete(path) if what == "remove" else mine.update(path, "notification", id_, is_read=True)
        return what, answer.status_code

    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(change, [(what, id_) for id_ in made for what in ("remove", "mark", "remove")]))
    assert [status for what, status in got if what == "remove"].count(204) == len(made)
    assert {status for what, status in got if what == "mark"} <= {200, 404}
