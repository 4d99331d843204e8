"""The Celery task that beat starts every minute."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Final

from celery import shared_task

from app.models.base import utc_now
from app.periodic.run import run_periodic

log = logging.getLogger(__name__)

# Seconds that one task works for: in the meantime its process sends no mails.
RUN_SECONDS: Final = 20.0


@shared_task(name="usher.periodic")  # type: ignore[untyped-decorator]  # Celery has no types
def periodic() -> None:
    """Send what is due by the clock."""
    outcomes = run_periodic(utc_now(), RUN_SECONDS)
    if outcomes:
        log.info("Sent by the clock: %s", dict(Counter(each.action for each in outcomes if each.error is None)))
