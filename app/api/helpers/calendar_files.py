"""Calendar files (RFC 5545) of events and sessions, to go with a mail: opened, they are entries in one's calendar."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from icalendar import Calendar
from icalendar import Event as Entry

from app.api.helpers.attachments import attachment
from app.api.helpers.queueing import sender_domain
from app.api.helpers.sending_errors import AttachmentError
from app.api.helpers.settings import make_frontend_url
from app.api.helpers.templates import one_line
from app.models import Event, MailAttachment, Session
from app.models.base import utc_now
from app.models.session import CANCELED, REJECTED, WITHDRAWN

# The method is also in the file, as RFC 5546 (3.2.1) wants it: for information, to be answered by nobody.
CONTENT_TYPE: Final = "text/calendar; method=PUBLISH; charset=utf-8"
_PRODUCT: Final = "-//Usher//Usher//EN"
_OFF: Final = (CANCELED, REJECTED, WITHDRAWN)


def event_calendar(event: Event, *, essential: bool = False) -> MailAttachment:
    """An event as a calendar file.

    Raises:
        AttachmentError: see `attachment`.
    """
    link = make_frontend_url(f"/events/{event.identifier}")

    def make() -> bytes:
        entry = _entry(f"event-{event.identifier}", event.name, event.starts_at, event.ends_at)
        return _file(entry, event.location_name, link)

    return attachment("event.ics", CONTENT_TYPE, make, essential=essential)


def session_calendar(session: Session, *, essential: bool = False) -> MailAttachment:
    """A session as a calendar file; another one of the same session takes the first one's place in a calendar.

    Raises:
        AttachmentError: the session has no time yet, and the file is essential; see `attachment`.
    """
    link = make_frontend_url(f"/events/{session.event.identifier}/sessions/{session.id}")

    def make() -> bytes:
        if session.starts_at is None:
            raise AttachmentError("session.ics: the session has no time yet.")
        entry = _entry(f"session-{session.id}", session.title, session.starts_at, session.ends_at)
        entry.add("status", "CANCELLED" if session.state in _OFF else "CONFIRMED")
        return _file(entry, session.event.location_name, link)

    return attachment("session.ics", CONTENT_TYPE, make, essential=essential)


def _entry(name: str, title: str, starts_at: datetime, ends_at: datetime | None) -> Entry:
    """What both have; the times are in UTC, so that no timezone needs to be described."""
    now = utc_now()
    entry = Entry()
    entry.add("uid", f"{name}@{sender_domain()}")
    entry.add("dtstamp", now)
    # The newest is the one that holds (RFC 5545, 3.8.7.4).
    entry.add("sequence", int(now.timestamp()))
    entry.add("summary", one_line(title))
    entry.add("dtstart", starts_at.astimezone(now.tzinfo))
    if ends_at is not None:
        entry.add("dtend", ends_at.astimezone(now.tzinfo))
    return entry


def _file(entry: Entry, place: str | None, link: str) -> bytes:
    if place:
        entry.add("location", one_line(place))
    entry.add("url", link)
    calendar = Calendar()
    calendar.add("prodid", _PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add_component(entry)
    content: bytes = calendar.to_ical()
    return content
