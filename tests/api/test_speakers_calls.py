"""Calls for papers: one for an event, public or for the team, and when proposals are taken."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.models import Event, Mail, Notification, Session, SpeakersCall, User, db
from app.models.base import utc_now
from tests.conftest import People
from tests.support.api import Api
from tests.support.errors import errors_of, pointer_of
from tests.support.rows import count

NOON, ONE = "2030-11-21T12:00:00Z", "2030-11-21T13:00:00Z"


@pytest.fixture
def owner(people: People) -> User:
    return people.user("owner@example.org")


@pytest.fixture
def event(people: People, owner: User) -> Event:
    return people.event(owner)


def create(api: Api, by: User, event: Event, **more: Any) -> Any:
    attributes = {"announcement": "Come\nand speak.", "starts-at": NOON, "ends-at": ONE, **more}
    return api.as_(by).create("/v1/speakers-calls", "speakers-call", attributes, event=("event", event.id))


def call(event: Event, begins: int = -1, ends: int = 1, privacy: str = "public") -> SpeakersCall:
    """A call made straight in the table, from and to so many hours from now."""
    now = utc_now()
    made = SpeakersCall(
        announcement="Come",
        starts_at=now + timedelta(hours=begins),
        ends_at=now + timedelta(hours=ends),
        privacy=privacy,
        event=event,
    )
    db.session.add(made)
    db.session.commit()
    return made


def test_a_manager_makes_the_call_of_an_event(api: Api, owner: User, event: Event) -> None:
    answer = create(api, owner, event)
    assert answer.status_code == 201, answer.text
    item = answer.json["data"]
    shown = item["attributes"]
    assert set(shown) == {"announcement", "starts-at", "ends-at", "privacy", "hash"}
    assert (shown["announcement"], shown["privacy"]) == ("Come\nand speak.", "public")
    assert len(shown["hash"]) == 32
    assert item["relationships"]["event"]["data"] == {"type": "event", "id": str(event.id)}
    assert answer.headers["Location"] == f"/v1/speakers-calls/{item['id']}"
    assert api.get(f"/v1/events/{event.id}/speakers-call").json["data"]["id"] == item["id"]
    assert count(Mail) == count(Notification) == 0


def test_an_event_has_one_call_and_a_second_is_409(api: Api, people: People, owner: User, event: Event) -> None:
    assert create(api, owner, event).status_code == 201
    second = create(api, people.admin(), event)
    assert second.status_code == 409
    assert pointer_of(second) == "/data/relationships/event/data"
    assert create(api, owner, people.event(owner, "Another")).status_code == 201
    first = db.session.scalars(select(SpeakersCall).where(SpeakersCall.event_id == event.id)).one()
    assert api.as_(owner).delete(f"/v1/speakers-calls/{first.id}").status_code == 204
    assert create(api, owner, event).status_code == 201


def test_managers_and_admins_write_it_and_nobody_else(api: Api, people: People, owner: User) -> None:
    organizer, moderator, speaker = people.user(), people.user(), people.user()
    event = people.event(owner, organizer=organizer, moderator=moderator)
    people.speaker(event, speaker)
    for by, status in ((speaker, 403), (moderator, 403), (people.user(), 403), (organizer, 201)):
        assert create(api, by, event).status_code == status
    path = f"/v1/speakers-calls/{db.session.scalars(select(SpeakersCall.id)).one()}"
    id_ = path.rpartition("/")[2]
    for by, status in ((speaker, 403), (moderator, 403), (organizer, 200), (owner, 200), (people.admin(), 200)):
        assert api.as_(by).update(path, "speakers-call", id_, announcement=str(by.id)).status_code == status
    for by, status in ((speaker, 403), (moderator, 403), (owner, 204)):
        assert api.as_(by).delete(path).status_code == status


def test_the_hash_is_the_teams_and_the_servers(api: Api, people: People, owner: User) -> None:
    moderator = people.user()
    event = people.event(owner, moderator=moderator)
    made = call(event)
    own = made.hash
    for caller, shows in ((api, False), (api.as_(people.user()), False), (api.as_(moderator), True)):
        for path in (f"/v1/speakers-calls/{made.id}", f"/v1/events/{event.id}/speakers-call", "/v1/speakers-calls"):
            answer = caller.get(path)
            assert answer.status_code == 200
            assert (own in answer.text) == shows
            assert '"hash"' in answer.text or not shows
    answer = api.as_(owner).update(f"/v1/speakers-calls/{made.id}", "speakers-call", made.id, hash="mine")
    assert answer.json["data"]["attributes"]["hash"] == own


def test_a_private_call_is_the_teams_only(api: Api, people: People, owner: User, event: Event) -> None:
    made = call(event, privacy="private")
    speaker = people.user()
    people.speaker(event, speaker)
    for caller in (api, api.as_(speaker), api.as_(people.user())):
        assert caller.get(f"/v1/speakers-calls/{made.id}").status_code == 404
        assert caller.get(f"/v1/events/{event.id}/speakers-call").json["data"] is None
        assert caller.get("/v1/speakers-calls").json["meta"]["count"] == 0
        assert caller.get(f"/v1/events/{event.id}", include="speakers-call").json.get("included", []) == []
    for by in (owner, people.admin()):
        assert api.as_(by).get(f"/v1/speakers-calls/{made.id}").status_code == 200
        assert api.as_(by).get(f"/v1/events/{event.id}/speakers-call").json["data"]["id"] == str(made.id)
    api.as_(owner).update(f"/v1/speakers-calls/{made.id}", "speakers-call", made.id, privacy="public")
    assert api.get(f"/v1/speakers-calls/{made.id}").status_code == 200


def test_whether_there_is_a_private_call_is_the_teams_to_know(
    api: Api, people: People, owner: User, event: Event
) -> None:
    of_private = {"name": "privacy", "op": "eq", "val": "private"}
    queries = [
        {"include": "speakers-call"},
        {"filter": json.dumps([{"name": "speakers-call", "op": "has", "val": of_private}])},
        {"filter": json.dumps([{"not": {"name": "speakers-call", "op": "has", "val": of_private}}])},
        {"filter": json.dumps([{"name": "speakers-call.privacy", "op": "is", "val": None}])},
        {"sort": "speakers-call.starts-at"},
    ]
    stranger = api.as_(people.user())
    before = [caller.get("/v1/events", **query).text for caller in (api, stranger) for query in queries]
    call(event, privacy="private")
    assert before == [caller.get("/v1/events", **query).text for caller in (api, stranger) for query in queries]
    shown = [api.as_(owner).get("/v1/events", **query).json for query in queries[:2]]
    assert shown[0]["included"][0]["type"] == "speakers-call"
    assert shown[1]["meta"]["count"] == 1


def test_the_call_of_a_draft_is_the_teams_and_that_of_a_deleted_event_nobodys(
    api: Api, people: People, owner: User
) -> None:
    event = people.event(owner, state="draft")
    made = call(event)
    assert api.get(f"/v1/speakers-calls/{made.id}").status_code == 404
    assert api.as_(owner).get(f"/v1/speakers-calls/{made.id}").status_code == 200
    api.as_(owner).delete(f"/v1/events/{event.id}")
    for by in (owner, people.admin()):
        assert api.as_(by).get(f"/v1/speakers-calls/{made.id}").status_code == 404
        assert create(api, by, event).status_code == 422


def test_an_event_without_a_call_answers_null(api: Api, event: Event) -> None:
    answer = api.get(f"/v1/events/{event.id}/speakers-call")
    assert (answer.status_code, answer.json["data"]) == (200, None)
    assert api.get("/v1/events/987654/speakers-call").status_code == 404


def test_a_call_stays_with_its_event(api: Api, people: People, owner: User, event: Event) -> None:
    made, other = call(event), people.event(owner, "Another")
    related = {"event": {"data": {"type": "event", "id": str(other.id)}}}
    body = {"data": {"type": "speakers-call", "id": str(made.id), "relationships": related}}
    answer = api.as_(owner).patch(f"/v1/speakers-calls/{made.id}", body)
    assert answer.status_code == 422
    assert pointer_of(answer) == "/data/relationships/event/data"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("announcement", None),
        ("announcement", ""),
        ("announcement", " \n"),
        ("announcement", "x" * 20_001),
        ("announcement", "\x1b[31m"),
        ("announcement", 5),
        ("starts-at", None),
        ("starts-at", "tomorrow"),
        ("starts-at", "0000-01-01T00:00:00Z"),
        ("ends-at", "9999-12-31T23:59:59Z"),
        ("ends-at", "2030-11-21T11:59:59Z"),
        ("privacy", "secret"),
        ("privacy", None),
        ("privacy", ["public"]),
    ],
)
def test_a_value_that_cannot_be_is_422(api: Api, owner: User, event: Event, name: str, value: Any) -> None:
    answer = create(api, owner, event, **{name: value})
    assert answer.status_code == 422
    assert pointer_of(answer) == f"/data/attributes/{name}"
    made = create(api, owner, event)
    body = {"data": {"type": "speakers-call", "id": made.json["data"]["id"], "attributes": {name: value}}}
    changed = api.as_(owner).patch(made.headers["Location"], body)
    assert changed.status_code == 422
    assert pointer_of(changed) == f"/data/attributes/{name}"


def test_a_call_needs_an_event(api: Api, owner: User) -> None:
    attributes = {"announcement": "Come", "starts-at": NOON, "ends-at": ONE}
    answer = api.as_(owner).create("/v1/speakers-calls", "speakers-call", attributes)
    assert answer.status_code == 422
    for event in (None, ("event", 987654), ("user", owner.id)):
        answer = api.as_(owner).create("/v1/speakers-calls", "speakers-call", attributes, event=event)
        assert answer.status_code == 422
        assert pointer_of(answer).startswith("/data/relationships/event")


@pytest.mark.parametrize(("begins", "ends"), [(-2, -1), (1, 2)], ids=["it is over", "it has not begun"])
@pytest.mark.parametrize("privacy", ["public", "private"])
def test_while_a_call_is_not_open_only_the_team_proposes(
    api: Api, people: People, owner: User, begins: int, ends: int, privacy: str
) -> None:
    sam, moderator = people.user("sam@example.org"), people.user()
    event = people.event(owner, moderator=moderator)
    people.speaker(event, sam)
    made = call(event, begins, ends, privacy)

    def propose(by: User) -> Any:
        return api.as_(by).create("/v1/sessions", "session", {"title": "Knots"}, event=("event", event.id))

    refused = propose(sam)
    assert refused.status_code == 403
    assert "call for papers" in errors_of(refused)[0]["detail"]
    assert count(Session) == count(Mail) == 0
    for member in (owner, moderator, people.admin()):
        assert propose(member).status_code == 201
    _open(api, owner, made)
    assert propose(sam).status_code == 201


def test_who_spoke_before_the_call_closed_still_edits_and_withdraws(api: Api, people: People, owner: User) -> None:
    sam, event = people.user(), people.event(owner)
    session = Session(title="Knots", event=event, speakers=[people.speaker(event, sam)])
    db.session.add(session)
    call(event, -2, -1)
    path = f"/v1/sessions/{session.id}"
    assert api.as_(sam).update(path, "session", session.id, title="Better knots").status_code == 200
    assert api.as_(sam).update(path, "session", session.id, state="withdrawn").status_code == 200


def _open(api: Api, by: User, made: SpeakersCall) -> None:
    now = utc_now()
    times = {"starts_at": _text(now - timedelta(hours=1)), "ends_at": _text(now + timedelta(hours=1))}
    path = f"/v1/speakers-calls/{made.id}"
    assert api.as_(by).update(path, "speakers-call", made.id, **times).status_code == 200


def _text(moment: datetime) -> str:
    return moment.isoformat()
