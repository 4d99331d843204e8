"""Writing a file: an event with its speakers and sessions, as `reading` takes it."""

from __future__ import annotations

import json
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, Select, select

from app.models import Event, Session, Speaker
from app.models.session import speakers_sessions
from app.transfers.errors import TransferError
from app.transfers.progress import Progress
from app.transfers.times import write_time

VERSION: Final = 1


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
    speakers_of = _speakers_of(connection, event_id)
    document = {
        "version": VERSION,
        "event": _event(event, zone),
        "speakers": [_speaker(each) for each in speakers],
        "sessions": [_session(each, speakers_of.get(each.id, []), zone) for each in sessions],
    }
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


def _speakers_of(connection: Connection, event_id: int) -> dict[int, list[str]]:
    """The speakers' ids of each session, in order."""
    link = speakers_sessions.c
    rows = connection.execute(
        select(link.session_id, link.speaker_id)
        .join(Session, Session.id == link.session_id)
        .join(Speaker, Speaker.id == link.speaker_id)
        .where(Session.event_id == event_id, Speaker.event_id == event_id, Speaker.deleted_at.is_(None))
        .order_by(link.session_id, link.speaker_id)
    )
    found: dict[int, list[str]] = {}
    for session_id, speaker_id in rows:
        found.setdefault(session_id, []).append(str(speaker_id))
    return found


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
