"""Taking back what many were told: out of their inboxes, and the mails and messages that have not left.

The fan-out is stopped with the recall itself; the rest is done in chunks, each a transaction that also writes down how
far it came. A worker that dies leaves it to the next one. What was sent stays, and is counted.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import TextClause, delete, select, text

from app.api.helpers.queued import remember_queued
from app.delivery.desk.work import cancel
from app.delivery.handover import RECALL
from app.happenings.deciding.decision import NOTHING
from app.happenings.deciding.decision import RECALLED as BECAUSE_RECALLED
from app.happenings.telling.fanout import INLINE, lock_for_recall
from app.inbox.changes import REMOVED, note_change
from app.models import Fanout, FanoutPart, db
from app.models.base import utc_now
from app.models.fanout import RECALLED

log = logging.getLogger(__name__)

# Mails, messages and notifications in one chunk.
CHUNK: Final = 2000
# Seconds that a recall of many takes back for before it leaves the rest to a worker: he may have much else to do first,
# and in the meantime the mails would go on leaving.
AT_ONCE: Final = 2.0
# What is taken back, in this order: what could still leave comes first.
MAILS, HELD, TEXTS, NOTIFICATIONS, REST = "mails", "held", "texts", "notifications", "rest"
STEPS: Final = (MAILS, HELD, TEXTS, NOTIFICATIONS, REST)
_BY: Final = "the recall of the broadcast"

_MAILS: Final = text(
    """
    SELECT id, user_id FROM mails
    WHERE happening_id = :happening_id AND user_id > :after AND status IN ('scheduled', 'queued', 'deferred')
    ORDER BY user_id LIMIT :chunk
    """
)
# A row that is becoming a mail just now is left to whoever does so: he sees the recall, or we see the mail.
_HELD: Final = text(
    f"""
    WITH gone AS (
        DELETE FROM held_mails WHERE id IN (
            SELECT id FROM held_mails WHERE happening_id = :happening_id AND user_id > :after
            ORDER BY user_id LIMIT :chunk FOR UPDATE SKIP LOCKED
        ) RETURNING user_id
    ), told AS (
        UPDATE decisions SET outcome = '{NOTHING}', reason = '{BECAUSE_RECALLED}', due_at = NULL FROM gone
        WHERE decisions.happening_id = :happening_id AND decisions.user_id = gone.user_id AND channel = 'mail'
    )
    SELECT user_id FROM gone
    """  # noqa: S608 - constants of ours
)
_CANCEL_TEXTS: Final = """
    WITH chosen AS MATERIALIZED (
        SELECT id FROM channel_messages
        WHERE happening_id = :happening_id AND user_id {which} AND status IN ('queued', 'deferred')
        ORDER BY user_id LIMIT :chunk FOR UPDATE
    ), changed AS (
        UPDATE channel_messages SET status = 'cancelled' FROM chosen WHERE channel_messages.id = chosen.id
        RETURNING channel_messages.id, user_id
    ), told AS (
        INSERT INTO channel_message_events (message_id, event, text) SELECT id, 'cancelled', :said FROM changed
    )
    SELECT user_id FROM changed
