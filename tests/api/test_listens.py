"""What users follow: types of happenings, everywhere or about one thing, over the API and by the helpers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, insert, select

from app.api.helpers.listens import (
    MAX_LISTENS,
    ListenError,
    TooManyListensError,
    create_user_notification,
    delete_user_notification,
)
from app.happenings.declared import SESSION_DECIDED, SESSION_PROPOSED
from app.models import Event, Listen, Session, User, db
from tests.conftest import People
from tests.support.api import Api
from tests.support.errors import errors_of, pointer_of
from tests.support.rows import count
from tests.support.world import World


def path_of(user: User) -> str:
    return f"/v1/users/{user.id}/listens"


def listen(world: World, pattern: Any = "sessions.*", who: str = "stranger", **more: Any) -> Any:
    """POST one; `event` and `session` name a row of the world, what else there is are attributes."""
    things = {kind: (kind, world.ids[more.pop(kind)]) for kind in ("event", "session") if kind in more}
    return world.clients[who].create(path_of(world.people[who]), "listen", {"event-type": pattern, **more}, **things)


# --- following


def test_one_follows_a_type_a_prefix_or_everything(world: World) -> None:
    for pattern in (SESSION_DECIDED, "sessions.session.*", "sessions.*", "*", "forums.post.created"):
        answer = listen(world, pattern)
        assert answer.status_code == 201
        item = answer.json["data"]
        assert item["attributes"]["event-type"] == pattern
        assert item["attributes"]["includes-own"] is False
        assert item["attributes"]["subject"] is None
        assert item["relationships"]["user"]["data"]["id"] == str(world.people["stranger"].id)
        assert answer.headers["Location"] == item["links"]["self"] == f"/v1/listens/{item['id']}"


def test_or_what_is_about_one_event_or_one_session(world: World) -> None:
    for kind in ("event", "session"):
        shown = listen(world, **{kind: kind}).json["data"]["relationships"]
        other = "session" if kind == "event" else "event"
        assert shown[kind]["data"] == {"type": kind, "id": str(world.ids[kind])}
        assert shown[other]["data"] is None


def test_the_same_again_is_the_same_listen_with_the_new_wish(world: World) -> None:
    first = listen(world, event="event")
    again = listen(world, event="event", **{"includes-own": True})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json["data"]["id"] == again.json["data"]["id"]
    assert again.json["data"]["attributes"]["includes-own"] is True
    assert listen(world).json["data"]["id"] != first.json["data"]["id"]


def test_what_matches_no_type_that_may_be_followed_is_422(world: World) -> None:
    odd = (None, 7, [], {}, "", "x" * 300, "a.b.c\n", "Sessions.*", "sessions%.*")
    near = ("sessions", "sessions.**", "*.session", "sessions.session.decided.*.x", "sessions.sess.*", "nothing.*")
    # Nobody follows somebody else's password.
    for pattern in (*odd, *near, "sessions.session.unknown", "users.password.changed"):
        answer = listen(world, pattern)
        assert answer.status_code == 422
        assert pointer_of(answer) == "/data/attributes/event-type"


@pytest.mark.parametrize(("kind", "name"), [("event", "draft"), ("session", "pending")])
def test_what_one_may_not_see_is_404_as_if_it_were_not_there(world: World, kind: str, name: str) -> None:
    refused = listen(world, **{kind: name})
    unknown = world.clients["stranger"].create(
        path_of(world.people["stranger"]), "listen", {"event-type": "sessions.*"}, **{kind: (kind, 987654)}
    )
    for answer in (refused, unknown):
        assert answer.status_code == 404
        assert pointer_of(answer) == f"/data/relationships/{kind}"
    assert listen(world, who="owner", **{kind: name}).status_code == 201
    assert count(Listen) == 2


def test_a_listen_is_about_one_thing(world: World) -> None:
    answer = listen(world, event="event", session="session")
    assert answer.status_code == 422
    assert pointer_of(answer) == "/data/relationships/session"


def test_what_cannot_be_is_422_and_follows_nothing(world: World) -> None:
    for change in ({"includes-own": None}, {"includes-own": "yes"}, {"nothing": 1}):
        assert listen(world, **change).status_code == 422
    assert count(Listen) == 1


def test_what_the_server_says_of_a_listen_cannot_be_written(world: World) -> None:
    body = {
        "type": "listen",
        "attributes": {"event-type": "*", "subject": "x", "created-at": "2000-01-01T00:00:00Z"},
        "relationships": {"user": {"data": {"type": "user", "id": str(world.ids["user"])}}},
    }
    stranger = world.people["stranger"]
    item = world.clients["stranger"].post(path_of(stranger), {"data": body}).json["data"]
    assert item["attributes"]["subject"] is None
    assert item["relationships"]["user"]["data"]["id"] == str(stranger.id)


# --- reading and ending


def test_one_reads_and_ends_ones_own(world: World) -> None:
    id_ = listen(world).json["data"]["id"]
    mine, stranger = world.clients["stranger"], world.people["stranger"]
    shown = mine.get(path_of(stranger), **{"filter[event-type]": "sessions.*"}).json
    assert ([item["id"] for item in shown["data"]], shown["meta"]["count"]) == ([id_], 1)
    assert mine.delete(f"/v1/listens/{id_}").status_code == 204
    assert mine.get(f"/v1/listens/{id_}").status_code == 404
    below = listen(world).json["data"]["id"]
    assert mine.delete(f"/v1/users/{world.ids['user']}/listens/{below}").status_code == 404
    assert mine.delete(f"{path_of(stranger)}/{below}").status_code == 204


def test_an_admin_looks_but_touches_nothing(world: World) -> None:
    admin = world.clients["admin"]
    assert admin.get(world.path("/v1/users/{user}/listens")).json["meta"]["count"] == 1
    refused = admin.delete(world.path("/v1/listens/{listen}"))
    assert refused.status_code == 403
    assert "Only the user" in errors_of(refused)[0]["detail"]
    assert admin.get("/v1/users/987654/listens").status_code == 404


# --- how many


def fill(user: User, number: int) -> None:
    values = [{"user_id": user.id, "pattern": "*", "subject": f"thing:{each}"} for each in range(number)]
    db.session.execute(insert(Listen), values)
    db.session.commit()


def test_nobody_gets_beyond_a_thousand_however_often_he_asks(world: World) -> None:
    stranger = world.people["stranger"]
    fill(stranger, MAX_LISTENS - 1)
    assert listen(world).status_code == 201
    for _ in range(20):
        refused = listen(world, event="event")
        assert refused.status_code == 409
        assert "at most 1000" in errors_of(refused)[0]["detail"]
    with pytest.raises(TooManyListensError):
        create_user_notification(stranger, "*", subject="more")
    # What he follows already, he may follow; and others are not concerned.
    assert listen(world).status_code == 200
    assert listen(world, who="speaker").status_code == 201
    mine = select(Listen.id).where(Listen.user_id == stranger.id)
    assert len(db.session.scalars(mine).all()) == MAX_LISTENS


def test_of_several_at_once_only_as_many_get_in_as_there_is_room(app: Flask, world: World) -> None:
    stranger, token = world.people["stranger"], world.clients["stranger"].token
    fill(stranger, MAX_LISTENS - 2)
    path, patterns = path_of(stranger), ["*", "sessions.*", "events.*", "sessions.session.*", SESSION_PROPOSED]

    def ask(pattern: str) -> int:
        return Api(app.test_client(), token).create(path, "listen", {"event-type": pattern}).status_code

    with ThreadPoolExecutor(len(patterns)) as pool:
        answers = list(pool.map(ask, patterns))
    assert sorted(answers) == [201, 201, 409, 409, 409]


# --- the helpers


def test_other_resources_follow_and_unfollow_on_behalf_of_a_user(people: People) -> None:
    ana, bo = people.user(), people.user()
    event = people.event(ana)
    for user in (ana, bo, ana):
        create_user_notification(user, "sessions.*", event=event)
    db.session.rollback()
    assert count(Listen) == 0

    for user in (ana, bo, ana):
        create_user_notification(user, "sessions.*", event=event)
        create_user_notification(user, "events.*", subject="forums.post:99")
    create_user_notification(ana, "sessions.*")
    db.session.commit()
    assert count(Listen) == 5
    assert delete_user_notification(ana, "sessions.session.*") == 0
    assert delete_user_notification(ana, "sessions.*") == 1
    assert delete_user_notification(ana, "sessions.*") == 0
    assert delete_user_notification(ana, None, event=event) == 1
    # The post is gone.
    assert delete_user_notification(None, "events.*", subject="forums.post:99") == 2
    assert [row.user_id for row in db.session.scalars(select(Listen))] == [bo.id]


def test_the_helpers_take_what_was_only_just_added(people: People) -> None:
    owner = people.user()
    user = people.make("new@example.org")
    session = Session(title="Knots", event=people.event(owner))
    db.session.add_all([user, session])
    made = create_user_notification(user, SESSION_DECIDED, session=session, includes_own=True)
    db.session.commit()
    assert (made.user_id, made.session_id, made.includes_own) == (user.id, session.id, True)


def test_the_helpers_refuse_what_cannot_be_and_say_which_argument(people: People) -> None:
    user = people.user()
    event = people.event(user)
    wrong: list[tuple[str, dict[str, Any], str]] = [
        ("no.such.type", {}, "event_type"),
        ("sessions", {}, "event_type"),
        ("*", {"event": event, "subject": "x"}, "subject"),
        ("*", {"subject": ""}, "subject"),
        ("*", {"subject": "x" * 256}, "subject"),
        ("*", {"subject": "a\0b"}, "subject"),
        ("*", {"event": Event(name="Nowhere")}, "event"),
    ]
    for pattern, more, field in wrong:
        with pytest.raises(ListenError) as raised:
            create_user_notification(user, pattern, **more)
        assert raised.value.field == field
    with pytest.raises(ListenError):
        delete_user_notification(None, None)


# --- the thing goes


@pytest.mark.parametrize("how", ["over the API", "for good"])
def test_an_event_takes_its_listens_and_those_of_its_sessions_with_it(world: World, how: str) -> None:
    listen(world, event="event")
    listen(world, session="session")
    stays = {listen(world).json["data"]["id"], listen(world, who="owner", event="draft").json["data"]["id"]}
    stays.add(str(world.ids["listen"]))
    if how == "over the API":
        assert world.clients["owner"].delete(world.path("/v1/events/{event}")).status_code == 204
    else:
        db.session.execute(delete(Event).where(Event.id == world.ids["event"]))
        db.session.commit()
    assert {str(id_) for id_ in db.session.scalars(select(Listen.id))} == stays


@pytest.mark.parametrize("how", ["over the API", "for good"])
def test_so_does_a_session(world: World, how: str) -> None:
    listen(world, session="session")
    stays = {listen(world, event="event").json["data"]["id"], str(world.ids["listen"])}
    if how == "over the API":
        assert world.clients["owner"].delete(world.path("/v1/sessions/{session}")).status_code == 204
    else:
        db.session.execute(delete(Session).where(Session.id == world.ids["session"]))
        db.session.commit()
    assert {str(id_) for id_ in db.session.scalars(select(Listen.id))} == stays
    assert listen(world, session="session").status_code == 404
