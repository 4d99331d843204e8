"""The Celery tasks that tell many: thin, since the work is in the modules beside."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from celery import current_app as celery
from celery import shared_task
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.delivery.celery_app import SWEEP_INTERVAL
from app.delivery.handover import FANOUT, RECALL
from app.happenings.holding.held import release
from app.happenings.telling.fanout import work_on
from app.happenings.telling.recall import go_on
from app.models import db
from app.models.base import utc_now

log = logging.getLogger(__name__)

# Seconds after which one task tells no further part: an urgent mail waits little longer for its process.
FANOUT_SECONDS: Final = 1.0
# The same for taking back.
RECALL_SECONDS: Final = 1.0
# The same for mails that were held.
HELD_SECONDS: Final = 10.0
# Fan-outs that one sweep hands over at most.
AT_MOST: Final = 8
# Workers that are called at once to help the first one.
HELPERS: Final = 7
# Seconds that a call for help counts: it is for those who have nothing to do.
HELP_SECONDS: Final = 1.0

# Of those whose worker was not heard of for as long as a sweep's interval it is not known whether they have one.
_OPEN: Final = text(
    """
    SELECT happening_id, coalesce(worked_at, created_at) < now() - make_interval(secs => :interval) AS is_left
    FROM fanouts WHERE state IN ('waiting', 'telling') ORDER BY happening_id LIMIT :limit
    """
)
_RECALLED: Final = text(
    "SELECT happening_id FROM fanouts WHERE state = 'recalled' AND finished_at IS NULL "
    "ORDER BY happening_id LIMIT :limit"
)


@shared_task(name=FANOUT)
def fan_out(ids: Iterable[int]) -> None:
    """Tell of these happenings; what is left when the time is over is another task's."""
    _go_through(ids, lambda id_: work_on(id_, FANOUT_SECONDS, partial(_call_for_help, id_)), FANOUT)


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
            _hand_over(task, id_)


def _call_for_help(id_: int, others: int) -> None:
    for _ in range(min(others, HELPERS)):
        if not _hand_over(FANOUT, id_, HELP_SECONDS):
            return


def _hand_over(task: str, id_: int, expires: float | None = None) -> bool:
    """Hand it to a worker; False if the broker is away: then it is the next sweep that does so."""
    try:
        celery.send_task(task, args=[[id_]], queue="usher", expires=expires, retry=False, ignore_result=True)
    except (OperationalError, RedisError, OSError) as error:
        log.warning("The broker cannot be reached (%s): the next sweep hands over.", type(error).__name__)
        return False
    return True


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
    """Hand over what the broker or a dead worker lost; where a worker is at it, one that has nothing to do helps."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        open_ones = connection.execute(_OPEN, {"interval": SWEEP_INTERVAL, "limit": AT_MOST}).all()
        recalled = connection.execute(_RECALLED, {"limit": AT_MOST}).scalars().all()
    for id_, is_left in open_ones:
        _hand_over(FANOUT, id_, SWEEP_INTERVAL if is_left else HELP_SECONDS)
    for id_ in recalled:
        _hand_over(RECALL, id_, SWEEP_INTERVAL)
