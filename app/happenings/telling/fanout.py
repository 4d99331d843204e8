"""Telling many: within the caller's transaction as long as they are few, else in parts that any worker takes.

A part is a row with the ids of some thousands of users. Its worker tells them, deletes it and counts it in one
transaction: a worker that dies leaves the part to the next one, and nobody is told twice.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from sqlalchemy import Select, cast, func, insert, literal, select, text
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by
from sqlalchemy.types import BigInteger

from app.api.helpers.queued import remember_queued
from app.delivery.handover import FANOUT
from app.happenings.audience import LISTENERS, NAMED, Audience, find
from app.happenings.deciding.plan import Plan
from app.happenings.listening import LISTENING, listening
from app.happenings.telling.tell import tell
from app.models import Fanout, FanoutPart, Happening, User, db
from app.models.base import utc_now
from app.models.fanout import TELLING, TOLD, WAITING

log = logging.getLogger(__name__)

# People who are told in the caller's own transaction; of those who listen, their listens.
INLINE: Final = 500
# People in one part: enough that a statement pays, few enough that another's work is soon seen.
PART: Final = 10_000
# With more people left than this, a worker pauses after each part, for so many times as long as the part took.
POLITE: Final = 100_000
PAUSE: Final = 2.0
# The space of advisory locks that keep a recall and the telling of parts apart.
_LOCK: Final = 7_247_005

_TAKE: Final = text(
    """
    DELETE FROM fanout_parts WHERE id = (
        SELECT id FROM fanout_parts WHERE happening_id = :happening_id ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
    ) RETURNING user_ids
    """
)
# `done` is read after a wait for another worker's count: the one that comes last sees the sum.
_COUNT: Final = text(
    f"""
    UPDATE fanouts SET done = done + :done, notifications = notifications + :notifications, mails = mails + :mails,
        worked_at = now(), state = CASE WHEN done + :done >= recipients THEN '{TOLD}' ELSE state END,
        finished_at = CASE WHEN done + :done >= recipients THEN now() END
    WHERE happening_id = :happening_id
    RETURNING recipients - done
    """  # noqa: S608 - a constant of ours
)


def announce(happening: Happening, plan: Plan, named: Select[Any] | None = None) -> Fanout:
    """Tell a happening to the audience of its plan, with the caller's transaction or, if they are many, after it.

    Args:
        happening: added and flushed; the plan is kept with it.
        plan: what is decided for everybody.
        named: of a named audience the statement that finds the ids.
    """
    happening.plan = plan.to_json()
    audience = plan.audience
    people = find(audience, happening, named)
    ids = _few(audience, happening, people)
    fanout = Fanout(happening_id=happening.id)
    db.session.add(fanout)
    if ids is not None:
        told = tell(happening, plan, ids)
        fanout.state, fanout.finished_at = TOLD, utc_now()
        fanout.recipients = fanout.done = len(ids)
        fanout.notifications, fanout.mails = told.notifications, told.mails
        return fanout
    fanout.state, fanout.audience = WAITING, audience.to_json()
    db.session.flush()
    if audience.kind == NAMED:
        # Nobody else can find them: they are written down now.
        _divide(fanout, people)
    remember_queued(db.session(), FANOUT, (happening.id,))
    return fanout


def some_listening(happening: Happening) -> list[int] | None:
    """Users who follow a happening, whether or not they may see it; None if their listens are more than `INLINE`.

    It reads no further than that, however many follow its type or other events: this is asked at every change. Listens
    are counted, not users: of one who has several, those that are read may leave no room for somebody else's.
    """
    found = db.session.scalars(LISTENING, listening(happening, INLINE + 1)).all()
    return list(dict.fromkeys(found)) if len(found) <= INLINE else None


def _few(audience: Audience, happening: Happening, people: Select[Any]) -> list[int] | None:
    """The ids of the people in ascending order; None if they are many, or would have to be looked for among many."""
    if audience.kind == LISTENERS:
        some = some_listening(happening)
        if some is None:
            return None
        people = people.where(User.id.in_(some))
    ids = list(db.session.scalars(people.limit(INLINE + 1)))
    return ids if len(ids) <= INLINE else None


def named_ids(ids: Iterable[int]) -> Select[Any]:
    """The statement that finds users who were named one by one."""
    return select(func.unnest(cast(literal(list(ids), ARRAY(BigInteger)), ARRAY(BigInteger))).label("id"))


def work_on(happening_id: int, seconds: float, call: Callable[[int], None] | None = None) -> bool:
    """Tell part after part, each in a transaction of its own, for so many seconds; whether something is left.

    Args:
        happening_id: of what is told.
        seconds: how long at most; a part that was begun is told to its end.
        call: called by the first to come, if others may help, with how many of them find something to do.

    Raises:
        SQLAlchemyError: a part could not be told; it is still there.
    """
    end = time.monotonic() + seconds
    others = _begin(happening_id)
    if call and others:
        call(others)
    begun = time.monotonic()
    while left := _tell_part(happening_id):
        if time.monotonic() >= end:
            return True
        if left > POLITE:
            # The database is everybody's: whoever tells a million leaves room for those who read.
            time.sleep((time.monotonic() - begun) * PAUSE)
        begun = time.monotonic()
    return False


def lock_for_recall(happening_id: int) -> None:
    """Wait for the parts that are being told, and let no further one begin before the end of this transaction."""
    db.session.execute(select(func.pg_advisory_xact_lock(_LOCK, _key(happening_id))))


def _begin(happening_id: int) -> int:
    """Write the parts down, if nobody has done so; to the first who comes, how many others could help."""
    fanout = db.session.get(Fanout, happening_id, with_for_update=True, populate_existing=True)
    if fanout is not None and fanout.state == WAITING:
        plan = Plan.from_json(fanout.happening.plan or {})
        _divide(fanout, find(plan.audience, fanout.happening))
    others = 0
    if fanout is not None and fanout.worked_at is None:
        fanout.worked_at = utc_now()
        recipients = fanout.recipients or 0
        # Of more than these the database is left to others too; whoever has nothing to do joins with the next sweep.
        others = max(-(-recipients // PART) - 1, 0) if recipients <= POLITE else 0
    db.session.commit()
    return others


def _divide(fanout: Fanout, people: Select[Any]) -> None:
    """Write the ids of all into parts, with one statement; none of them passes through this process."""
    user_id = people.order_by(None).subquery().c[0]
    number = (func.row_number().over(order_by=user_id) - 1) // PART
    numbered = select(user_id.label("id"), number.label("part")).subquery()
    ids = func.array_agg(aggregate_order_by(numbered.c.id, numbered.c.id))
    parts = select(literal(fanout.happening_id), ids).group_by(numbered.c.part).order_by(numbered.c.part)
    db.session.execute(insert(FanoutPart).from_select(["happening_id", "user_ids"], parts))
    sizes = select(func.coalesce(func.sum(func.cardinality(FanoutPart.user_ids)), 0))
    fanout.recipients = db.session.scalar(sizes.where(FanoutPart.happening_id == fanout.happening_id))
    fanout.state = TELLING if fanout.recipients else TOLD
    fanout.finished_at = None if fanout.recipients else utc_now()


def _tell_part(happening_id: int) -> int | None:
    """Tell the people of one part; how many are left then, or None if there was no part that nobody else is at."""
    db.session.execute(select(func.pg_advisory_xact_lock_shared(_LOCK, _key(happening_id))))
    ids = db.session.scalar(_TAKE, {"happening_id": happening_id})
    if ids is None:
        db.session.rollback()
        return None
    happening = db.session.get_one(Happening, happening_id)
    told = tell(happening, Plan.from_json(happening.plan or {}), ids)
    counts = {"done": len(ids), "notifications": told.notifications, "mails": told.mails}
    left: int = db.session.scalar(_COUNT, {"happening_id": happening_id, **counts}) or 0
    db.session.commit()
    log.info("Told a part of happening %d: %d people.", happening_id, len(ids))
    return left


def _key(happening_id: int) -> int:
    """A lock's second number has 32 bits; two happenings that share one only wait for each other."""
    return happening_id % 2**31
