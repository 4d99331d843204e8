"""The Celery tasks of exports and imports: thin, since the work is in the modules beside."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Final

from celery import current_app as celery
from celery import shared_task
from sqlalchemy import text

from app.delivery.celery_app import TRANSFERS_INTERVAL
from app.delivery.handover import TRANSFER
from app.models import db
from app.models.transfer import KEPT
from app.transfers.work import run

log = logging.getLogger(__name__)

# Transfers that one sweep hands over at most: the others wait for a worker anyway.
AT_MOST: Final = 20

# What was just committed is on its way through the broker: left to its own hand-over for a moment. What another worker
# is at is handed over too, and left alone there: only the lock knows whether that worker lives.
_OPEN: Final = text(
    """
    SELECT id FROM transfers
    WHERE state = 'running' OR (state = 'queued' AND created_at <= now() - make_interval(secs => :age))
    ORDER BY id LIMIT :limit
    """
)
_FORGET: Final = text(
    """
    UPDATE transfers SET content = NULL
    WHERE content IS NOT NULL AND finished_at < now() - make_interval(secs => :kept)
    """
)


@shared_task(name=TRANSFER)
def transfer(ids: Iterable[int]) -> None:
    """Do these exports and imports, as far as nobody else is at them."""
    for id_ in ids:
        run(id_)


@shared_task(name="usher.transfers.sweep")
def sweep() -> None:
    """Hand over what the broker or a dead worker lost, and remove files that were kept long enough."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        ids = connection.execute(_OPEN, {"age": TRANSFERS_INTERVAL / 5, "limit": AT_MOST}).scalars().all()
        removed = connection.execute(_FORGET, {"kept": KEPT.total_seconds()}).rowcount
    if removed:
        log.info("%d files of exports were removed.", removed)
    for id_ in ids:
        celery.send_task(TRANSFER, args=[[id_]], queue="usher", expires=TRANSFERS_INTERVAL, ignore_result=True)
