"""Writing a file: an event with its speakers and sessions, as `reading` takes it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, Select, select

from app.models import Event, Session, Speaker
from app.models.session import speakers_sessions
from app.transfers.errors import TransferError
from app.transfers.progress import Progress
from app.transfers.times import write_time

VERSION: Final = 1
# Sessions whose speakers are read together, after which progress is told.
CHUNK: Final = 500


def write_event(connection: Connection, event_id: int, progress: Progress) -> bytes:
    """The file of an event: what was deleted is left out, the rest is in the order in which it was made.

    Times have the offset of the event's timezone. The addresses of speakers are in it.

    Args:
        connection: one whose transaction sees one state of the database (REPEATABLE READ).
        event_id: which event.
        progress: is told how many things more are done.

    Raises:
        TransferError: the event is deleted.
    """
    event = connection.execute(
        select(Event.__table__).where(Event.id == event_id, Event.deleted_at.is_(None))
    ).one_or_none()
    if event is None:
        raise TransferError("the event was deleted")
    zone = ZoneInfo(event.timezone)
    speakers, sessions = connection.execute(_speakers(event_id)).all(), connection.execute(_sessions(event_id)).all()
    progress.begin(1 + len(speakers) + len(sessions))
    ids = frozenset(each.id for each in speakers)
    document: dict[str, Any] = {
        "version": VERSION,
        "event": _event(event, zone),
        "speakers": [_speaker(each) for each in speakers],
        "sessions": [],
    }
    progress.advance(1 + len(speakers))
    for start in range(0, len(sessions), CHUNK):
        some = sessions[start : start + CHUNK]
        document["sessions"] += _sessions_of(connection, some, ids, zone)
        progress.advance(len(some))
    return json.dumps(document, ensure_ascii=False, indent=1).encode()


def _speakers(event_id: int) -> Select[Any]:
    table = Speaker.__table__.c
    return (
        select(table.id, table.name, table.email, table.organisation, table.country)
        .where(table.event_id == event_id, table.deleted_at.is_(None))
        .order_by(table.id)
    )


def _sessions(event_id: int) -> Select[Any]:
    table = Session.__table__.c
    return (
        select(table.id, table.title, table.short_abstract, table.starts_at, table.ends_at, table.state)
        .where(table.event_id == event_id, table.deleted_at.is_(None))
        .order_by(table.id)
    )


def _speakers_of(connection: Connection, sessions: Sequence[int]) -> dict[int, list[int]]:
    """The ids of each session's speakers, in order, also of deleted ones."""
    link = speakers_sessions.c
    rows = connection.execute(
        select(link.session_id, link.speaker_id)
        # By their ids: what the planner guesses of the tables joined may be far off for what was just imported.
        .where(link.session_id.in_(sessions))
        .order_by(link.session_id, link.speaker_id)
    )
    found: dict[int, list[int]] = {}
    for session_id, speaker_id in rows:
        found.setdefault(session_id, []).append(speaker_id)
    return found


def _sessions_of(
    connection: Connection, rows: Sequence[Row[Any]], speakers: frozenset[int], zone: ZoneInfo
) -> list[dict[str, Any]]:
    """The sessions with those of their speakers that are in the file."""
    speakers_of = _speakers_of(connection, [row.id for row in rows])
    return [_session(row, [str(id_) for id_ in speakers_of.get(row.id, ()) if id_ in speakers], zone) for row in rows]


def _event(row: Row[Any], zone: ZoneInfo) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "identifier": row.identifier,
        "name": row.name,
        "starts-at": write_time(row.starts_at, zone),
        "ends-at": write_time(row.ends_at, zone),
        "timezone": row.timezone,
        "location-name": row.location_name,
        "state": row.state,
    }


def _speaker(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "name": row.name,
        "email": row.email,
        "organisation": row.organisation,
        "country": row.country,
    }


def _session(row: Row[Any], speaker_ids: list[str], zone: ZoneInfo) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "title": row.title,
        "short-abstract": row.short_abstract,
        "starts-at": write_time(row.starts_at, zone),
        "ends-at": write_time(row.ends_at, zone),
        "state": row.state,
        "speaker-ids": speaker_ids,
    }
