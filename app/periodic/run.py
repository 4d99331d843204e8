"""One look at the clock: everything that is due is sent."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

from app.happenings.holding.digests import DIGEST_ACTION
from app.happenings.holding.held import release
from app.periodic.invoices import bill_last_month, follow_up
from app.periodic.orders import expire_orders
from app.periodic.reminders import remind_of_next, remind_of_past
from app.periodic.work import Outcome


def send_held(now: datetime) -> Iterator[Outcome]:
    """Digests, and mails whose notifications were not read in time, which beat also looks for on its own."""
    for mails in release(now):
        yield Outcome(DIGEST_ACTION, "mails that were held", mails)


STEPS: Final[tuple[Callable[[datetime], Iterator[Outcome]], ...]] = (
    expire_orders,
    remind_of_next,
    remind_of_past,
    bill_last_month,
    follow_up,
    send_held,
)


def run_periodic(now: datetime, seconds: float = math.inf) -> list[Outcome]:
    """Send what is due at a moment and was not sent before; safe to call at any time, by any number of processes.

    Args:
        now: the moment, with its time zone.
        seconds: nothing more is begun after this time; the next run goes on.

    Returns:
        What was sent, and what failed.

    Raises:
        SQLAlchemyError: the database cannot be read.
    """
    outcomes: list[Outcome] = []
    stop_at = time.monotonic() + seconds
    for step in STEPS:
        for outcome in step(now):
            outcomes.append(outcome)
            if time.monotonic() >= stop_at:
                return outcomes
    return outcomes
