"""The time of a session: organizers and speakers are told of another one, once, on the clocks of the event."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from icalendar import Calendar
from sqlalchemy import select

from app.models import Event, Happening, Mail, Notification, Session, Speaker, User, db
from app.models.mail import SESSION_ACCEPT_REJECT, SESSION_SCHEDULE
from tests.conftest import People
from tests.support.api import Api
from tests.support.rows import count, mailed, notified

NINE, TEN = datetime(2030, 5, 1, 9, 0, tzinfo=UTC), datetime(2030, 5, 1, 10, 0, tzinfo=UTC)


@pytest.fixture
def owner(people: People) -> User:
    return people.user("owner@example.org")


@pytest.fixture
def sam(people: People) -> User:
    """The speaker."""
    return people.user("sam@example.org")


def make(event: Event, *speakers: Speaker, state: str = "accepted") -> Session:
    """A session at nine, made without telling anybody."""
    session = Session(title="Knots", state=state, event=event, speakers=list(speakers), starts_at=NINE, ends_at=TEN)
    db.session.add(session)
    db.session.commit()
    return session


def change(api: Api, by: User, session: Session, **attributes: Any) -> None:
    answer = api.as_(by).update(f"/v1/sessions/{session.id}", "session", session.id, **attributes)
    assert answer.status_code == 200, answer.text


def nobody_was_told() -> bool:
    return count(Notification) == count(Mail) == count(Happening) == 0


@pytest.mark.parametrize("state", ["pending", "accepted", "confirmed"])
@pytest.mark.triggers("mail:Session Schedule Change", "notif:Session Schedule Change")
def test_another_time_tells_organizers_and_speakers_once(
    api: Api, people: People, owner: User, sam: User, state: str
) -> None:
    coorganizer, moderator = people.user("coorganizer@example.org"), people.user("moderator@example.org")
    event = people.event(owner, coorganizer=coorganizer, moderator=moderator, organizer=owner)
    speakers = [
        people.speaker(event, sam),
        people.speaker(event, email="guest@example.org"),
        people.speaker(event, owner, email="OWNER@example.org"),
    ]
    people.speaker(event, email="not-in-this-session@example.org")
    change(api, owner, make(event, *speakers, state=state), starts_at="2030-05-01T09:30:00Z")
    told = ["coorganizer@example.org", "owner@example.org", "sam@example.org"]
    assert notified(SESSION_SCHEDULE) == told
    assert mailed(SESSION_SCHEDULE) == sorted([*told, "guest@example.org"])
    assert count(Mail) == 4
    happening = db.session.scalars(select(Happening)).one()
    assert happening.title == "The time of Knots has changed"
    assert happening.data is not None
    assert happening.data["event-id"] == str(event.id)


@pytest.mark.parametrize("state", ["rejected", "canceled", "withdrawn"])
def test_the_time_of_a_session_that_does_not_take_place_concerns_nobody(
    api: Api, people: People, owner: User, sam: User, state: str
) -> None:
    event = people.event(owner)
    session = make(event, people.speaker(event, sam), state=state)
    change(api, owner, session, starts_at="2030-05-01T09:30:00Z")
    change(api, owner, session, starts_at=None, ends_at=None)
    assert nobody_was_told()


def test_the_same_instant_written_otherwise_is_no_change(api: Api, people: People, owner: User, sam: User) -> None:
    event = people.event(owner)
    session = make(event, people.speaker(event, sam))
    for nine in ("2030-05-01T09:00:00Z", "2030-05-01T11:00:00+02:00", "2030-04-30t23:00:00.000000-10:00"):
        change(api, owner, session, starts_at=nine, ends_at="2030-05-01T10:00:00.0000001Z", title="Knots")
    change(api, owner, session, short_abstract="Better")
    assert nobody_was_told()


def test_a_decision_and_a_time_in_one_change_are_both_told(api: Api, people: People, owner: User, sam: User) -> None:
    event = people.event(owner)
    session = make(event, people.speaker(event, sam), state="pending")
    change(api, owner, session, state="accepted", starts_at="2030-05-01T08:00:00Z")
    assert mailed(SESSION_ACCEPT_REJECT) == notified(SESSION_ACCEPT_REJECT) == ["sam@example.org"]
    assert mailed(SESSION_SCHEDULE) == notified(SESSION_SCHEDULE) == ["owner@example.org", "sam@example.org"]


def test_a_rejection_with_a_time_is_told_as_a_rejection_only(api: Api, people: People, owner: User, sam: User) -> None:
    event = people.event(owner)
    change(api, owner, make(event, people.speaker(event, sam)), state="rejected", starts_at=None)
    assert mailed(SESSION_ACCEPT_REJECT) == ["sam@example.org"]
    assert mailed(SESSION_SCHEDULE) == notified(SESSION_SCHEDULE) == []


def test_a_time_that_is_taken_away_is_told_too(api: Api, people: People, owner: User) -> None:
    change(api, owner, make(people.event(owner)), starts_at=None, ends_at=None)
    assert "no time yet" in db.session.scalars(select(Mail)).one().text


def test_a_proposal_with_a_time_is_told_as_a_proposal_only(api: Api, people: People, owner: User) -> None:
    attributes = {"title": "Knots", "starts-at": "2030-05-01T09:00:00Z"}
    event = people.event(owner)
    assert api.as_(owner).create("/v1/sessions", "session", attributes, event=("event", event.id)).status_code == 201
    assert mailed(SESSION_SCHEDULE) == notified(SESSION_SCHEDULE) == []


def test_moving_the_event_or_its_clocks_tells_nobody(api: Api, people: People, owner: User, sam: User) -> None:
    event = people.event(owner)
    make(event, people.speaker(event, sam))
    times = {"starts_at": "2031-05-01T09:00:00Z", "ends_at": "2031-05-02T09:00:00Z", "timezone": "Asia/Tokyo"}
    answer = api.as_(owner).update(f"/v1/events/{event.id}", "event", event.id, **times)
    assert answer.status_code == 200
    assert nobody_was_told()


def test_server_7633_the_new_time_is_on_the_clocks_of_the_event_and_says_so(
    api: Api, people: People, owner: User, sam: User
) -> None:
    event = people.event(owner)
    event.timezone, sam.timezone = "Asia/Tokyo", "America/Lima"
    session = make(event, people.speaker(event, sam))
    change(api, owner, session, starts_at="2030-05-01T15:30:00Z", ends_at="2030-05-01T16:15:00Z")
    shown = "Thursday, May 2, 2030, 12:30\u202fAM \u2013 1:15\u202fAM (GMT+09:00)"
    mails = list(db.session.scalars(select(Mail)))
    assert len(mails) == 2
    for mail in mails:
        assert shown in mail.message
        assert shown in mail.text.replace("\n", " ")
    assert shown in db.session.scalars(select(Happening)).one().message


EDGES = ["0001-01-02T00:00:00Z", "1883-11-18T12:03:58Z", "9999-12-30T00:00:00Z", "2030-03-31T01:00:00Z"]


@pytest.mark.parametrize("timezone", ["UTC", "Pacific/Kiritimati", "America/New_York", "Etc/GMT+12", "Factory"])
@pytest.mark.parametrize("language", ["en", "de", "ar", "fa-IR", "th", "zh-Hant-TW"])
def test_no_time_zone_and_language_makes_a_time_that_cannot_be_told(
    api: Api, people: People, owner: User, timezone: str, language: str
) -> None:
    event = people.event(owner)
    event.timezone, owner.language = timezone, language
    session = make(event)
    for edge in EDGES:
        change(api, owner, session, starts_at=edge, ends_at="9999-12-30T00:00:00Z")
        change(api, owner, session, starts_at=edge, ends_at=edge)
    assert len(mailed(SESSION_SCHEDULE)) == 2 * len(EDGES) - 1


def test_people_who_were_removed_and_a_deleted_event_are_not_told(
    api: Api, people: People, owner: User, sam: User
) -> None:
    gone = people.user("gone@example.org")
    event = people.event(owner, organizer=gone)
    removed = people.speaker(event, email="removed@example.org")
    session = make(event, people.speaker(event, sam), removed)
    gone.deleted_at = removed.deleted_at = NINE
    db.session.commit()
    change(api, owner, session, starts_at="2030-05-01T08:00:00Z")
    assert mailed(SESSION_SCHEDULE) == notified(SESSION_SCHEDULE) == ["owner@example.org", "sam@example.org"]
    api.as_(owner).delete(f"/v1/events/{event.id}")
    for by in (owner, people.admin()):
        path = f"/v1/sessions/{session.id}"
        assert api.as_(by).update(path, "session", session.id, starts_at=None).status_code == 404
    assert len(mailed(SESSION_SCHEDULE)) == 2


def test_the_new_time_comes_as_a_calendar_file_too(api: Api, people: People, owner: User, sam: User) -> None:
    event = people.event(owner)
    session = make(event, people.speaker(event, sam))
    change(api, owner, session, starts_at="2030-05-01T11:00:00+02:00", ends_at="2030-05-01T12:30:00+02:00")
    for mail in db.session.scalars(select(Mail)):
        [file] = mail.attachments
        assert (file.name, file.content_type) == ("session.ics", "text/calendar; method=PUBLISH; charset=utf-8")
        [entry] = Calendar.from_ical(file.content or b"").walk("VEVENT")
        assert entry["dtstart"].dt == NINE
        assert entry["dtend"].dt == datetime(2030, 5, 1, 10, 30, tzinfo=UTC)
    # Without a time there is nothing to put into a calendar.
    change(api, owner, session, starts_at=None, ends_at=None)
    [newest, *_] = db.session.scalars(select(Mail).order_by(Mail.id.desc()))
    assert newest.attachments == []
