"""Speakers: everybody sees name and organisation, the rest is for the speaker and the event's team."""

from __future__ import annotations

from typing import Any

import pytest

from app.models import Speaker, User, db
from app.models.event import ROLES
from tests.conftest import People
from tests.support.api import Api
from tests.support.errors import errors_of, pointer_of
from tests.support.rows import count

PUBLIC = {"name", "organisation"}
PRIVATE = {"email", "country"}


@pytest.fixture
def owner(people: People) -> User:
    return people.user("owner@example.org")


def create(api: Api, by: User, event: Any, user: Any = ..., **attributes: Any) -> Any:
    related: dict[str, Any] = {"event": ("event", event.id)}
    if user is not ...:
        related["user"] = None if user is None else ("user", user.id)
    return api.as_(by).create("/v1/speakers", "speaker", {"name": "Ana", **attributes}, **related)


def test_any_user_enters_himself(api: Api, people: People, owner: User) -> None:
    sam, event = people.user(), people.event(owner)
    answer = create(api, sam, event, email="other@example.org", country="Norway")
    assert answer.status_code == 201
    item = answer.json["data"]
    assert set(item["attributes"]) == PUBLIC | PRIVATE
    assert item["relationships"]["user"]["data"] == {"type": "user", "id": str(sam.id)}
    assert item["relationships"]["event"]["data"] == {"type": "event", "id": str(event.id)}


def test_only_managers_enter_somebody_else(api: Api, people: People, owner: User) -> None:
    team = {role: people.user() for role in ROLES if role != "owner"}
    event, other = people.event(owner, **team), people.user()
    allowed = [owner, team["organizer"], people.admin()]
    for by in (owner, *team.values(), people.user(), allowed[-1]):
        answers = (create(api, by, event, other), create(api, by, event, None))
        assert [answer.status_code for answer in answers] == ([201, 201] if by in allowed else answers_of(by, team))


def answers_of(by: User, team: dict[str, User]) -> list[int]:
    """A stranger cannot even name another account: whether there is one is not his to know."""
    return [403, 403] if by in team.values() else [422, 403]


def test_an_event_that_does_not_exist_or_was_deleted_takes_no_speaker(api: Api, people: People, owner: User) -> None:
    event, sam = people.event(owner), people.user()
    api.as_(owner).delete(f"/v1/events/{event.id}")
    answer = create(api, sam, event)
    assert answer.status_code == 422
    assert pointer_of(answer) == "/data/relationships/event/data"
    missing = api.as_(sam).create("/v1/speakers", "speaker", {"name": "Ana"})
    assert missing.status_code == 422
    assert pointer_of(missing) == "/data/relationships/event"
    assert count(Speaker) == 0


@pytest.mark.parametrize(
    "path", ["/v1/speakers", "/v1/speakers/1", "/v1/events/1/speakers", "/v1/speakers?include=user"]
)
def test_who_sees_addresses(api: Api, people: People, owner: User, path: str) -> None:
    team = {role: people.user() for role in ROLES if role != "owner"}
    event, sam = people.event(owner, **team), people.user("sam@example.org")
    speaker = people.speaker(event, sam)
    assert (speaker.id, event.id) == (1, 1)
    elsewhere = people.user()
    people.event(elsewhere, "Another")
    for caller, sees in (
        (api, False),
        (api.as_(people.user()), False),
        (api.as_(elsewhere), False),
        (api.as_(sam), True),
        (api.as_(owner), True),
        (api.as_(people.admin()), True),
        *((api.as_(member), True) for member in team.values()),
    ):
        answer = caller.get(path)
        data = answer.json["data"]
        item = data[0] if isinstance(data, list) else data
        assert set(item["attributes"]) == (PUBLIC | PRIVATE if sees else PUBLIC)
        assert ("user" in item["relationships"]) == sees
        assert ("sam@example.org" in answer.text) == sees


def test_an_account_that_is_included_is_shown_to_its_owner_and_admins_alone(
    api: Api, people: People, owner: User
) -> None:
    sam = people.user("sam@example.org")
    people.speaker(people.event(owner), sam, email="public@example.org")
    for caller, shown in ((api, []), (owner, []), (sam, [str(sam.id)]), (people.admin(), [str(sam.id)])):
        mine = caller if isinstance(caller, Api) else api.as_(caller)
        answer = mine.get("/v1/speakers", include="user")
        assert [item["id"] for item in answer.json["included"]] == shown
        assert ("sam@example.org" in answer.text) == bool(shown)


def test_a_speaker_changes_and_removes_the_own_entry(api: Api, people: People, owner: User) -> None:
    sam, event = people.user(), people.event(owner)
    speaker = people.speaker(event, sam)
    mine, path = api.as_(sam), f"/v1/speakers/{speaker.id}"
    assert mine.update(path, "speaker", speaker.id, name="Sam").json["data"]["attributes"]["name"] == "Sam"
    assert mine.delete(path).status_code == 204
    assert mine.get(path).status_code == 404
    assert api.get(f"/v1/events/{event.id}/speakers").json["meta"]["count"] == 0


def test_a_speaker_moves_neither_to_another_event_nor_to_another_account(api: Api, people: People, owner: User) -> None:
    sam, kim, event, other = people.user(), people.user(), people.event(owner), people.event(owner, "Another")
    speaker = people.speaker(event, sam)

    def move(by: User, name: str, type_: str, id_: int) -> Any:
        related = {name: {"data": {"type": type_, "id": str(id_)}}}
        body = {"data": {"type": "speaker", "id": str(speaker.id), "relationships": related}}
        return api.as_(by).patch(f"/v1/speakers/{speaker.id}", body)

    assert move(sam, "event", "event", event.id).status_code == 200
    assert pointer_of(move(sam, "event", "event", other.id)) == "/data/relationships/event/data"
    assert move(sam, "user", "user", sam.id).status_code == 200
    assert move(sam, "user", "user", kim.id).status_code == 422
    assert move(kim, "user", "user", kim.id).status_code == 403
    assert move(sam, "user", "event", event.id).status_code == 422
    db.session.refresh(speaker)
    assert (speaker.event_id, speaker.user_id) == (event.id, sam.id)
    assert move(owner, "user", "user", kim.id).status_code == 200
    assert api.as_(sam).get(f"/v1/speakers/{speaker.id}").json["data"]["attributes"].keys() == PUBLIC


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", ""),
        ("name", "a\nb"),
        ("email", "a@example.org\nBcc: eve@example.org"),
        ("email", "a@example.org, b@example.org"),
        ("email", ""),
        ("country", "x" * 256),
        ("organisation", 5),
        ("is-featured", True),
    ],
)
def test_a_value_that_cannot_be_is_422_with_its_place(
    api: Api, people: People, owner: User, name: str, value: Any
) -> None:
    answer = create(api, people.user(), people.event(owner), **{name: value})
    assert answer.status_code == 422
    assert pointer_of(answer) == f"/data/attributes/{name}"


def test_speakers_of_a_draft_are_for_its_team_and_themselves(api: Api, people: People, owner: User) -> None:
    sam, event = people.user(), people.event(owner, state="draft")
    speaker = people.speaker(event, sam)
    for caller, status in ((api, 404), (api.as_(people.user()), 404), (api.as_(sam), 200), (api.as_(owner), 200)):
        answer = caller.get(f"/v1/speakers/{speaker.id}")
        assert answer.status_code == status
        if status == 404:
            errors_of(answer)
