"""Writing what became of a mail: one statement, one commit, under the name of the claim."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, bindparam, text

from app.delivery.claims import ClaimedMail
from app.delivery.retry import GIVE_UP_AFTER, next_delay
from app.delivery.transports.base import Receipt, TransportError

log = logging.getLogger(__name__)

# Each writes the row and the entry of the timeline in one statement: both are there, or neither.
_TOLD: Final = """
    WITH changed AS ({change} WHERE id = :id AND claim = :claim RETURNING id, status)
    INSERT INTO mail_events (mail_id, event, provider, code, text, provider_message_id)
    SELECT id, status, :provider, CAST(:code AS smallint), :text, :provider_message_id FROM changed
"""
SENT: Final = text(
    _TOLD.format(
        change="""
    UPDATE mails SET status = 'sent', sent_at = now(), claim = NULL, lease_until = NULL, attempts = attempts + 1,
        provider = :provider, provider_message_id = :provider_message_id, secret = NULL,
        error_class = NULL, last_error = :note"""
    )
)
DEFERRED: Final = text(
    _TOLD.format(
        change="""
    UPDATE mails SET status = 'deferred', claim = NULL, lease_until = NULL, attempts = attempts + :tries,
        next_attempt_at = now() + make_interval(secs => :delay), provider = :provider,
        error_class = :error_class, last_error = :text"""
    )
)
ENDED: Final = text(
    _TOLD.format(
        change="""
    UPDATE mails SET status = :status, claim = NULL, lease_until = NULL, attempts = attempts + :tries,
        provider = :provider, error_class = :error_class, last_error = :text,
        -- a failed mail may be tried again by hand; one that is not to leave needs its secret no more
        secret = CASE WHEN :status = 'failed' THEN secret END"""
    )
)
RELEASE: Final = text(
    """
    WITH changed AS (
        UPDATE mails SET status = 'deferred', claim = NULL, lease_until = NULL, next_attempt_at = now()
        WHERE claim = :claim AND id IN :ids
        RETURNING id
    )
    INSERT INTO mail_events (mail_id, event, text) SELECT id, 'deferred', 'It was not tried.' FROM changed
    """
).bindparams(bindparam("ids", expanding=True))
WAKE: Final = text(
    "UPDATE mails SET next_attempt_at = now() WHERE status = 'deferred' AND next_attempt_at > now()"
    " AND error_class IN ('configuration', 'connection')"
)


def write_sent(connection: Connection, claim: str, mail: ClaimedMail, receipt: Receipt) -> None:
    """The transport has taken the mail."""
    _write(
        connection.execute(
            SENT,
            {
                "id": mail.id,
                "claim": claim,
                "provider": receipt.provider,
                "provider_message_id": receipt.provider_message_id,
                "note": receipt.note,
                "code": None,
                "text": receipt.response or None,
            },
        ).rowcount,
        mail,
        "sent",
    )


def write_error(
    connection: Connection, claim: str, mail: ClaimedMail, error: TransportError, *, tried: bool = True
) -> str:
    """The transport could not send: the class of the error decides whether the mail waits or has failed.

    Args:
        connection: one in autocommit mode.
        claim: the claim's name.
        mail: the mail.
        error: what went wrong.
        tried: False if another mail met the error first (the server is away) and this one was not tried.

    Returns:
        The new status.
    """
    tries = 1 if tried else 0
    # A mail that was not tried waits as long as one that was tried once more.
    delay = next_delay(error.kind, mail.attempts + 1, getattr(error, "retry_after", None))
    # Wrong settings are the operator's to mend, so such a mail is kept; any other is given up after a day.
    too_old = error.kind != "configuration" and datetime.now(UTC) - mail.time > GIVE_UP_AFTER
    values = {
        "id": mail.id,
        "claim": claim,
        "tries": tries,
        "provider": error.provider,
        "provider_message_id": None,
        "error_class": error.kind,
        "code": error.code,
        "text": str(error),
    }
    if delay is None or too_old:
        status, statement = "failed", ENDED
        values["status"] = status
    else:
        status, statement = "deferred", DEFERRED
        values["delay"] = delay
    _write(connection.execute(statement, values).rowcount, mail, status)
    return status


def write_suppressed(connection: Connection, claim: str, mail: ClaimedMail, reason: str) -> None:
    """The mail is not to leave: it ends here, and says why."""
    values = {
        "id": mail.id,
        "claim": claim,
        "status": "suppressed",
        "tries": 0,
        "provider": None,
        "provider_message_id": None,
        "error_class": None,
        "code": None,
        "text": reason,
    }
    _write(connection.execute(ENDED, values).rowcount, mail, "suppressed")


def release(connection: Connection, claim: str, mails: Sequence[ClaimedMail]) -> None:
    """Give mails back that were not tried, so that they are due at once."""
    if mails:
        connection.execute(RELEASE, {"claim": claim, "ids": [mail.id for mail in mails]})


def wake(connection: Connection) -> int:
    """Make the mails due that wait for better settings or for a server: the settings have changed."""
    return connection.execute(WAKE).rowcount


def _write(rows: int, mail: ClaimedMail, status: str) -> None:
    if rows == 0:
        log.error("Mail %d was %s, but its claim had been lost: another worker may repeat it.", mail.id, status)
