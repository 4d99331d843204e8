"""Claiming: a batch of due mails belongs to one worker, for as long as that worker shows that it lives.

A claim is a random name in the rows and a lease. `SKIP LOCKED` lets two workers claim side by side without waiting;
an outcome is only written under the claim's name, so a worker that lost its lease cannot overwrite its successor's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import Connection, text

from app.delivery.lease import LEASE
from app.models.mail import TRANSACTIONAL

# Mails in one claim: large enough that claiming costs little, small enough that a dead worker holds up few.
BATCH: Final = 100

# Materialized: in `id IN (SELECT … LIMIT …)` a planner that expects few rows may run the inner query again for each row
# of the outer one, and every run locks other rows, so that far more than the limit are taken.
# One part for each lane, since an index gives the oldest of one lane at once, and the oldest of several only by sorting
# all. What somebody waits for goes first; what goes to thousands gets what is left of the batch.
_OF_ALL: Final = """
WITH transactional AS MATERIALIZED (
    SELECT id FROM mails
    WHERE status IN ('scheduled', 'queued', 'deferred') AND lane = 0 AND next_attempt_at <= now()
    ORDER BY next_attempt_at, id LIMIT :limit FOR UPDATE SKIP LOCKED
), bulk AS MATERIALIZED (
    SELECT id FROM mails
    WHERE status IN ('scheduled', 'queued', 'deferred') AND lane = 1 AND next_attempt_at <= now()
    ORDER BY next_attempt_at, id
    LIMIT CAST(:limit AS bigint) - (SELECT count(*) FROM transactional) FOR UPDATE SKIP LOCKED
), due AS MATERIALIZED (
    -- This limit takes nothing away, but the planner knows it. For one that is computed it supposes a tenth of all,
    -- and would then read all of the table to find these few.
    SELECT id FROM (SELECT id FROM transactional UNION ALL SELECT id FROM bulk) AS both_lanes LIMIT :limit
)"""
_OF_SOME: Final = """
WITH due AS MATERIALIZED (
    SELECT id FROM mails
    WHERE status IN ('scheduled', 'queued', 'deferred') AND id = ANY(:ids) AND next_attempt_at <= now()
    ORDER BY lane, next_attempt_at, id LIMIT :limit FOR UPDATE SKIP LOCKED
)"""
_TAKE: Final = """, taken AS (
    UPDATE mails SET status = 'sending', claim = :claim, lease_until = now() + make_interval(secs => :lease)
    FROM due WHERE mails.id = due.id
    RETURNING mails.*
), told AS (
    INSERT INTO mail_events (mail_id, event) SELECT id, 'sending' FROM taken
)
SELECT id, recipient, bcc, reply_to, action, subject, message, text, language, message_id, secret, lane, attempts,
    doubts, time, give_up_at, EXISTS (SELECT FROM mail_attachments WHERE mail_id = taken.id) AS has_attachments
FROM taken
"""
CLAIM_DUE: Final = text(_OF_ALL + _TAKE)
CLAIM_IDS: Final = text(_OF_SOME + _TAKE)


@dataclass(frozen=True, slots=True)
class ClaimedMail:
    """What a worker needs of a mail to send it; no ORM object, since hundreds pass in a second.

    `secret` is still encrypted.
    """

    id: int
    recipient: str
    bcc: tuple[str, ...]
    reply_to: tuple[str, ...]
    action: str
    subject: str
    message: str
    text: str
    message_id: str
    secret: str | None = field(repr=False)
    attempts: int
    time: datetime
    give_up_at: datetime
    lane: int = TRANSACTIONAL
    doubts: int = 0
    has_attachments: bool = False
    language: str = "en"


def claim_batch(
    connection: Connection, ids: Sequence[int] | None = None, limit: int | None = None, lease: float = LEASE
) -> tuple[str, list[ClaimedMail]]:
    """Claim mails that are due: the lane that somebody waits for first, and in each lane what is due the longest.

    Args:
        connection: one in autocommit mode.
        ids: only these; None for any.
        limit: how many at most; never more than `BATCH`.
        lease: seconds that the claim holds without a sign of life.

    Returns:
        The claim's name and the mails in the order in which they are to be sent (none if nothing is due). That order
        is what tells, if the worker dies, which one it had in its hands: see `app.delivery.recovery`.
    """
    claim = str(uuid4())
    parameters: dict[str, Any] = {"claim": claim, "lease": lease, "limit": min(limit or BATCH, BATCH)}
    if ids is not None:
        parameters["ids"] = list(ids)
    rows = connection.execute(CLAIM_DUE if ids is None else CLAIM_IDS, parameters).all()
    # RETURNING keeps no order.
    return claim, sorted((_claimed(row) for row in rows), key=lambda mail: (mail.lane, mail.id))


def _claimed(row: Any) -> ClaimedMail:
    return ClaimedMail(
        id=row.id,
        recipient=row.recipient,
        bcc=tuple(row.bcc),
        reply_to=tuple(row.reply_to),
        action=row.action,
        subject=row.subject,
        message=row.message,
        text=row.text,
        message_id=row.message_id,
        secret=row.secret,
        attempts=row.attempts,
        time=row.time,
        give_up_at=row.give_up_at,
        lane=row.lane,
        doubts=row.doubts,
        has_attachments=row.has_attachments,
        language=row.language,
    )
