"""The outbox: what was queued in a transaction is handed to the workers after its commit, and only then.

The promise is the committed row, never the hand-over: if the broker is away, the sweep finds the row later.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.orm import Session, UOWTransaction, scoped_session

from app.api.helpers.log import forget_activities, write_activities
from app.api.helpers.queued import Queued, forget_queued, remember_queued, take_queued
from app.api.helpers.settings import forget_settings, get_config
from app.delivery.handover import CHANNELS, DELIVER, TRANSFER, ask_to_drain, hand_over
from app.happenings.current import forget_happenings
from app.happenings.deciding.obeying import forget_wishes
from app.inbox.changes import forget_changes, note_objects, take_changes
from app.inbox.versions import forget_versions, hold_versions, note_ended_logins, release_versions
from app.models import ChannelMessage, Mail, Transfer, db
from app.models.mail import BULK, SCHEDULED
from app.realtime.publisher import publish
from app.realtime.revocations import forget_ended_tokens, note_ended_tokens, take_ended_tokens

# The tables whose new rows are work for the workers, each with its task.
_TASKS: Final[dict[type, str]] = {Mail: DELIVER, Transfer: TRANSFER, ChannelMessage: CHANNELS}
# More bulk mails of one transaction are not handed over by their ids: the workers are asked to look for themselves.
_MAX_BULK_IDS: Final = 100


def init_outbox(session: scoped_session[Any]) -> None:
    """Watch the transactions of the application's session."""
    factory = session.session_factory
    for name, listener in (
        ("before_flush", _before_flush),
        ("after_flush", _remember),
        ("before_commit", _before_commit),
        ("after_commit", _after_commit),
        ("after_soft_rollback", _after_rollback),
    ):
        # A process may make several applications; the session is the same.
        if not event.contains(factory, name, listener):
            event.listen(factory, name, listener)


def _before_flush(session: Session, _context: UOWTransaction, _objects: Any) -> None:
    note_ended_tokens(session)


def _remember(session: Session, _context: UOWTransaction) -> None:
    for row in session.new:
        # One that is to leave later is the sweep's, when its time has come.
        if type(row) in _TASKS and not (isinstance(row, Mail) and row.status == SCHEDULED):
            is_bulk = isinstance(row, Mail) and row.lane == BULK
            remember_queued(session, _TASKS[type(row)], (row.id,), is_bulk=is_bulk)
    note_objects(session)
    note_ended_logins(session)


def _before_commit(session: Session) -> None:
    if not session.in_nested_transaction():
        write_activities(session)
        # What is still to be flushed may change inboxes, which the last step before the commit has to know.
        session.flush()
        hold_versions(session)


def _after_commit(session: Session) -> None:
    if session.in_nested_transaction():
        return  # a savepoint was released: the promise is not made yet
    release_versions(session)
    queued = take_queued(session)
    changes, ended = take_changes(session), take_ended_tokens(session)
    forget_settings()
    forget_happenings()
    forget_wishes()
    bulk = [id_ for entry in queued if entry.is_bulk for id_ in entry.ids]
    # What somebody waits for goes first.
    _hand_over(entry for entry in queued if not entry.is_bulk)
    if len(bulk) > _MAX_BULK_IDS:
        ask_to_drain()
    else:
        hand_over(bulk)
    if changes or ended:
        publish(db.engine, get_config().redis_url, changes, ended)


def _hand_over(queued: Iterable[Queued]) -> None:
    by_task: dict[str, list[int]] = {}
    for entry in queued:
        by_task.setdefault(entry.task, []).extend(entry.ids)
    for task, ids in by_task.items():
        hand_over(ids, task)


def _after_rollback(session: Session, previous: Any) -> None:
    savepoint = previous if previous.nested else None
    forget_activities(session, savepoint)
    forget_queued(session, savepoint)
    forget_changes(session, savepoint)
    forget_ended_tokens(session, savepoint)
    forget_happenings()
    forget_wishes()
    if savepoint is None:
        forget_versions(session)
        forget_settings()
