"""POST, PATCH and DELETE: structure, hooks, one transaction, locks."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from toybox import Toys
from toys import SEEN
from werkzeug.test import TestResponse

from app.models import Session, Speaker, User, db


def resource(type_: str, id_: int | None = None, rels: dict[str, Any] | None = None, **attributes: Any) -> Any:
    data: dict[str, Any] = {"type": type_}
    if id_ is not None:
        data["id"] = str(id_)
    if attributes:
        data["attributes"] = {name.replace("_", "-"): value for name, value in attributes.items()}
    if rels:
        data["relationships"] = {name: {"data": value} for name, value in rels.items()}
    return {"data": data}


def talk(title: str, event: int = 1) -> Any:
    return resource("talk", rels={"event": {"type": "gathering", "id": str(event)}}, title=title)


def linked(name: str, linkage: Any) -> Any:
    """A change of one relationship of the first talk."""
    return resource("talk", 1, rels={name: linkage})


def voice(id_: int) -> Any:
    return {"type": "voice", "id": str(id_)}


def pointers(answer: TestResponse, status: int) -> set[str]:
    assert answer.status_code == status, answer.text
    return {error["source"]["pointer"] for error in answer.json["errors"]}


@pytest.fixture
def world(toys: Toys) -> Toys:
    SEEN.clear()
    toys.gathering()
    toys.talk(1)
    toys.voice(1)
    return toys


def test_a_new_row_passes_both_hooks_and_is_answered_with_its_address(world: Toys) -> None:
    answer = world.send("POST", "/talks", json=talk("Knots"))
    assert answer.status_code == 201
    assert answer.headers["Location"] == "/toy/talks/2"
    assert answer.json["links"] == {"self": "/toy/talks/2"}
    assert answer.json["data"]["relationships"]["event"]["data"] == {"type": "gathering", "id": "1"}
    assert SEEN == [("before_create", 1), ("after_create", 2)]
    assert world.read(Session, 2, "title") == "Knots"


@pytest.mark.parametrize(("title", "status"), [("refused", 403), ("fails after", 409), ("breaks", 500)])
def test_a_hook_that_raises_leaves_no_row(world: Toys, title: str, status: int) -> None:
    assert world.send("POST", "/talks", json=talk(title)).status_code == status
    assert world.count(Session) == 1


def test_a_hook_that_raises_undoes_a_change_and_a_deletion(world: Toys) -> None:
    assert world.send("PATCH", "/talks/1", json=resource("talk", 1, title="fails after")).status_code == 409
    assert world.read(Session, 1, "title") == "Ropes"
    world.talk(1, "cannot go")
    assert world.send("DELETE", "/talks/2").status_code == 409
    assert world.count(Session) == 2


def test_a_deletion_is_answered_without_a_body(world: Toys) -> None:
    answer = world.send("DELETE", "/talks/1")
    assert (answer.status_code, answer.data) == (204, b"")
    assert "Content-Type" not in answer.headers
    assert SEEN == [("after_delete", 1)]
    assert world.send("DELETE", "/talks/1").status_code == 404


def test_the_hook_after_a_change_is_told_old_and_new_of_what_is_different(world: Toys) -> None:
    body = resource("talk", 1, rels={"speakers": [{"type": "voice", "id": "1"}]}, title="Ropes", state="rejected")
    assert world.send("PATCH", "/talks/1", json=body).status_code == 200
    (_, changes) = SEEN[-1]
    assert SEEN[0] == ("before_update", "accepted")
    assert changes["state"] == ("accepted", "rejected")
    assert set(changes) == {"state", "speakers"}
    assert changes["speakers"][0] == []
    SEEN.clear()
    admin = world.person("admin@example.org", admin=True)
    assert world.send("PATCH", "/talks/1", admin, json=resource("talk", 1, state="rejected")).status_code == 200
    assert SEEN[-1] == ("after_update", {})


def test_what_a_hook_changes_itself_is_told_too(toys: Toys) -> None:
    SEEN.clear()
    user = toys.person("a@example.org")
    toys.notice(user)
    answer = toys.send("PATCH", "/notices/1", user, json=resource("notice", 1, is_read=True))
    assert answer.json["data"]["attributes"]["is-read"] is True
    assert set(SEEN[-1][1]) == {"is_read", "read_at"}


def test_read_only_ones_sent_back_are_ignored(toys: Toys) -> None:
    user, other = toys.person("a@example.org"), toys.person("b@example.org")
    toys.notice(user)
    read = toys.get("/notices/1?include=user", user).json["data"]
    read["attributes"].update({"is-read": True, "title": 17, "received-at": "never"})
    read["relationships"]["user"]["data"]["id"] = str(other)
    answer = toys.send("PATCH", "/notices/1", user, json={"data": read})
    assert answer.status_code == 200, answer.text
    assert answer.json["data"]["attributes"]["title"] == "News"
    assert toys.get("/notices/1", other).status_code == 404


def test_unknown_names_are_told_all_at_once(world: Toys) -> None:
    body = resource("talk", 1, rels={"room": None}, colour="red", deleted_at=None, title="x")
    assert pointers(world.send("PATCH", "/talks/1", json=body), 422) == {
        "/data/attributes/colour",
        "/data/attributes/deleted-at",
        "/data/relationships/room",
    }
    swapped = {"data": {"type": "talk", "id": "1", "attributes": {"event": {"data": None}}}}
    assert pointers(world.send("PATCH", "/talks/1", json=swapped), 422) == {"/data/attributes/event"}
    for name in ("id", "type", "password-hash", "short_abstract", "__class__", "a/b"):
        sent = {"data": {"type": "talk", "id": "1", "attributes": {name: 1}}}
        (pointer,) = pointers(world.send("PATCH", "/talks/1", json=sent), 422)
        assert pointer == "/data/attributes/" + name.replace("/", "~1")


def test_what_is_required_is_so_in_a_post_only(world: Toys) -> None:
    assert pointers(world.send("POST", "/talks", json={"data": {"type": "talk"}}), 422) == {
        "/data/attributes/title",
        "/data/relationships/event",
    }
    links = {"data": {"type": "talk", "attributes": {"title": "x"}, "relationships": {"event": {"links": {}}}}}
    assert pointers(world.send("POST", "/talks", json=links), 422) == {"/data/relationships/event"}
    assert world.send("PATCH", "/talks/1", json={"data": {"type": "talk", "id": "1"}}).status_code == 200


def test_wrong_values_have_a_pointer_each(world: Toys) -> None:
    rels = {"event": None, "speakers": {"type": "voice", "id": "1"}}
    body = resource("talk", 1, rels=rels, title="", state="great", starts_at="2026-01-01T00:00:00")
    assert pointers(world.send("PATCH", "/talks/1", json=body), 422) == {
        "/data/attributes/title",
        "/data/attributes/state",
        "/data/attributes/starts-at",
        "/data/relationships/event",
        "/data/relationships/speakers",
    }


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        ({}, 400, "/data"),
        ({"data": None}, 400, "/data"),
        ({"data": []}, 400, "/data"),
        ({"data": {}}, 400, "/data/type"),
        ({"data": {"type": 1, "id": "1"}}, 400, "/data/type"),
        ({"data": {"type": "voice", "id": "1"}}, 409, "/data/type"),
        ({"data": {"type": "talk"}}, 400, "/data/id"),
        ({"data": {"type": "talk", "id": 1}}, 400, "/data/id"),
        ({"data": {"type": "talk", "id": "2"}}, 409, "/data/id"),
        ({"data": {"type": "talk", "id": "01"}}, 409, "/data/id"),
        ({"data": {"type": "talk", "id": "x"}}, 409, "/data/id"),
        ({"data": {"type": "talk", "id": "1", "attributes": []}}, 400, "/data/attributes"),
        ({"data": {"type": "talk", "id": "1", "attributes": None}}, 400, "/data/attributes"),
        ({"data": {"type": "talk", "id": "1", "relationships": 1}}, 400, "/data/relationships"),
        (linked("event", 1), 400, "/data/relationships/event/data"),
        (linked("event", {"id": "1"}), 400, "/data/relationships/event/data/type"),
        (linked("event", {"type": "gathering"}), 400, "/data/relationships/event/data/id"),
        (linked("event", {"type": "gathering", "id": "x"}), 422, "/data/relationships/event/data/id"),
        (linked("event", {"type": "gathering", "id": "99"}), 422, "/data/relationships/event/data"),
        (linked("event", {"type": "voice", "id": "1"}), 422, "/data/relationships/event"),
        (linked("speakers", [voice(1), voice(9)]), 422, "/data/relationships/speakers/data/1"),
        (linked("speakers", [1]), 400, "/data/relationships/speakers/data/0"),
    ],
)
def test_a_document_of_another_structure_is_refused_where_it_is_wrong(
    world: Toys, body: Any, status: int, pointer: str
) -> None:
    assert pointers(world.send("PATCH", "/talks/1", json=body), status) == {pointer}
    assert world.read(Session, 1, "title") == "Ropes"


def test_the_client_does_not_choose_ids(world: Toys) -> None:
    body = talk("x")
    body["data"]["id"] = "77"
    assert pointers(world.send("POST", "/talks", json=body), 403) == {"/data/id"}


def test_a_row_that_one_may_not_see_cannot_be_linked_to(world: Toys) -> None:
    owner = world.person("owner@example.org")
    hidden = world.gathering("Hidden", owner=owner, state="draft")
    answer = world.send("POST", "/talks", json=talk("x", hidden))
    assert pointers(answer, 422) == {"/data/relationships/event/data"}
    missing = world.send("POST", "/talks", json=talk("x", 99))
    # Nothing but the id tells the answers about a hidden and a missing row apart.
    assert answer.text.replace(f" {hidden}.", " 99.") == missing.text
    assert world.send("POST", "/talks", owner, json=talk("x", hidden)).status_code == 201


def test_a_write_only_attribute_is_written_and_never_shown(toys: Toys) -> None:
    body = resource("person", email="Ana@Example.ORG", password="x" * 8, language="en", timezone="Europe/Berlin")
    admin = toys.person("admin@example.org", admin=True)
    answer = toys.send("POST", "/people", admin, json=body)
    assert answer.status_code == 201, answer.text
    assert toys.read(User, 2, "password_hash") == "x" * 8
    assert "xxxxxxxx" not in answer.text
    assert "password" not in toys.get("/people/2", admin).text


def test_of_two_changes_at_once_the_second_sees_what_the_first_has_done(toy_app: Flask, world: Toys) -> None:
    SEEN.clear()
    with toy_app.app_context():
        db.session.execute(text("UPDATE sessions SET state = 'confirmed' WHERE id = 1"))
        admin = world.person("admin@example.org", admin=True)
        second = threading.Thread(
            target=lambda: toy_app.test_client().patch(
                "/toy/talks/1",
                json=resource("talk", 1, state="confirmed"),
                headers={"Content-Type": "application/vnd.api+json", "X-Viewer": str(admin)},
            )
        )
        second.start()
        _wait_until_somebody_waits_for_a_lock()
        db.session.commit()
        second.join(10)
    assert SEEN == [("before_update", "confirmed"), ("after_update", {})]


def _wait_until_somebody_waits_for_a_lock() -> None:
    deadline = time.monotonic() + 10
    with db.engine.connect() as connection:
        while not connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
            assert time.monotonic() < deadline, "nobody waited for the lock"
            connection.rollback()


# --- relationships


@pytest.fixture
def admin(world: Toys) -> int:
    world.voice(1, "Ben")
    return world.person("admin@example.org", admin=True)


def linkage(toys: Toys, admin: int) -> list[str]:
    answer = toys.get("/talks/1/relationships/speakers", admin)
    assert answer.status_code == 200, answer.text
    return sorted(item["id"] for item in answer.json["data"])


def test_a_to_many_relationship_is_replaced_added_to_and_removed_from(world: Toys, admin: int) -> None:
    one, two = {"type": "voice", "id": "1"}, {"type": "voice", "id": "2"}
    path = "/talks/1/relationships/speakers"
    assert world.send("PATCH", path, admin, json={"data": [one]}).status_code == 204
    assert world.send("POST", path, admin, json={"data": [one, two, two]}).status_code == 204
    assert linkage(world, admin) == ["1", "2"]
    assert world.send("DELETE", path, admin, json={"data": [one]}).status_code == 204
    assert linkage(world, admin) == ["2"]
    assert world.send("PATCH", path, admin, json={"data": []}).status_code == 204
    assert linkage(world, admin) == []
    assert set(SEEN[-1][1]) == {"speakers"}


@pytest.mark.parametrize(
    ("data", "status", "pointer"),
    [
        (None, 400, "/data"),
        ({"type": "voice", "id": "1"}, 400, "/data"),
        ([{"type": "talk", "id": "1"}], 409, "/data/0/type"),
        ([{"type": "voice", "id": "99"}], 422, "/data/0"),
        ([{"type": "voice"}], 400, "/data/0/id"),
    ],
)
def test_a_wrong_linkage_is_refused(world: Toys, admin: int, data: Any, status: int, pointer: str) -> None:
    answer = world.send("PATCH", "/talks/1/relationships/speakers", admin, json={"data": data})
    assert pointers(answer, status) == {pointer}


def test_a_to_one_relationship_is_read_and_set(world: Toys, admin: int) -> None:
    path = "/voices/1/relationships/user"
    assert world.get(path, admin).json["data"] is None
    person = {"type": "person", "id": str(admin)}
    assert world.send("PATCH", path, admin, json={"data": person}).status_code == 204
    answer = world.get(path, admin).json
    assert answer["data"] == person
    assert answer["links"] == {"self": "/toy/voices/1/relationships/user", "related": "/toy/voices/1/user"}
    related = world.get("/voices/1/user", admin).json
    assert related["data"]["attributes"]["email"] == "admin@example.org"
    assert world.send("POST", path, admin, json={"data": [person]}).status_code == 403
    assert world.send("PATCH", "/voices/1/user", admin, json={"data": None}).status_code == 403
    assert world.send("PATCH", path, admin, json={"data": None}).status_code == 204
    assert world.read(Speaker, 1, "user_id") is None
    assert world.get("/voices/1/user", admin).json["data"] is None


def test_related_rows_come_in_pages_and_only_visible_ones(world: Toys, admin: int) -> None:
    for number in range(3):
        world.talk(1, f"t{number}", state="pending" if number == 1 else "accepted")
    ids = [{"type": "talk", "id": str(number)} for number in (2, 3, 4)]
    assert world.send("PATCH", "/voices/1/relationships/talks", admin, json={"data": ids}).status_code == 204
    answer = world.get("/voices/1/talks?sort=title&page[size]=1&include=event", admin).json
    assert [item["attributes"]["title"] for item in answer["data"]] == ["t0"]
    assert answer["meta"] == {"count": 3}
    assert answer["included"][0]["type"] == "gathering"
    assert "next" in answer["links"]
    assert [item["id"] for item in world.get("/voices/1/talks").json["data"]] == ["4", "2"]
    assert [item["id"] for item in world.get("/voices/1/relationships/talks").json["data"]] == ["4", "2"]


def test_a_private_relationship_is_not_read_by_others(world: Toys, admin: int) -> None:
    for path in ("/voices/1/relationships/user", "/voices/1/user"):
        assert world.get(path).status_code == 403
        assert world.get(path, admin).status_code == 200


def test_a_read_only_relationship_cannot_be_changed_and_an_invisible_row_is_not_there(toys: Toys) -> None:
    user, other = toys.person("a@example.org"), toys.person("b@example.org")
    toys.notice(user)
    assert toys.get("/notices/1/relationships/user", user).json["data"] == {"type": "person", "id": str(user)}
    assert toys.get("/notices/1/user", user).json["data"]["attributes"]["email"] == "a@example.org"
    assert toys.get("/notices/1/user", other).status_code == 404
    assert toys.send("PATCH", "/notices/1/relationships/user", user, json={"data": None}).status_code == 405
