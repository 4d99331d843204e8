"""Claiming: a batch of due mails belongs to one worker, for as long as that worker shows that it lives.

A claim is a random name in the rows and a lease. `SKIP LOCKED` lets two workers claim side by side without waiting;
an outcome is only written under the claim's name, so a worker that lost its lease cannot overwrite its successor's.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self
from uuid import uuid4

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

# Seconds that a claim holds without a sign of life, and between two signs of life.
LEASE: Final = 20.0
RENEW_EVERY: Final = 5.0
# Mails in one claim: large enough that claiming costs little, small enough that a dead worker holds up few.
BATCH: Final = 100

# Materialized: in `id IN (SELECT … LIMIT …)` a planner that expects few rows may run the inner query again for each row
# of the outer one, and every run locks other rows, so that far more than the limit are taken.
_CLAIM = """
WITH due AS MATERIALIZED (
    SELECT id FROM mails
    WHERE status IN ('queued', 'deferred') AND next_attempt_at <= now() {only}
    ORDER BY next_attempt_at, id
    LIMIT :limit
    FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE mails SET status = 'sending', claim = :claim, lease_until = now() + make_interval(secs => :lease)
    FROM due WHERE mails.id = due.id
    RETURNING mails.*
), told AS (
    INSERT INTO mail_events (mail_id, event) SELECT id, 'sending' FROM taken
)
SELECT id, recipient, bcc, reply_to, action, subject, message, text, language, message_id, secret, attempts,
    time, EXISTS (SELECT FROM mail_attachments WHERE mail_id = taken.id) AS has_attachments
FROM taken
"""
CLAIM_DUE: Final = text(_CLAIM.format(only=""))
CLAIM_IDS: Final = text(_CLAIM.format(only="AND id = ANY(:ids)"))

RENEW: Final = text(
    "UPDATE mails SET lease_until = now() + make_interval(secs => :lease) WHERE claim = :claim AND status = 'sending'"
)

# A worker died with these in its hands. Its try counts, so that a mail that kills its worker does not do so for ever.
RECOVER: Final = text(
    """
    WITH lost AS MATERIALIZED (
        SELECT id FROM mails WHERE status = 'sending' AND lease_until < now()
        ORDER BY lease_until LIMIT :limit FOR UPDATE SKIP LOCKED
    ), back AS (
        UPDATE mails SET status = 'deferred', claim = NULL, lease_until = NULL, attempts = attempts + 1,
            next_attempt_at = now(), error_class = 'transient',
            last_error = 'The worker that was sending this mail ended before it wrote an outcome; it is tried again.'
        FROM lost WHERE mails.id = lost.id
        RETURNING mails.id, last_error
    )
    INSERT INTO mail_events (mail_id, event, text) SELECT id, 'deferred', last_error FROM back
    """
)


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
    has_attachments: bool = False
    language: str = "en"


def claim_batch(connection: Connection, ids: Sequence[int] | None = None) -> tuple[str, list[ClaimedMail]]:
    """Claim up to `BATCH` mails that are due: of these ids, or of all; oldest due first.

    Args:
        connection: one in autocommit mode.
        ids: only these; None for any.

    Returns:
        The claim's name and the mails (none if nothing is due).
    """
    claim = str(uuid4())
    parameters: dict[str, Any] = {"claim": claim, "lease": LEASE, "limit": BATCH}
    if ids is not None:
        parameters["ids"] = list(ids)
    rows = connection.execute(CLAIM_DUE if ids is None else CLAIM_IDS, parameters).all()
    # RETURNING keeps no order.
    return claim, sorted((_claimed(row) for row in rows), key=lambda mail: mail.id)


def recover_lost(connection: Connection, limit: int = 10_000) -> int:
    """Put mails of workers that died back into the queue, and return how many there were."""
    return connection.execute(RECOVER, {"limit": limit}).rowcount


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
        has_attachments=row.has_attachments,
        language=row.language,
    )


class Lease:
    """Keeps a claim alive, however long one server lets us wait.

    `holds` is by this process's own clock, and earlier than the database's: a process that was stopped and wakes up
    too late sees that it must not send.
    """

    def __init__(self, engine: Engine, claim: str) -> None:
        self.claim = claim
        self._engine = engine
        self._until = time.monotonic() + LEASE - RENEW_EVERY

    @property
    def holds(self) -> bool:
        """Whether the mails of the claim are surely still ours."""
        return time.monotonic() < self._until

    def __enter__(self) -> Self:
        _own_keeper().add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _own_keeper().remove(self)

    def renew(self) -> None:
        """Hold on for another while; with the database away `holds` ends by itself."""
        asked_at = time.monotonic()
        with suppress(OperationalError), self._engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(
                RENEW, {"claim": self.claim, "lease": LEASE}
            )
            self._until = asked_at + LEASE - RENEW_EVERY


class _Keeper:
    """One thread per process that renews its leases: starting one for each batch would cost more than most batches."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._leases: set[Lease] = set()
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None

    def add(self, lease: Lease) -> None:
        with self._change:
            self._leases.add(lease)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="leases", daemon=True)
                self._thread.start()
            self._change.notify()

    def remove(self, lease: Lease) -> None:
        with self._change:
            self._leases.discard(lease)

    def _run(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: bool(self._leases))
            time.sleep(RENEW_EVERY)
            with self._change:
                leases = list(self._leases)
            for lease in leases:
                lease.renew()


_keeper = _Keeper()


def _own_keeper() -> _Keeper:
    """A process that was forked has its parent's object, but not its thread."""
    global _keeper  # noqa: PLW0603 - one per process, made anew in a forked one
    if _keeper.pid != os.getpid():
        _keeper = _Keeper()
    return _keeper
