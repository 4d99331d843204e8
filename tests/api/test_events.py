"""Events: whoever makes one is its owner; drafts are the team's; deleted ones are nobody's."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from app.models import Event, EventRole, User, db
from app.models.event import ROLES
from tests.conftest import People
from tests.support.api import Api
from tests.support.errors import errors_of, pointer_of
from tests.support.rows import activities, count

NOON, ONE = "2026-11-21T12:00:00Z", "2026-11-21T13:00:00Z"


@pytest.fixture
def owner(people: People) -> User:
    return people.user("owner@example.org")


def create(api: Api, by: User, **more: Any) -> Any:
    attributes = {"name": "Harbour", "starts-at": NOON, "ends-at": ONE, **more}
    return api.as_(by).create("/v1/events", "event", attributes)


def names(api: Api) -> list[str]:
    return sorted(item["attributes"]["name"] for item in api.get("/v1/events").json["data"])


def test_a_verified_user_makes_a_draft_and_is_its_owner(api: Api, owner: User) -> None:
    answer = create(api, owner, **{"location-name": "Pier 7", "timezone": "Europe/Berlin"})
    assert answer.status_code == 201
    item = answer.json["data"]
    assert set(item["attributes"]) == {
        "identifier",
        "name",
        "starts-at",
        "ends-at",
        "timezone",
        "location-name",
        "state",
        "created-at",
    }
    assert item["attributes"]["state"] == "draft"
    assert item["attributes"]["starts-at"] == "2026-11-21T12:00:00.000000Z"
    assert answer.headers["Location"] == f"/v1/events/{item['id']}"
    role = db.session.scalars(select(EventRole)).one()
    assert (role.user_id, str(role.event_id), role.role) == (owner.id, item["id"], "owner")
    assert activities() == [f"Event {item['id']} created"]


def test_an_unverified_user_makes_none_and_is_told_what_to_do(api: Api, people: People) -> None:
    answer = create(api, people.user(verified=False))
    assert answer.status_code == 403
    assert "Confirm" in errors_of(answer)[0]["detail"]
    assert count(Event) == 0


def test_identifiers_are_the_servers(api: Api, owner: User) -> None:
    made = [create(api, owner, identifier="mine").json["data"]["attributes"]["identifier"] for _ in range(2)]
    assert "mine" not in made
    assert len(set(made)) == 2


def test_a_draft_is_seen_by_its_team_only_until_it_is_published(api: Api, people: People, owner: User) -> None:
    team = {role: people.user() for role in ROLES if role != "owner"}
    event = people.event(owner, state="draft", **team)
    assert names(api) == names(api.as_(people.user())) == []
    for member in (owner, *team.values(), people.admin()):
        assert names(api.as_(member)) == ["Harbour Conference"]
        assert api.as_(member).get(f"/v1/events/{event.id}").status_code == 200
    assert api.as_(owner).update(f"/v1/events/{event.id}", "event", event.id, state="published").status_code == 200
    assert names(api) == ["Harbour Conference"]


def test_owner_organizer_and_admin_change_it_the_rest_of_the_team_does_not(
    api: Api, people: People, owner: User
) -> None:
    team = {role: people.user() for role in ROLES if role != "owner"}
    event = people.event(owner, **team)
    for member, status in (
        (owner, 200),
        (team["organizer"], 200),
        (people.admin(), 200),
        (team["coorganizer"], 403),
        (team["track_organizer"], 403),
        (team["moderator"], 403),
        (people.user(), 403),
    ):
        answer = api.as_(member).update(f"/v1/events/{event.id}", "event", event.id, name="Changed")
        assert answer.status_code == status
        if status == 403:
            assert api.as_(member).delete(f"/v1/events/{event.id}").status_code == 403


def test_a_deleted_event_is_gone_with_all_that_is_below_it(api: Api, people: People, owner: User) -> None:
    event, kept = people.event(owner), people.event(owner, "Kept")
    speaker = people.speaker(event, people.user())
    assert api.as_(owner).delete(f"/v1/events/{event.id}").status_code == 204
    for caller in (api, api.as_(owner), api.as_(people.admin())):
        assert names(caller) == [kept.name]
        for path in (f"events/{event.id}", f"events/{event.id}/speakers", f"events/{event.id}/sessions"):
            assert caller.get(f"/v1/{path}").status_code == 404
        assert caller.get(f"/v1/speakers/{speaker.id}").status_code == 404
    assert api.as_(owner).delete(f"/v1/events/{event.id}").status_code == 404
    assert db.session.get(Event, event.id) is not None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", ""),
        ("name", " \t"),
        ("name", "a\r\nBcc: eve@example.org"),
        ("name", None),
        ("starts-at", None),
        ("starts-at", "2026-11-21"),
        ("starts-at", "2026-11-21T12:00:00"),
        ("starts-at", "2026-02-30T12:00:00Z"),
        ("ends-at", "2026-11-21T11:59:59Z"),
        ("ends-at", "2026-11-21T13:00:00+02:00"),
        ("ends-at", 1795262400),
        ("state", "deleted"),
        ("state", None),
        ("timezone", "Mars/Olympus"),
        ("location-name", "x" * 501),
        ("deleted-at", None),
        ("roles", []),
    ],
)
def test_a_value_that_cannot_be_is_422_with_its_place(
    api: Api, people: People, owner: User, name: str, value: Any
) -> None:
    answer = create(api, owner, **{name: value})
    assert answer.status_code == 422
    assert pointer_of(answer) == f"/data/attributes/{name}"
    assert count(Event) == 0
    event_id = create(api, owner).json["data"]["id"]
    body = {"data": {"type": "event", "id": event_id, "attributes": {name: value}}}
    assert api.as_(owner).patch(f"/v1/events/{event_id}", body).status_code == 422


def test_what_is_missing_is_named(api: Api, owner: User) -> None:
    answer = api.as_(owner).create("/v1/events", "event", {})
    pointers = {error["source"]["pointer"] for error in errors_of(answer)}
    assert pointers == {f"/data/attributes/{name}" for name in ("name", "starts-at", "ends-at")}


def test_times_are_kept_to_the_microsecond_in_utc(api: Api, owner: User) -> None:
    times = {"starts-at": "2026-11-21T12:00:00.123456+05:45", "ends-at": "2026-11-21T13:00:00-03:00"}
    shown = create(api, owner, **times).json["data"]["attributes"]
    assert shown["starts-at"] == "2026-11-21T06:15:00.123456Z"
    assert shown["ends-at"] == "2026-11-21T16:00:00.000000Z"


def test_events_are_listed_filtered_and_sorted(api: Api, people: People, owner: User) -> None:
    people.event(owner, "Alpha")
    beta = people.event(owner, "Beta")
    answer = api.get("/v1/events", filter='[{"name":"name","op":"eq","val":"Beta"}]')
    assert [item["id"] for item in answer.json["data"]] == [str(beta.id)]
    assert [item["attributes"]["name"] for item in api.get("/v1/events", sort="-name").json["data"]] == [
        "Beta",
        "Alpha",
    ]


LINKS_ONLY = """
/v1/events?include=speakers /v1/events?include=sessions /v1/sessions?include=event.speakers
/v1/users?include=notifications
"""


@pytest.mark.parametrize("path", LINKS_ONLY.split())
def test_what_may_be_any_number_of_rows_is_a_link_and_not_included(
    api: Api, people: People, owner: User, path: str
) -> None:
    people.speaker(people.event(owner))
    answer = api.as_(people.admin()).get(path)
    assert answer.status_code == 400
    assert errors_of(answer)[0]["source"] == {"parameter": "include"}
