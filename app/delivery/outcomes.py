"""Writing what became of a mail: one statement, one commit, under the name of the claim.

Each statement writes the row and the entry of the timeline: both are there, or neither.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, bindparam, text

from app.delivery.claims import ClaimedMail
from app.delivery.prepared import Prepared
from app.delivery.retry import doubt_delay, next_delay
from app.delivery.transports.base import Receipt, TransportError
from app.logs_json import mail_fields
from app.models.mail import DEFERRED, FAILED, SUPPRESSED, UNCERTAIN

log = logging.getLogger(__name__)

SENT: Final = Prepared(
    "usher_sent",
    ("bigint", "uuid", "varchar", "text", "text", "text"),
    """
    WITH changed AS (
        UPDATE mails SET status = 'sent', sent_at = now(), claim = NULL, lease_until = NULL, attempts = attempts + 1,
            doubts = 0, provider = $3, provider_message_id = $4, secret = NULL, error_class = NULL, last_error = $5
        WHERE id = $1 AND claim = $2
        RETURNING id
    )
    INSERT INTO mail_events (mail_id, event, provider, provider_message_id, text)
    SELECT id, 'sent', $3, $4, $6 FROM changed
    """,
)
NOT_SENT: Final = Prepared(
    "usher_not_sent",
    ("bigint", "uuid", "varchar", "int", "float8", "int", "varchar", "varchar", "smallint", "text"),
    """
    WITH changed AS (
        UPDATE mails SET status = $3, claim = NULL, lease_until = NULL, attempts = attempts + $4,
            next_attempt_at = now() + make_interval(secs => $5), doubts = $6, provider = coalesce($7, provider),
            error_class = $8, last_error = $10,
            -- a failed mail may be tried again by hand; one that is not to leave needs its secret no more
            secret = CASE WHEN $3 <> 'suppressed' THEN secret END
        WHERE id = $1 AND claim = $2
        RETURNING id
    )
    INSERT INTO mail_events (mail_id, event, provider, code, text) SELECT id, $3, $7, $9, $10 FROM changed
    """,
)
RELEASE: Final = text(
    """
    WITH changed AS (
        UPDATE mails SET status = 'queued', claim = NULL, lease_until = NULL, next_attempt_at = now()
        WHERE claim = :claim AND id IN :ids
        RETURNING id
    )
    INSERT INTO mail_events (mail_id, event, text) SELECT id, 'queued', 'Given back: it was not begun.' FROM changed
    """
).bindparams(bindparam("ids", expanding=True))
REROUTED: Final = text(
    """
    INSERT INTO mail_events (mail_id, event, provider, code, text)
    VALUES (:mail_id, 'rerouted', :provider, :code, :text)
    """
)
WAKE: Final = text(
    "UPDATE mails SET next_attempt_at = now() WHERE status = 'deferred' AND next_attempt_at > now()"
    " AND error_class IN ('configuration', 'connection')"
)


def write_sent(connection: Connection, claim: str, mail: ClaimedMail, receipt: Receipt) -> None:
    """The transport has taken the mail."""
    check(SENT.run(connection, values_of_sent(claim, mail, receipt)), mail, "sent")


def values_of_sent(claim: str, mail: ClaimedMail, receipt: Receipt) -> tuple[int | str | None, ...]:
    """The parameters of `SENT`."""
    said = "; ".join(filter(None, (receipt.response, receipt.note))) or None
    return (mail.id, claim, receipt.provider, receipt.provider_message_id, receipt.note, said)


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
    if tried and error.maybe_accepted:
        doubts = mail.doubts + 1
        return _write_not_sent(
            connection, claim, mail, (UNCERTAIN, 1, doubt_delay(error.provider, doubts), doubts), error
        )
    status, delay = _when(mail, error)
    return _write_not_sent(connection, claim, mail, (status, int(tried), delay, 0 if tried else mail.doubts), error)


def _when(mail: ClaimedMail, error: TransportError) -> tuple[str, float]:
    """Whether the mail waits, and how many seconds. The last try is at the moment at which it is given up."""
    # A mail that was not tried waits as long as one that was tried once more.
    delay = next_delay(error.kind, mail.attempts + 1, getattr(error, "retry_after", None))
    if delay is None:
        return FAILED, 0.0
    left = (mail.give_up_at - datetime.now(UTC)).total_seconds()
    # Wrong settings are the operator's to mend, so such a mail is kept; any other is given up after a day.
    if error.kind == "configuration":
        return DEFERRED, delay
    return (DEFERRED, min(delay, left)) if left > 0 else (FAILED, 0.0)


def write_suppressed(connection: Connection, claim: str, mail: ClaimedMail, reason: str) -> None:
    """The mail is not to leave: it ends here, and says why."""
    values = (mail.id, claim, SUPPRESSED, 0, 0.0, mail.doubts, None, None, None, reason)
    check(NOT_SENT.run(connection, values), mail, SUPPRESSED)


def write_rerouted(connection: Connection, mail_id: int, error: TransportError) -> None:
    """A service has failed, and the next is tried at once: an entry of the timeline, since the status stays."""
    said = {"provider": error.service or error.provider, "code": error.code, "text": str(error)}
    connection.execute(REROUTED, {"mail_id": mail_id, **said})


def release(connection: Connection, claim: str, mails: Sequence[ClaimedMail]) -> None:
    """Give mails back that were not begun, so that they are due at once."""
    if mails:
        connection.execute(RELEASE, {"claim": claim, "ids": [mail.id for mail in mails]})


def wake(connection: Connection) -> int:
    """Make the mails due that wait for better settings or for a server: the settings have changed."""
    return connection.execute(WAKE).rowcount


def _write_not_sent(
    connection: Connection, claim: str, mail: ClaimedMail, change: tuple[str, int, float, int], error: TransportError
) -> str:
    values = (mail.id, claim, *change, error.service or error.provider, error.kind, error.code, str(error))
    check(NOT_SENT.run(connection, values), mail, change[0])
    return change[0]


def check(rows: int, mail: ClaimedMail, status: str) -> None:
    """Say it in the log if an outcome came too late to be written."""
    if rows == 0:
        fields = mail_fields(mail.id, mail.action, mail.attempts + 1, status=status)
        log.error(
            "Mail %d was %s, but its claim had been lost: another worker may repeat it.", mail.id, status, extra=fields
        )
