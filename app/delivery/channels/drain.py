"""The worker's loop for SMS and chat: claim a message, give it to the first service that takes it, write what came."""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import DBAPIError

from app.delivery.channels.claims import RENEW, ClaimedMessage, claim_message
from app.delivery.channels.outcomes import write_end, write_error, write_rerouted, write_sent, write_waiting
from app.delivery.channels.playpen import may_leave
from app.delivery.channels.send import Carrier, SendError, Words, send
from app.delivery.lease import Lease
from app.delivery.outage import is_lost, write_when_back
from app.delivery.retry import next_delay
from app.delivery.services.breaker import Breaker, Permit
from app.delivery.services.failover import counters
from app.models import ChannelService
from app.models.base import utc_now
from app.models.channel import FAILED, SUPPRESSED, TEXT_CHANNELS
from app.models.event_type import CHAT, SMS
from config import Config

log = logging.getLogger(__name__)

# A message that is older was for another day.
MAX_AGE: Final = timedelta(days=2)
# Characters that leave: what is announced to many may be longer than a service takes.
MAX_TITLE: Final = 100
MAX_TEXT: Final = {SMS: 1600, CHAT: 4000}
Way = tuple[Carrier, Permit]


@dataclass(frozen=True)
class _Desk:
    """What the sending of one message needs."""

    connection: Connection
    config: Config
    breaker: Breaker
    ids: Sequence[int] | None


def drain_messages(
    engine: Engine, config: Config, ids: Sequence[int] | None = None, seconds: float = 5.0
) -> Counter[str]:
    """Send what is due, the channels in turn, until nothing is, the time is over, or no service is there for it.

    Args:
        engine: the database; each outcome is committed by itself.
        config: the application's configuration.
        ids: only these messages; None for all that are due.
        seconds: no further message is begun after this time, so that a worker can be stopped.

    Returns:
        How many messages got which status.
    """
    tally: Counter[str] = Counter()
    stop_at = time.monotonic() + seconds
    channels = deque(TEXT_CHANNELS)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        desk = _Desk(connection, config, counters(config.redis_url).breaker, ids)
        while channels and time.monotonic() < stop_at:
            channel = channels.popleft()
            status = _send_next(desk, channel)
            if status is not None:
                tally[status] += 1
                channels.append(channel)
    return tally


def breaker_name(service: str) -> str:
    """What the circuit breakers call a service of these, so that none is one of mail's."""
    return f"channel:{service}"


def read_carriers(connection: Connection, channel: str) -> list[Carrier]:
    """The enabled services of a channel, in the order in which they are tried: that of their ids."""
    rows = connection.execute(
        select(ChannelService.id, ChannelService.name, ChannelService.url, ChannelService.max_attempts)
        .where(ChannelService.channel == channel, ChannelService.is_enabled)
        .order_by(ChannelService.id)
    )
    return [Carrier(row.id, row.name, row.url, row.max_attempts) for row in rows]


def _send_next(desk: _Desk, channel: str) -> str | None:
    """Send the next message of a channel; None if there is none, or no service that could be asked."""
    carriers = read_carriers(desk.connection, channel)
    ways = _ways(carriers, desk.breaker)
    first = next(ways, None)
    if carriers and first is None:
        return None  # what waits for a service is not claimed; the next sweep asks again
    message = claim_message(desk.connection, channel, desk.ids, desk.config.mail_lease_seconds)
    try:
        if message is None:
            return None
        with Lease(desk.connection.engine, message.claim, desk.config.mail_lease_seconds, RENEW) as lease:
            return _why_not(desk, message, carriers) or _try(desk, message, carriers, _with_first(first, ways), lease)
    finally:
        if first is not None:
            first[1].unused()


def _ways(carriers: Sequence[Carrier], breaker: Breaker) -> Iterator[Way]:
    """The services that may be asked now, each as soon as it is wanted."""
    for carrier in carriers:
        permit = breaker.allow(breaker_name(carrier.name))
        if permit is not None:
            yield carrier, permit


def _with_first(first: Way | None, rest: Iterator[Way]) -> Iterator[Way]:
    if first is not None:
        yield first
        yield from rest


def _why_not(desk: _Desk, message: ClaimedMessage, carriers: Sequence[Carrier]) -> str | None:
    """End a message that is not to leave, and return its status; None for one that is."""
    if not carriers:
        status, reason = SUPPRESSED, f"No service for {message.channel} is enabled."
    elif not may_leave(message.recipient, desk.config):
        reason = (
            f"{desk.config.environment} is not production, and MAIL_ALLOWED_RECIPIENTS does not have the recipient."
        )
        status = SUPPRESSED
    elif utc_now() - message.time > MAX_AGE:
        status, reason = FAILED, f"It is more than {MAX_AGE.days} days old."
    else:
        return None
    return write_end(desk.connection, message, status, reason)


def _try(desk: _Desk, message: ClaimedMessage, carriers: list[Carrier], ways: Iterator[Way], lease: Lease) -> str:
    """Give the message to one service after the other, until one takes it or none is left; return its status."""
    words = Words(message.recipient, _cut(message.title, MAX_TITLE), _cut(message.text, MAX_TEXT[message.channel]))
    failed: tuple[Carrier, SendError] | None = None
    for carrier, permit in ways:
        if message.attempts >= carrier.max_attempts:
            permit.unused()
            continue
        if not lease.holds:
            permit.unused()
            log.error("The lease on channel message %d ran out: it is left to others.", message.id)
            return "lost"
        if failed is not None:
            write_rerouted(desk.connection, message, *failed)
        try:
            send(carrier, words, allow_private=desk.config.allow_private_hosts)
        except SendError as error:
            permit.failed(error.kind, error.code)
            failed = carrier, error
            _log(message, carrier, error)
            if not error.is_of_the_service:
                break
        else:
            permit.succeeded()
            return _write_sent(desk, message, carrier.name, lease)
    if failed is None:
        return _wait(desk, message, carriers)
    return write_error(desk.connection, message, *failed, carriers)


def _wait(desk: _Desk, message: ClaimedMessage, carriers: Sequence[Carrier]) -> str:
    """None of the services that may be asked has a try left for this message."""
    if all(carrier.max_attempts <= message.attempts for carrier in carriers):
        return write_end(desk.connection, message, FAILED, f"It was tried {message.attempts} times.")
    error = SendError("connection", "The services that have a try left for it do not answer at present.")
    return write_waiting(desk.connection, message, error, next_delay(error.kind, message.attempts + 1) or 0.0)


def _write_sent(desk: _Desk, message: ClaimedMessage, service: str, lease: Lease) -> str:
    """Write that it was sent, if need be when the database is back."""
    try:
        return write_sent(desk.connection, message, service)
    except DBAPIError as error:
        if is_lost(error):
            write_when_back(desk.connection.engine, lease, lambda back: _write_late(back, message, service))
        raise


def _write_late(connection: Connection, message: ClaimedMessage, service: str) -> None:
    write_sent(connection, message, service)


def _cut(text: str, at_most: int) -> str:
    return text if len(text) <= at_most else f"{text[: at_most - 1].rstrip()}…"


def _log(message: ClaimedMessage, carrier: Carrier, error: SendError) -> None:
    """Without the words of the service, which may name the recipient: they are in the message's row."""
    fields = {"action": message.action, "attempt": message.attempts + 1, "service": carrier.name}
    fields |= {"error_class": error.kind, "code": error.code}
    log.warning(
        *("Channel message %d, try %d by %s: %s", message.id, message.attempts + 1, carrier.name, error.kind),
        extra=fields,
    )
