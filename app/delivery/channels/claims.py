"""Claiming: one SMS or chat message at a time belongs to a worker, as mails do (see app/delivery/claims.py)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import Connection, text

from app.delivery.lease import LEASE

# One at a time: a service's answer takes so much longer than a claim that there is nothing to win by more, and of a
# worker that died only this one can be in doubt.
_CLAIM: Final = """
WITH due AS MATERIALIZED (
    SELECT id FROM channel_messages
    WHERE status IN ('queued', 'deferred') AND channel = :channel AND next_attempt_at <= now() {and_of}
    ORDER BY next_attempt_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE channel_messages SET status = 'sending', claim = :claim, lease_until = now() + make_interval(secs => :lease)
    FROM due WHERE channel_messages.id = due.id
    RETURNING channel_messages.*
), told AS (
    INSERT INTO channel_message_events (message_id, event) SELECT id, 'sending' FROM taken
)
SELECT id, channel, recipient, action, title, text, attempts, time FROM taken
"""
CLAIM_DUE: Final = text(_CLAIM.format(and_of=""))
CLAIM_IDS: Final = text(_CLAIM.format(and_of="AND id = ANY(:ids)"))
RENEW: Final = text(
    "UPDATE channel_messages SET lease_until = now() + make_interval(secs => :lease)"
    " WHERE claim = :claim AND status = 'sending'"
)


@dataclass(frozen=True, slots=True)
class ClaimedMessage:
    """What a worker needs of a message to send it."""

    id: int
    claim: str
    channel: str
    recipient: str
    action: str
    title: str
    text: str
    attempts: int
    time: datetime


def claim_message(
    connection: Connection, channel: str, ids: Sequence[int] | None = None, lease: float = LEASE
) -> ClaimedMessage | None:
    """Claim the message of a channel that has been due the longest; None if none is.

    Args:
        connection: one in autocommit mode.
        channel: `sms` or `chat`.
        ids: only one of these; None for any.
        lease: seconds that the claim holds without a sign of life.
    """
    claim = str(uuid4())
    values: dict[str, Any] = {"claim": claim, "channel": channel, "lease": lease}
    if ids is not None:
        values["ids"] = list(ids)
    row = connection.execute(CLAIM_DUE if ids is None else CLAIM_IDS, values).mappings().one_or_none()
    return None if row is None else ClaimedMessage(claim=claim, **row)
