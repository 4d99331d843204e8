"""The Celery task that sends SMS and chat messages; the sweep of the mails starts it for what was left behind."""

from __future__ import annotations

import logging
import time
from typing import Final

from celery import current_app as celery
from celery import shared_task
from flask import current_app
from sqlalchemy import Connection

from app.delivery.channels.drain import drain_messages
from app.delivery.channels.recovery import are_due, recover_messages
from app.delivery.handover import CHANNELS
from app.models import db

log = logging.getLogger(__name__)

# Seconds that one task sends for: short enough that a worker which is told to stop does so soon.
SECONDS: Final = 5.0


@shared_task(name=CHANNELS)
def send_messages(ids: list[int] | None = None) -> None:
    """Send these messages, as far as they are due; without ids whatever is due."""
    begun = time.monotonic()
    tally = drain_messages(db.engine, current_app.config["USHER"], ids, SECONDS)
    if tally:
        log.info("Channel messages: %s", dict(tally), extra={"task": CHANNELS})
    if ids is None and time.monotonic() - begun >= SECONDS:
        celery.send_task(CHANNELS, queue="usher", ignore_result=True)


def sweep_messages(connection: Connection, expires: float) -> None:
    """Take back what dead workers held, and start a task if anything is due.

    Args:
        connection: one in autocommit mode.
        expires: seconds after which the task is the next sweep's.
    """
    lost, _ = recover_messages(connection)
    if lost:
        log.warning("Workers ended before they wrote an outcome: of %d channel messages nobody knows.", lost)
    if are_due(connection):
        celery.send_task(CHANNELS, queue="usher", expires=expires, ignore_result=True)
