"""Calendar files: what a calendar reads in them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from icalendar import Calendar

from app.api.helpers.calendar_files import event_calendar, session_calendar
from app.api.helpers.mail import AttachmentError
from app.models import Event, Session, db
from tests.conftest import People

NINE = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)


def make(people: People, **changes: Any) -> Session:
    event: Event = people.event(people.user())
    event.location_name = "Hall 1, Harbour; Lisbon"
    values = {
        "title": "Mail that arrives",
        "state": "accepted",
        "starts_at": NINE,
        "ends_at": NINE + timedelta(hours=1),
    }
    session = Session(event=event, **{**values, **changes})
    db.session.add(session)
    db.session.commit()
    return session


def entry(content: bytes | None) -> Any:
    assert content is not None
    calendar = Calendar.from_ical(content)
    assert (calendar["version"], calendar["method"]) == ("2.0", "PUBLISH")
    [found] = calendar.walk("VEVENT")
    return found


def test_a_session_is_an_entry_at_its_time_and_place(people: People) -> None:
    session = make(people)
    file = session_calendar(session)
    assert (file.name, file.is_essential) == ("session.ics", False)
    assert file.content_type == "text/calendar; method=PUBLISH; charset=utf-8"
    found = entry(file.content)
    assert (found["summary"], found["location"]) == ("Mail that arrives", "Hall 1, Harbour; Lisbon")
    assert (found["dtstart"].dt, found["dtend"].dt) == (NINE, NINE + timedelta(hours=1))
    assert found["status"] == "CONFIRMED"
    assert found["url"].endswith(f"/events/{session.event.identifier}/sessions/{session.id}")


def test_a_newer_file_takes_the_older_ones_place(people: People) -> None:
    session = make(people)
    first = entry(session_calendar(session).content)
    session.starts_at = NINE.replace(tzinfo=timezone(timedelta(hours=9)))
    session.state = "canceled"
    second = entry(session_calendar(session).content)
    assert first["uid"] == second["uid"]
    assert second["sequence"] >= first["sequence"]
    assert second["dtstart"].dt == datetime(2026, 11, 27, 0, 0, tzinfo=UTC)
    assert second["status"] == "CANCELLED"


def test_an_event_is_an_entry_too(people: People) -> None:
    event = make(people).event
    file = event_calendar(event)
    found = entry(file.content)
    assert (file.name, found["summary"]) == ("event.ics", event.name)
    assert found["dtstart"].dt == event.starts_at.replace(microsecond=0)


def test_a_session_without_a_time_has_no_file(people: People) -> None:
    session = make(people, starts_at=None, ends_at=None)
    assert session_calendar(session).problem == "session.ics: the session has no time yet."
    with pytest.raises(AttachmentError, match="no time yet"):
        session_calendar(session, essential=True)
    session.starts_at = NINE
    assert "dtend" not in entry(session_calendar(session).content)


def test_no_title_can_add_a_line(people: People) -> None:
    session = make(people, title=f"{'ü🎉' * 50}\u2028\r\nATTENDEE:mailto:eve@example.org\r\n")
    content = session_calendar(session).content
    assert content is not None
    assert "attendee" not in entry(content)
    lines = content.split(b"\r\n")
    assert not any(line.startswith(b"ATTENDEE") for line in lines)
    assert all(len(line) <= 75 for line in lines)
    assert b"\n" not in content.replace(b"\r\n", b"")


def test_the_first_and_the_last_year_can_be_written(people: People) -> None:
    for year in (1, 9999):
        found = entry(session_calendar(make(people, starts_at=NINE.replace(year=year), ends_at=None)).content)
        assert found["dtstart"].dt.year == year
