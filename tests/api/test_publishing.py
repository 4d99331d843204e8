"""Publishing and deleting events: organizers and speakers are told once that an event shows, and then no more."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from app.api.helpers.event_messages import people_of
from app.models import Event, Happening, Mail, Notification, Session, Speaker, User, db
from app.models.base import utc_now
from app.models.mail import EVENT_PUBLISH
from tests.conftest import People
from tests.support.api import Api
from tests.support.rows import count, mailed, notified, statements

CROWD = 200


@pytest.fixture
def owner(people: People) -> User:
    return people.user("owner@example.org")


@pytest.fixture
def draft(people: People, owner: User) -> Event:
    team = {role: people.user(f"{role}@example.org") for role in ("organizer", "coorganizer")}
    silent = {role: people.user(f"{role}@example.org") for role in ("track_organizer", "moderator")}
    return people.event(owner, state="draft", **team, **silent)


TEAM = ["coorganizer@example.org", "organizer@example.org", "owner@example.org"]


def change(api: Api, by: User, event: Event, **attributes: Any) -> None:
    answer = api.as_(by).update(f"/v1/events/{event.id}", "event", event.id, **attributes)
    assert answer.status_code == 200, answer.text


def nobody_was_told() -> bool:
    return count(Notification) == count(Mail) == count(Happening) == 0


@pytest.mark.triggers("mail:Event Published", "notif:Event Published")
def test_publishing_tells_organizers_and_speakers_once(api: Api, people: People, owner: User, draft: Event) -> None:
    sam = people.user("sam@example.org")
    people.speaker(draft, sam)
    people.speaker(draft, email="SAM@example.org", name="Sam again")
    people.speaker(draft, email="guest@example.org")
    people.speaker(people.event(owner, "Another"), email="elsewhere@example.org")
    change(api, owner, draft, state="published")
    assert notified(EVENT_PUBLISH) == sorted([*TEAM, "sam@example.org"])
    assert mailed(EVENT_PUBLISH) == sorted([*TEAM, "guest@example.org", "sam@example.org"])
    happening = db.session.scalars(select(Happening)).one()
    assert happening.title == "Harbour Conference is published"
    assert str(happening.link).endswith(f"/events/{draft.identifier}")
    assert (happening.event_id, happening.actor_id) == (draft.id, owner.id)
    assert happening.data == {"event-id": str(draft.id)}
    assert all(str(happening.link) in mail.text for mail in db.session.scalars(select(Mail)))


def test_who_organizes_and_speaks_is_told_once(api: Api, people: People, owner: User) -> None:
    event = people.event(owner, state="draft", organizer=owner, coorganizer=owner)
    people.speaker(event, owner, email="Owner@Example.org")
    people.speaker(event, owner)
    change(api, owner, event, state="published")
    assert notified(EVENT_PUBLISH) == mailed(EVENT_PUBLISH) == ["owner@example.org"]


def test_each_is_told_in_the_own_language(api: Api, people: People, owner: User, draft: Event) -> None:
    sam = people.user("sam@example.org")
    sam.language = "de"
    db.session.commit()
    people.speaker(draft, email="Sam@example.org")
    change(api, owner, draft, state="published", name="Hafen")
    mails = {mail.recipient: mail for mail in db.session.scalars(select(Mail))}
    assert mails["owner@example.org"].subject == "Hafen is published"
    assert mails["owner@example.org"].language == "en"
    assert mails["Sam@example.org"].language == "de"
    assert "Hafen" in mails["Sam@example.org"].subject


def test_publishing_again_and_other_changes_tell_nobody(api: Api, people: People, owner: User) -> None:
    event = people.event(owner, state="published")
    people.speaker(event, people.user())
    changes: list[dict[str, Any]] = [
        {"state": "published"},
        {"name": "Quay Conference", "state": "published"},
        {"timezone": "Asia/Tokyo"},
        {"starts_at": "2030-05-01T09:00:00Z", "ends_at": "2030-05-02T09:00:00Z"},
        {"state": "draft"},
        {"name": "Harbour Conference"},
    ]
    for attributes in changes:
        change(api, owner, event, **attributes)
    assert nobody_was_told()


def test_an_event_that_is_made_as_published_tells_nobody(api: Api, owner: User) -> None:
    noon = "2030-05-01T12:00:00Z"
    attributes = {"name": "Harbour", "starts-at": noon, "ends-at": noon, "state": "published"}
    assert api.as_(owner).create("/v1/events", "event", attributes).status_code == 201
    assert nobody_was_told()


def test_a_change_that_is_refused_tells_nobody(api: Api, people: People, owner: User, draft: Event) -> None:
    wrong = {"state": "published", "ends_at": "2001-01-01T00:00:00Z"}
    answer = api.as_(owner).update(f"/v1/events/{draft.id}", "event", draft.id, **wrong)
    assert answer.status_code == 422
    moderator = people.user()
    answer = api.as_(moderator).update(f"/v1/events/{draft.id}", "event", draft.id, state="published")
    assert answer.status_code == 404
    assert nobody_was_told()


def test_people_and_speakers_who_were_removed_are_not_told(api: Api, people: People, owner: User) -> None:
    gone = people.user("gone@example.org")
    event = people.event(owner, state="draft", organizer=gone)
    removed = people.speaker(event, email="removed@example.org")
    gone.deleted_at = removed.deleted_at = utc_now()
    db.session.commit()
    change(api, owner, event, state="published")
    assert notified(EVENT_PUBLISH) == mailed(EVENT_PUBLISH) == ["owner@example.org"]


def test_deleting_tells_nobody_and_a_deleted_event_has_nobody_to_tell(
    api: Api, people: People, owner: User, draft: Event
) -> None:
    people.speaker(draft, people.user())
    assert all(people_of(draft))
    assert api.as_(owner).delete(f"/v1/events/{draft.id}").status_code == 204
    answer = api.as_(people.admin()).update(f"/v1/events/{draft.id}", "event", draft.id, state="published")
    assert answer.status_code == 404
    db.session.refresh(draft)
    assert people_of(draft) == ([], [])
    assert nobody_was_told()


def test_two_hundred_speakers_are_told_with_few_statements(api: Api, people: People, owner: User) -> None:
    few = _crowd(people, people.event(owner, state="draft"), 2)
    many = _crowd(people, people.event(owner, state="draft"), CROWD)
    caller, counted = api.as_(owner), []
    for event_id in (few, many):
        # Nothing is known from before, as in a request of its own.
        db.session.remove()
        with statements() as seen:
            answer = caller.update(f"/v1/events/{event_id}", "event", event_id, state="published")
        assert answer.status_code == 200, answer.text
        counted.append(len(seen))
    assert len(mailed(EVENT_PUBLISH)) == 2 + CROWD + 2
    # Rows go to the database by the thousand; what grows is only the number of those batches.
    assert counted[1] - counted[0] <= 2


def _crowd(people: People, event: Event, number: int) -> int:
    """Speakers with accounts, half of whom are known by their address and half entered themselves with another."""
    users = [people.make(f"s{number}-{each}@example.org") for each in range(number)]
    speakers = [
        Speaker(name="Ana", event=event, user=user, email=user.email if index % 2 else f"other-{user.email}")
        for index, user in enumerate(users)
    ]
    db.session.add_all([*speakers, Session(title="Knots", event=event, speakers=speakers)])
    db.session.commit()
    return event.id
