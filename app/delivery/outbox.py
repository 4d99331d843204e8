"""The outbox: what was queued in a transaction is handed to the workers after its commit, and only then.

The promise is the committed row, never the hand-over: if the broker is away, the sweep finds the row later.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any, Final

from celery import current_app as celery
from kombu.exceptions import OperationalError
from sqlalchemy import event
from sqlalchemy.orm import Session, UOWTransaction, scoped_session

from app.api.helpers.notification import forget_happenings
from app.api.helpers.settings import forget_settings
from app.models import Mail

log = logging.getLogger(__name__)

# Ids in one task: a task per mail costs more than the mail itself.
IDS_PER_TASK: Final = 100
# Seconds without further tries after the broker did not answer: requests must not wait for it one after the other.
BROKER_PAUSE: Final = 5.0

_QUEUED: Final = "usher.queued_mails"


class _Broker:
    """Whether it is worth talking to the broker, in this process."""

    away_until = 0.0


def init_outbox(session: scoped_session[Any]) -> None:
    """Watch the transactions of the application's session."""
    factory = session.session_factory
    event.listen(factory, "after_flush", _remember)
    event.listen(factory, "after_commit", _after_commit)
    event.listen(factory, "after_soft_rollback", _after_rollback)


def _remember(session: Session, _context: UOWTransaction) -> None:
    ids = [row.id for row in session.new if isinstance(row, Mail)]
    if ids:
        session.info.setdefault(_QUEUED, []).extend(ids)


def _after_commit(session: Session) -> None:
    if session.in_nested_transaction():
        return  # a savepoint was released: the promise is not made yet
    ids: list[int] = session.info.pop(_QUEUED, [])
    forget_settings()
    forget_happenings()
    hand_over(ids)


def _after_rollback(session: Session, previous: Any) -> None:
    if previous.nested:
        return  # what the savepoint had queued is gone from the table; handing over its id would find nothing
    session.info.pop(_QUEUED, None)
    forget_settings()
    forget_happenings()


def hand_over(ids: Sequence[int]) -> bool:
    """Tell the workers to send these mails now.

    Returns:
        False if the broker could not be reached: the sweep will hand them over.
    """
    if not ids:
        return True
    if time.monotonic() < _Broker.away_until:
        return False
    try:
        for start in range(0, len(ids), IDS_PER_TASK):
            chunk = list(ids[start : start + IDS_PER_TASK])
            celery.send_task("usher.deliver", args=[chunk], queue="usher", retry=False, ignore_result=True)
    except (OperationalError, OSError) as error:
        _Broker.away_until = time.monotonic() + BROKER_PAUSE
        log.warning(
            "The broker cannot be reached (%s): %d mails wait for the next sweep.", type(error).__name__, len(ids)
        )
        return False
    return True


def forget_outage() -> None:
    """Talk to the broker again at the next commit: an operator or a test knows that it is back."""
    _Broker.away_until = 0.0
