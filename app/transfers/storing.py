"""Storing what a file has: a draft of the importer's, in the caller's transaction, with few statements."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import Table, insert

from app.models import Base, Event, EventRole, User, db
from app.models.event import DRAFT, OWNER
from app.models.session import speakers_sessions
from app.transfers.content import EventContent, SessionContent, SpeakerContent

T = TypeVar("T")

# Rows of one INSERT, after which progress is told.
CHUNK: Final = 500
LINKS_CHUNK: Final = 5_000

_SPEAKERS: Final = Base.metadata.tables["speakers"]
_SESSIONS: Final = Base.metadata.tables["sessions"]


def store_event(content: EventContent, owner: User, advance: Callable[[int], None]) -> Event:
    """Add an event with its speakers and sessions; nobody is told, and nothing is committed.

    Args:
        content: what to store.
        owner: whose draft it becomes.
        advance: is told how many things more are stored.
    """
    event = Event(
        name=content.name,
        starts_at=content.starts_at,
        ends_at=content.ends_at,
        timezone=content.timezone,
        location_name=content.location_name,
        state=DRAFT,
        roles=[EventRole(user=owner, role=OWNER)],
    )
    db.session.add(event)
    db.session.flush()
    advance(1)
    speaker_ids = _insert(_SPEAKERS, [_speaker(each, event.id) for each in content.speakers], advance)
    session_ids = _insert(_SESSIONS, [_session(each, event.id) for each in content.sessions], advance)
    by_id = dict(zip((speaker.id for speaker in content.speakers), speaker_ids, strict=True))
    links = [
        {"session_id": session_id, "speaker_id": by_id[id_]}
        for session_id, session in zip(session_ids, content.sessions, strict=True)
        for id_ in session.speakers
    ]
    for some in _chunks(links, LINKS_CHUNK):
        db.session.execute(insert(speakers_sessions), some)
    return event


def _insert(table: Table, rows: Sequence[dict[str, Any]], advance: Callable[[int], None]) -> list[int]:
    """The ids of the new rows, in the order of `rows`."""
    ids: list[int] = []
    for some in _chunks(rows, CHUNK):
        statement = insert(table).returning(table.c.id, sort_by_parameter_order=True)
        ids += db.session.scalars(statement, some)
        advance(len(some))
    return ids


def _speaker(content: SpeakerContent, event_id: int) -> dict[str, Any]:
    return {
        "event_id": event_id,
        "name": content.name,
        "email": content.email,
        "organisation": content.organisation,
        "country": content.country,
    }


def _session(content: SessionContent, event_id: int) -> dict[str, Any]:
    return {
        "event_id": event_id,
        "title": content.title,
        "short_abstract": content.short_abstract,
        "starts_at": content.starts_at,
        "ends_at": content.ends_at,
        "state": content.state,
    }


def _chunks(rows: Sequence[T], size: int) -> Iterator[list[T]]:
    for start in range(0, len(rows), size):
        yield list(rows[start : start + size])
