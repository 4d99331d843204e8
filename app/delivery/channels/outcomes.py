"""Writing what became of a message, with its entry of the timeline: one statement under the name of the claim."""

from __future__ import annotations

import logging
from typing import Any, Final

from sqlalchemy import Connection, text

from app.delivery.channels.claims import ClaimedMessage
from app.delivery.channels.send import Carrier, SendError
from app.delivery.retry import doubt_delay, next_delay
from app.models.channel import DEFERRED, FAILED, SENT, UNCERTAIN

log = logging.getLogger(__name__)

_SENT: Final = text(
    """
    WITH changed AS (
        UPDATE channel_messages SET status = 'sent', sent_at = now(), claim = NULL, lease_until = NULL,
            attempts = attempts + 1, service = :service, error_class = NULL, last_error = NULL
        WHERE id = :id AND claim = :claim
        RETURNING id
    )
    INSERT INTO channel_message_events (message_id, event, service) SELECT id, 'sent', :service FROM changed
    """
)
_NOT_SENT: Final = text(
    """
    WITH changed AS (
        UPDATE channel_messages SET status = :status, claim = NULL, lease_until = NULL,
            attempts = attempts + :tries, next_attempt_at = now() + make_interval(secs => :delay),
            service = coalesce(CAST(:service AS varchar), service), error_class = :kind, last_error = :said
        WHERE id = :id AND claim = :claim
        RETURNING id
    )
    INSERT INTO channel_message_events (message_id, event, service, text)
    SELECT id, CAST(:status AS varchar), :service, :said FROM changed
    """
)
_REROUTED: Final = text(
    "INSERT INTO channel_message_events (message_id, event, service, text) VALUES (:id, 'rerouted', :service, :said)"
)
WAKE: Final = text(
    "UPDATE channel_messages SET next_attempt_at = now() WHERE status = 'deferred' AND channel = :channel"
    " AND next_attempt_at > now() AND error_class IN ('configuration', 'connection')"
)


def write_sent(connection: Connection, message: ClaimedMessage, service: str) -> str:
    """A service has taken the message; return its new status."""
    values = {"id": message.id, "claim": message.claim, "service": service}
    return _check(connection.execute(_SENT, values).rowcount, message, SENT)


def write_error(
    connection: Connection, message: ClaimedMessage, carrier: Carrier, error: SendError, carriers: list[Carrier]
) -> str:
    """No service has taken the message, or nobody knows; return its new status.

    Args:
        connection: one in autocommit mode.
        message: the message.
        carrier: the service that was tried last.
        error: what it said.
        carriers: all services of the channel: one that has tries left may still be asked.
    """
    tries = message.attempts + 1
    delay = next_delay(error.kind, tries, error.retry_after)
    if error.maybe_accepted:
        status, delay = UNCERTAIN, doubt_delay(None, tries)
    elif delay is None or all(each.max_attempts <= tries for each in carriers):
        status, delay = FAILED, 0.0
    else:
        status = DEFERRED
    return _write(connection, message, error, {"status": status, "delay": delay, "service": carrier.name})


def write_waiting(connection: Connection, message: ClaimedMessage, error: SendError, delay: float) -> str:
    """The message was not tried, and waits: that is no try. Return its new status."""
    return _write(connection, message, error, {"status": DEFERRED, "delay": delay, "tries": 0})


def write_end(connection: Connection, message: ClaimedMessage, status: str, reason: str) -> str:
    """The message is not to leave (`SUPPRESSED`), or its time is over (`FAILED`); return its new status."""
    values = {"status": status, "tries": 0, "delay": 0.0, "service": None, "kind": None, "said": reason}
    return _check(connection.execute(_NOT_SENT, values | _key(message)).rowcount, message, status)


def write_rerouted(connection: Connection, message: ClaimedMessage, carrier: Carrier, error: SendError) -> None:
    """A service has failed, and the next is tried at once: an entry of the timeline, since the status stays."""
    connection.execute(_REROUTED, {"id": message.id, "service": carrier.name, "said": str(error)})


def wake(connection: Connection, channel: str) -> None:
    """Make the messages due that wait for better services: they have changed."""
    connection.execute(WAKE, {"channel": channel})


def _write(connection: Connection, message: ClaimedMessage, error: SendError, change: dict[str, Any]) -> str:
    values = {"tries": 1, "service": None, "kind": error.kind, "said": str(error)} | change
    return _check(connection.execute(_NOT_SENT, values | _key(message)).rowcount, message, change["status"])


def _key(message: ClaimedMessage) -> dict[str, int | str]:
    return {"id": message.id, "claim": message.claim}


def _check(rows: int, message: ClaimedMessage, status: str) -> str:
    """Say it in the log if an outcome came too late to be written."""
    if rows == 0:
        log.error(
            "Channel message %d was %s, but its claim had been lost: another worker may repeat it.", message.id, status
        )
    return status
