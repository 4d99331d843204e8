"""What a transaction changes in people's inboxes, noted while it runs; savepoints respected.

Whoever has to know of it (the answers kept in Redis, the open connections) is told after the commit, never before.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import inspect
from sqlalchemy.orm import Session, SessionTransaction

from app.api.helpers.queued import is_within
from app.models import Notification

_CHANGES: Final = "usher.inbox_changes"

# What happened to notifications: they are new; were marked read or unread; are gone from the inbox; or so many of these
# that whoever shows the inbox had better read it anew.
NEW, READ, REMOVED, RESYNC = "new", "read", "removed", "resync"


@dataclass(frozen=True)
class Change:
    """One change of some inboxes.

    Attributes:
        action: `NEW`, `READ`, `REMOVED` or `RESYNC`.
        user_ids: whose inboxes.
        notification_ids: which notifications; empty, they are those of `happening_id`, or all (`RESYNC`).
        happening_id: the happening that all these users were told of.
        savepoint: the one that it was noted in (None: outside of any).
    """

    action: str
    user_ids: tuple[int, ...]
    notification_ids: tuple[int, ...] = ()
    happening_id: int | None = None
    savepoint: SessionTransaction | None = None


def note_change(
    session: Session,
    action: str,
    user_ids: Iterable[int],
    notification_ids: Iterable[int] = (),
    happening_id: int | None = None,
) -> None:
    """Note a change that this transaction makes with a statement of its own; of objects see `note_objects`."""
    users = tuple(user_ids)
    if users:
        change = Change(action, users, tuple(notification_ids), happening_id, session.get_nested_transaction())
        session.info.setdefault(_CHANGES, []).append(change)


def note_objects(session: Session) -> None:
    """Note what a flush has written of notifications; called after each."""
    for row in session.new:
        if isinstance(row, Notification):
            note_change(session, NEW, (row.user_id,), (row.id,))
    for row in session.dirty:
        if isinstance(row, Notification):
            state = inspect(row)
            if state.attrs.deleted_at.history.has_changes():
                note_change(session, REMOVED, (row.user_id,), (row.id,))
            elif state.attrs.is_read.history.has_changes():
                note_change(session, READ, (row.user_id,), (row.id,))
    for row in session.deleted:
        if isinstance(row, Notification):
            note_change(session, REMOVED, (row.user_id,), (row.id,))


def noted_changes(session: Session) -> list[Change]:
    """What was noted so far."""
    changes: list[Change] = session.info.get(_CHANGES, [])
    return changes


def take_changes(session: Session) -> list[Change]:
    """What the transaction that was just committed has changed; asked a second time, nothing."""
    changes: list[Change] = session.info.pop(_CHANGES, [])
    return changes


def forget_changes(session: Session, savepoint: SessionTransaction | None = None) -> None:
    """Drop what a transaction, or only a savepoint and those within it, had changed: it was rolled back."""
    changes: list[Change] = session.info.pop(_CHANGES, [])
    if savepoint is not None:
        session.info[_CHANGES] = [each for each in changes if not is_within(each.savepoint, savepoint)]
