"""The Celery tasks: thin, since the work is in the modules beside."""

from __future__ import annotations

import logging
import time
from typing import Final

from celery import current_app as celery
from celery import shared_task
from flask import current_app
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.delivery.celery_app import SWEEP_INTERVAL
from app.delivery.channels.tasks import sweep_messages
from app.delivery.claims import BATCH
from app.delivery.inbound.record import join_pending
from app.delivery.recovery import give_up_late, recover_lost, try_doubtful_again
from app.delivery.retention import clean
from app.delivery.sender import drain
from app.delivery.services.shared_redis import shared_redis
from app.delivery.watch.heartbeat import SWEEP, SWEEPS, note
from app.models import db

log = logging.getLogger(__name__)

# Drains that one sweep starts at most: more than a host has processes only wait in the broker.
DRAINS_PER_SWEEP: Final = 8
# Seconds that one task sends for: short enough that a worker which is told to stop does so soon.
DRAIN_SECONDS: Final = 5.0
# The same while people are still to be told of something, or it is to be taken back from them: those tasks, which take
# turns with this one, work for as long.
SHORT_DRAIN_SECONDS: Final = 1.0
# Seconds that one retention task works for: in the meantime its process sends no mails.
RETENTION_SECONDS: Final = 5.0

# Just committed mails are on their way through the broker: leave them to their own hand-over for a moment.
COUNT_DUE: Final = text(
    """
    SELECT count(*) FROM (
        SELECT 1 FROM mails
        WHERE status IN ('scheduled', 'queued', 'deferred') AND lane IN (0, 1)
            AND next_attempt_at <= now() - make_interval(secs => :age)
        LIMIT :limit
    ) AS due
    """
)

_IS_TELLING: Final = text(
    """
    SELECT EXISTS (SELECT FROM fanouts WHERE state IN ('waiting', 'telling'))
        OR EXISTS (SELECT FROM fanouts WHERE state = 'recalled' AND finished_at IS NULL)
    """
)


@shared_task(name="usher.deliver")
def deliver(ids: list[int]) -> None:
    """Send these mails, as far as they are due and nobody else has them."""
    tally = drain(db.engine, current_app.config["USHER"], ids)
    if tally:
        log.info("Delivered %s", dict(tally), extra={"task": deliver.name, "mails": tally.total()})


@shared_task(name="usher.drain")
def drain_due() -> None:
    """Send whatever is due; what is left when the time is over is another task's, so that a worker can stop."""
    begun, seconds = time.monotonic(), _turn()
    tally = drain(db.engine, current_app.config["USHER"], seconds=seconds)
    if tally:
        log.info("Drained %s", dict(tally), extra={"task": drain_due.name, "mails": tally.total()})
    if time.monotonic() - begun >= seconds:
        celery.send_task("usher.drain", queue="usher", ignore_result=True)


def _turn() -> float:
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        return SHORT_DRAIN_SECONDS if connection.scalar(_IS_TELLING) else DRAIN_SECONDS


@shared_task(name="usher.sweep")
def sweep() -> None:
    """Take back what dead workers held, join early events, try again what is in doubt, start drains for what is due."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        lost = recover_lost(connection)
        # Before they are tried again: what a provider has told already settles a doubt.
        _join_early()
        again = try_doubtful_again(connection)
        limit = DRAINS_PER_SWEEP * BATCH
        age = 0.0 if lost.back or again else SWEEP_INTERVAL / 5
        due = connection.execute(COUNT_DUE, {"age": age, "limit": limit}).scalar_one()
        sweep_messages(connection, SWEEP_INTERVAL)
    if lost.doubtful or lost.back:
        log.warning(
            "Workers ended before their mails: %d mails go back into the queue, of %d nobody knows whether they left.",
            *(lost.back, lost.doubtful),
        )
    for _ in range(-(-due // BATCH)):
        celery.send_task("usher.drain", queue="usher", expires=SWEEP_INTERVAL, ignore_result=True)
    note(shared_redis(current_app.config["USHER"].redis_url), SWEEPS, SWEEP)


def _join_early() -> None:
    """Join events that came too early; if that fails, the next sweep's, since mails are not to wait for it."""
    try:
        with db.engine.begin() as connection:
            join_pending(connection)
    except SQLAlchemyError as error:
        log.warning("Early events were not joined: %s.", type(error).__name__)


@shared_task(name="usher.retention")
def retention() -> None:
    """Remove what is too old; what is left when the time is over is the next run's. Give up mails that are too late."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        given_up = give_up_late(connection)
    if given_up:
        log.warning("Given up, since no service could be asked for them until their time was over: %d mails.", given_up)
    removed = clean(db.engine, RETENTION_SECONDS)
    if removed:
        log.info("Removed since they were old: %s", dict(removed), extra={"task": retention.name})