"""
_TEXTS: Final = text(_CANCEL_TEXTS.format(which="> :after"))
_NOTIFICATIONS: Final = text(
    """
    WITH chosen AS MATERIALIZED (
        SELECT id FROM notifications
        WHERE happening_id = :happening_id AND user_id > :after AND deleted_at IS NULL
        ORDER BY user_id LIMIT :chunk FOR UPDATE
    )
    UPDATE notifications SET deleted_at = now() FROM chosen WHERE notifications.id = chosen.id
    RETURNING notifications.user_id
    """
)
# What went back into the queue in the meantime, since a worker died or a server had no time.
_REST_OF_MAILS: Final = text(
    """
    SELECT id FROM mails WHERE happening_id = :happening_id AND status IN ('scheduled', 'queued', 'deferred')
    LIMIT :chunk
    """
)
_REST_OF_TEXTS: Final = text(_CANCEL_TEXTS.format(which="IS NOT NULL"))
# In one look: what is being sent may come back as something that waits.
_IS_OPEN: Final = text(
    """
    SELECT EXISTS (
        SELECT FROM mails
        WHERE happening_id = :happening_id AND status IN ('scheduled', 'queued', 'deferred', 'sending')
    ) OR EXISTS (
        SELECT FROM channel_messages
        WHERE happening_id = :happening_id AND status IN ('queued', 'deferred', 'sending')
    )
    """
)


def recall(happening_id: int) -> None:
    """Take a happening back, in the caller's transaction: nobody is told of it any more once that is committed.

    What up to `INLINE` people were told is taken back with it; of more what can be in `AT_ONCE` seconds, and the rest
    by a worker after the commit.
    """
    lock_for_recall(happening_id)
    fanout = db.session.get(Fanout, happening_id, with_for_update=True, populate_existing=True)
    if fanout is None or fanout.state == RECALLED:
        return
    db.session.execute(delete(FanoutPart).where(FanoutPart.happening_id == happening_id))
    fanout.state, fanout.finished_at = RECALLED, None
    fanout.taken_back = _at(MAILS)
    end = None if fanout.done <= INLINE else time.monotonic() + AT_ONCE
    while (end is None or time.monotonic() < end) and take_back_chunk(fanout):
        pass
    if fanout.finished_at is None:
        remember_queued(db.session(), RECALL, (happening_id,))


def go_on(happening_id: int, seconds: float) -> bool:
    """Take back chunk after chunk, each in a transaction of its own, for so many seconds; whether something is left.

    What another worker is at, or what waits for the end of a mail that is being sent, is left to the next sweep.
    """
    end = time.monotonic() + seconds
    open_one = select(Fanout).where(
        Fanout.happening_id == happening_id, Fanout.state == RECALLED, Fanout.finished_at.is_(None)
    )
    while True:
        locked = open_one.with_for_update(skip_locked=True, of=Fanout).execution_options(populate_existing=True)
        fanout = db.session.scalar(locked)
        is_more = fanout is not None and take_back_chunk(fanout)
        is_over = fanout is not None and fanout.finished_at is not None
        db.session.commit()
        if is_over:
            log.info("Happening %d was taken back from all.", happening_id)
        if not is_more or time.monotonic() >= end:
            return is_more


def take_back_chunk(fanout: Fanout) -> bool:
    """The next chunk, in the caller's transaction, which has locked the row.

    False if there is no other, or none before a mail that is being sent has its outcome.
    """
    place = fanout.taken_back or _at(MAILS)
    step = place["step"]
    if step == REST:
        return _finish(fanout)
    last = _CHUNKS[step]({"happening_id": fanout.happening_id, "after": place["after"], "chunk": CHUNK})
    fanout.taken_back = _at(step, last) if last is not None else _at(STEPS[STEPS.index(step) + 1])
    db.session.flush()
    return True


def _at(step: str, after: int = 0) -> dict[str, Any]:
    return {"step": step, "after": after}


def _cancel_mails(values: dict[str, Any]) -> int | None:
    rows = db.session.execute(_MAILS, values).all()
    cancel(db.session.connection(), [row.id for row in rows], _BY)
    return rows[-1].user_id if rows else None


def _remove(statement: TextClause) -> Callable[[dict[str, Any]], int | None]:
    """A chunk of a statement that answers with the users whose rows it changed."""

    def chunk(values: dict[str, Any]) -> int | None:
        return max(db.session.scalars(statement, values), default=None)

    return chunk


def _cancel_texts(values: dict[str, Any]) -> int | None:
    return _remove(_TEXTS)({**values, "said": _SAID})


def _hide(values: dict[str, Any]) -> int | None:
    users = db.session.scalars(_NOTIFICATIONS, values).all()
    note_change(db.session(), REMOVED, users, happening_id=values["happening_id"])
    return max(users, default=None)


_SAID: Final = f"Cancelled by {_BY}."
_CHUNKS: Final[dict[str, Callable[[dict[str, Any]], int | None]]] = {
    MAILS: _cancel_mails,
    HELD: _remove(_HELD),
    TEXTS: _cancel_texts,
    NOTIFICATIONS: _hide,
}


def _finish(fanout: Fanout) -> bool:
    """Cancel what has come back to wait; it is over when nothing waits or is being sent."""
    values = {"happening_id": fanout.happening_id, "chunk": CHUNK}
    ids = db.session.scalars(_REST_OF_MAILS, values).all()
    cancel(db.session.connection(), ids, _BY)
    texts = db.session.scalars(_REST_OF_TEXTS, {**values, "said": _SAID}).all()
    if CHUNK in (len(ids), len(texts)):
        return True
    if not db.session.scalar(_IS_OPEN, values):
        fanout.finished_at, fanout.taken_back = utc_now(), None
        db.session.flush()
    return False
