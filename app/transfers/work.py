"""One worker's attempt at one transfer.

Three things make it happen once, whatever dies. An advisory lock, held by a transaction on a connection of its own,
lets one worker at a time work on a transfer; PostgreSQL ends it with the connection, so that a killed worker's transfer
can be taken up. The work is one transaction: the event or the file, the outcome and the messages are there together or
not at all. And the outcome is written only under the number of the attempt: a worker whose lock was lost (a broken
connection) commits nothing once another has begun.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from sqlalchemy import Update, select, text, update

from app.api.helpers.log import record_activity
from app.models import Event, EventRole, Transfer, User, db
from app.models.base import utc_now
from app.models.event import MANAGERS
from app.models.transfer import EXPORT, FAILED, RUNNING, SUCCEEDED
from app.transfers.errors import TransferError
from app.transfers.progress import Progress, begin_attempt
from app.transfers.reading import read_event
from app.transfers.storing import store_event
from app.transfers.telling import tell_exported, tell_failed, tell_imported
from app.transfers.writing import write_event

log = logging.getLogger(__name__)

MAX_ATTEMPTS: Final = 3

# Keepalives of a minute and a half: the lock of a host that is gone without a word does not outlive it for long.
_LOCK: Final = text(
    """
    SELECT pg_try_advisory_xact_lock(hashtextextended('usher.transfer.' || :id, 0)),
        set_config('tcp_keepalives_idle', '30', true), set_config('tcp_keepalives_interval', '15', true),
        set_config('tcp_keepalives_count', '4', true)
    """
)


class SupersededError(Exception):
    """Another attempt has begun: this one must leave nothing behind."""


def run(transfer_id: int) -> None:
    """Do a transfer, unless another worker is at it or it has ended.

    What is not the file's or the request's fault (the database is restarted, say) is raised, and leaves the transfer
    to the next sweep; after `MAX_ATTEMPTS` it fails.
    """
    engine = db.engine
    with engine.connect() as guard, engine.connect().execution_options(isolation_level="AUTOCOMMIT") as side:
        if not guard.execute(_LOCK, {"id": str(transfer_id)}).one()[0]:
            return
        progress = begin_attempt(side, transfer_id)
        if progress is None:
            return
        db.session.rollback()
        try:
            _attempt(progress)
        except SupersededError:
            log.warning("Transfer %d was taken up by another worker: this attempt is given up.", transfer_id)
        finally:
            db.session.rollback()


def _attempt(progress: Progress) -> None:
    """Do it, or fail with a reason.

    Raises:
        SupersededError: another attempt has begun meanwhile.
    """
    try:
        _do(progress)
    except TransferError as error:
        db.session.rollback()
        _fail(progress, str(error))


def _do(progress: Progress) -> None:
    if progress.attempt > MAX_ATTEMPTS:
        raise TransferError(f"it was tried {MAX_ATTEMPTS} times, and each time the server stopped before it was done")
    transfer = db.session.get_one(Transfer, progress.id)
    if transfer.user.deleted_at is not None:
        raise TransferError("the account that asked for it was removed")
    if transfer.kind == EXPORT:
        _export(transfer, progress)
    else:
        _import(transfer, progress)
    db.session.commit()


def _export(transfer: Transfer, progress: Progress) -> None:
    event = _exportable(transfer)
    with db.engine.connect() as connection:
        reader = connection.execution_options(isolation_level="REPEATABLE READ")
        content = write_event(reader, event.id, progress)
    _end(progress, SUCCEEDED, content=content, done=progress.total)
    record_activity("export_event", login_user=transfer.user, event_id=event.id)
    tell_exported(transfer, event)


def _import(transfer: Transfer, progress: Progress) -> None:
    stored = db.session.scalar(select(Transfer.content).where(Transfer.id == transfer.id))
    content = read_event(stored or b"")
    progress.begin(content.size)
    event = store_event(content, transfer.user, progress.advance)
    _end(progress, SUCCEEDED, content=None, done=progress.total, event_id=event.id)
    record_activity("import_event", login_user=transfer.user, event_id=event.id)
    tell_imported(transfer, event)


def _fail(progress: Progress, reason: str) -> None:
    """Write that it failed, and tell whoever asked."""
    log.info("Transfer %d failed: %s", progress.id, reason)
    _end(progress, FAILED, content=None, done=0, error=reason)
    tell_failed(db.session.get_one(Transfer, progress.id), reason)
    db.session.commit()


def _end(progress: Progress, state: str, **values: Any) -> None:
    """Write the outcome, as part of the transaction.

    Raises:
        SupersededError: the transfer is no longer this attempt's.
    """
    statement: Update = (
        update(Transfer)
        .where(Transfer.id == progress.id, Transfer.state == RUNNING, Transfer.attempts == progress.attempt)
        .values(state=state, finished_at=utc_now(), **values)
        .execution_options(synchronize_session=False)
    )
    if db.session.execute(statement).rowcount != 1:  # type: ignore[attr-defined]  # an UPDATE has it
        raise SupersededError


def _exportable(transfer: Transfer) -> Event:
    """The event, if the user may still export it.

    Raises:
        TransferError: the event was deleted, or the user is no longer one of its managers.
    """
    event, user = transfer.event, transfer.user
    if event is None or event.deleted_at is not None:
        raise TransferError("the event was deleted")
    if not (user.is_admin or _manages(user, event)):
        raise TransferError("only the event's owner and organizers may export it, and you are none of them any more")
    return event


def _manages(user: User, event: Event) -> bool:
    statement = select(EventRole.id).where(
        EventRole.user_id == user.id, EventRole.event_id == event.id, EventRole.role.in_(MANAGERS)
    )
    return db.session.scalar(statement.limit(1)) is not None
