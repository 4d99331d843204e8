"""Writes down what comes back of mails: into their timelines, their statuses, and the suppression list.

Whatever the order in which events come, and however often, a mail ends in the same status: each event is written once
(`provider_event_id`), and a status only goes the ways of app/delivery/states.py. An event of a mail that nobody knows
yet, or whose own outcome is still on its way into the database, is kept with what it is about, and joined by the sweep.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, text
from sqlalchemy.dialects import postgresql

from app.delivery.inbound.consequences import Told, apply
from app.delivery.inbound.events import KINDS, MailEvent
from app.delivery.inbound.matching import SIGNED, lock_mails
from app.models import MailEvent as Entry
from app.models.mail import DEFERRED, QUEUED, SCHEDULED, SENDING

# A mail in one of these may have been taken all the same: what is told of it counts once its own outcome is written.
_NOT_OUT: Final = frozenset({SCHEDULED, QUEUED, SENDING, DEFERRED})
_ENTRY: Final = Entry.__table__
_INSERT: Final = (
    postgresql.insert(Entry)
    .on_conflict_do_nothing(
        index_elements=["provider", "provider_event_id"], index_where=text("provider_event_id IS NOT NULL")
    )
    .returning(_ENTRY.c.provider, _ENTRY.c.provider_event_id)
)
# An event is early by moments, or by the time that a mail in doubt waits: what is older is another system's.
_PENDING: Final = text(
    """
    SELECT id, time, event, provider, provider_event_id, provider_message_id, code, text, about
    FROM mail_events AS entry
    WHERE about IS NOT NULL AND time > now() - interval '3 days' AND EXISTS (
        SELECT FROM mails WHERE status <> ALL(:not_out) AND (
            id = coalesce(entry.mail_id, CAST(about ->> 'mail_id' AS bigint))
            OR provider_message_id = entry.provider_message_id
            OR message_id = about ->> 'message_id'))
    ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED
    """
)
# A timeline is in the order in which things took effect: this comes after what the mail was waited for.
_JOIN: Final = text(
    """
    UPDATE mail_events SET id = nextval(pg_get_serial_sequence('mail_events', 'id')),
        mail_id = coalesce(:mail_id, mail_id), text = :text, about = NULL
    WHERE id = :id
    """
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """How many events there were.

    Attributes:
        new: that were not known before.
        repeated: that were.
        unknown: whose mail is not known (yet); they are among the new ones if they were signed, else they are not kept.
        moved: mails that have another status now.
    """

    new: int = 0
    repeated: int = 0
    unknown: int = 0
    moved: int = 0


def record(connection: Connection, events: Sequence[MailEvent]) -> Recorded:
    """Write events down, each once, and do what follows from them; the caller commits."""
    mails = lock_mails(connection, events)
    # In the order in which it happened; and in the same for everybody, so that two who are told the same wait for each
    # other instead of for ever.
    in_order = sorted(events, key=lambda event: (event.at, KINDS.index(event.kind), event.provider_event_id))
    told = {(event.provider, event.provider_event_id): Told(event, mails.find(event)) for event in in_order}
    kept = {key: each for key, each in told.items() if _is_kept(each)}
    rows = [_row(each) for each in kept.values()]
    new = {(row[0], row[1]) for row in connection.execute(_INSERT, rows)} if rows else set()
    fresh = [each for key, each in kept.items() if key in new]
    moved = apply(connection, [each for each in fresh if not _is_pending(each)])
    dropped = len(told) - len(kept)
    unknown = dropped + sum(1 for each in fresh if each.mail is None)
    return Recorded(len(fresh), len(events) - len(fresh) - dropped, unknown, moved)


def join_pending(connection: Connection, limit: int = 1_000) -> int:
    """Join events with mails that are known by now, and do what follows; the caller commits. Returns how many."""
    entries = connection.execute(_PENDING, {"not_out": sorted(_NOT_OUT), "limit": limit}).all()
    events = {entry.id: _event(entry) for entry in entries}
    mails = lock_mails(connection, list(events.values()))
    told = {id_: Told(event, mails.find(event)) for id_, event in events.items()}
    # One that only seemed to be of a mail here is let go of: it is another installation's.
    ready = {id_: each for id_, each in told.items() if each.mail is None or not _is_pending(each)}
    for id_, each in ready.items():
        connection.execute(_JOIN, {"id": id_, "mail_id": each.mail.id if each.mail else None, "text": _text(each)})
    apply(connection, list(ready.values()))
    return len(ready)


def _is_kept(told: Told) -> bool:
    """Whether an event is worth a row though its mail is not known: not if it came by mail.

    Such a report names a Message-ID, which is in the table before the mail leaves; and anybody can write any number.
    """
    return told.mail is not None or told.event.provider in SIGNED


def _is_pending(told: Told) -> bool:
    return told.mail is None or (told.mail.status in _NOT_OUT and told.mail.is_to(told.event.recipient))


def _row(told: Told) -> dict[str, Any]:
    event = told.event
    return {
        "mail_id": told.mail.id if told.mail else None,
        "time": event.at,
        "event": event.kind,
        "provider": event.provider,
        "code": event.code,
        "text": _text(told),
        "provider_event_id": event.provider_event_id,
        "provider_message_id": event.provider_message_id,
        "raw": event.raw,
        "about": _about(event) if _is_pending(told) else None,
    }


def _text(told: Told) -> str | None:
    """The reason; an entry about a blind copy says so, since the mail's status does not follow it."""
    if told.mail is None or told.mail.is_to(told.event.recipient):
        return told.event.text or None
    return f"Blind copy to {told.event.recipient or 'somebody'}: {told.event.text}".rstrip(": ")


def _about(event: MailEvent) -> dict[str, Any]:
    """What the table of the timeline has no column for."""
    return {
        "recipient": event.recipient,
        "mail_id": event.mail_id,
        "message_id": event.message_id,
        "enhanced": event.enhanced,
        "is_permanent": event.is_permanent,
    }


def _event(entry: Any) -> MailEvent:
    """An event as it was told."""
    return MailEvent(
        kind=entry.event,
        at=entry.time,
        provider=entry.provider,
        provider_event_id=entry.provider_event_id,
        provider_message_id=entry.provider_message_id,
        code=entry.code,
        text=entry.text or "",
        **entry.about,
    )
