"""The outbox: what was queued in a transaction is handed to the workers after its commit, and only then.

The promise is the committed row, never the hand-over: if the broker is away, the sweep finds the row later.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.orm import Session, UOWTransaction, scoped_session

from app.api.helpers.log import forget_activities, write_activities
from app.api.helpers.notification import forget_happenings
from app.api.helpers.settings import forget_settings
from app.delivery.handover import DELIVER, TRANSFER, hand_over
from app.models import Mail, Transfer

_QUEUED: Final = "usher.queued"
# The tables whose new rows are work for the workers, each with its task.
_TASKS: Final[dict[type, str]] = {Mail: DELIVER, Transfer: TRANSFER}


def init_outbox(session: scoped_session[Any]) -> None:
    """Watch the transactions of the application's session."""
    factory = session.session_factory
    event.listen(factory, "after_flush", _remember)
    event.listen(factory, "before_commit", _before_commit)
    event.listen(factory, "after_commit", _after_commit)
    event.listen(factory, "after_soft_rollback", _after_rollback)


def _remember(session: Session, _context: UOWTransaction) -> None:
    for row in session.new:
        if type(row) in _TASKS:
            session.info.setdefault(_QUEUED, {}).setdefault(_TASKS[type(row)], []).append(row.id)


def _before_commit(session: Session) -> None:
    if not session.in_nested_transaction():
        write_activities(session)


def _after_commit(session: Session) -> None:
    if session.in_nested_transaction():
        return  # a savepoint was released: the promise is not made yet
    queued: dict[str, list[int]] = session.info.pop(_QUEUED, {})
    forget_settings()
    forget_happenings()
    for task, ids in queued.items():
        hand_over(ids, task)


def _after_rollback(session: Session, previous: Any) -> None:
    if previous.nested:
        # What it had queued is gone from the table: handing over those ids will find nothing.
        forget_activities(session, previous)
        forget_happenings()
        return
    forget_activities(session)
    session.info.pop(_QUEUED, None)
    forget_settings()
    forget_happenings()
