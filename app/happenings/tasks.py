"""The Celery tasks that tell many: thin, since the work is in the modules beside."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Final

from celery import current_app as celery
from celery import shared_task
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.delivery.celery_app import SWEEP_INTERVAL
from app.delivery.handover import FANOUT, RECALL
from app.happenings.fanout import work_on
from app.happenings.held import release
from app.happenings.recall import go_on
from app.models import db
from app.models.base import utc_now

log = logging.getLogger(__name__)

# Seconds that one task tells for: short enough that its process also sends mails, and stops soon when it is told to.
FANOUT_SECONDS: Final = 5.0
# The same for taking back.
RECALL_SECONDS: Final = 5.0
# The same for mails that were held.
HELD_SECONDS: Final = 10.0
# Fan-outs that one sweep hands over at most; each is handed to one more worker.
AT_MOST: Final = 8

_OPEN: Final = text(
    "SELECT happening_id FROM fanouts WHERE state IN ('waiting', 'telling') ORDER BY happening_id LIMIT :limit"
)
_RECALLED: Final = text(
    "SELECT happening_id FROM fanouts WHERE state = 'recalled' AND finished_at IS NULL "
    "ORDER BY happening_id LIMIT :limit"
)


@shared_task(name=FANOUT)
def fan_out(ids: Iterable[int]) -> None:
    """Tell of these happenings; what is left when the time is over is another task's."""
    _go_through(ids, lambda id_: work_on(id_, FANOUT_SECONDS), FANOUT)


@shared_task(name=RECALL)
def take_back(ids: Iterable[int]) -> None:
    """Take these happenings back; what is left when the time is over is another task's."""
    _go_through(ids, lambda id_: go_on(id_, RECALL_SECONDS), RECALL)


def _go_through(ids: Iterable[int], work: Callable[[int], bool], task: str) -> None:
    """Work on each happening; one that the database refuses does not keep the others from it."""
    for id_ in ids:
        try:
            left = work(id_)
        except SQLAlchemyError as error:
            db.session.rollback()
            log.warning("%s of happening %d stopped (%s): the next sweep goes on.", task, id_, type(error).__name__)
            continue
        if left:
            celery.send_task(task, args=[[id_]], queue="usher", ignore_result=True)


@shared_task(name="usher.held")
def send_held() -> None:
    """Send digests, and mails whose notifications were not read in time; what is left is the next run's."""
    try:
        mails = sum(release(utc_now(), HELD_SECONDS))
    except SQLAlchemyError as error:
        db.session.rollback()
        log.warning("Mails that were held are held on (%s): the next run goes on.", type(error).__name__)
        return
    if mails:
        log.info("Sent what was held: %d mails.", mails, extra={"task": send_held.name, "mails": mails})


@shared_task(name="usher.fanout.sweep")
def sweep() -> None:
    """Hand over what the broker or a dead worker lost; where a worker is at it, another one helps."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        open_ones = {
            task: connection.execute(statement, {"limit": AT_MOST}).scalars().all()
            for task, statement in ((FANOUT, _OPEN), (RECALL, _RECALLED))
        }
    for task, ids in open_ones.items():
        for id_ in ids:
            celery.send_task(task, args=[[id_]], queue="usher", expires=SWEEP_INTERVAL, ignore_result=True)
