"""The way of a batch: through the first service that may be used now, and where it fails, at once through the next.

All is well nearly always, so it must cost little then: the breaker is asked once per batch, and the rates, if there are
any, once to take and once to give back. What is not granted is not claimed, so that mails that must wait for a quota
or for a server wait in the queue, in the order of their lanes, and their timelines do not fill with vain tries.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from types import TracebackType
from typing import Final, Self

from app.delivery.services.breaker import Breaker, Permit, is_of_the_service
from app.delivery.services.buckets import Grant
from app.delivery.services.rates import Rates
from app.delivery.services.registry import Service, Services, close_others, transport_for
from app.delivery.services.shared_redis import shared_redis
from app.delivery.transports.base import ConnectionFailedError, Envelope, Receipt, TransportConfig, TransportError

# Seconds in which a process asks a service last that failed in such a way, unless its settings change. It is not to
# log in with a wrong password at every batch, nor to wait for a server that hangs until the breaker has opened.
RESTS: Final = {"configuration": 60.0, "connection": 5.0}
_NOT_ASKED: Final = "The services' rates are used up, or their circuit breakers are open."


@dataclass
class Counters:
    """What a process knows of the services, together with all others through Redis, and alone.

    Attributes:
        breaker: the circuit breakers.
        rates: the rates.
        clock: seconds that only grow.
    """

    breaker: Breaker
    rates: Rates
    clock: Callable[[], float] = time.monotonic
    _resting: dict[str, tuple[TransportConfig | None, float]] = field(default_factory=dict)

    def rest(self, service: Service, seconds: float) -> None:
        """Ask the service last for so many seconds, or until its settings change."""
        self._resting[service.name] = service.config, self.clock() + seconds

    def in_order(self, services: Services) -> list[Service]:
        """The services in the order in which they are to be tried now."""
        return sorted(services.usable, key=self._is_resting)

    def _is_resting(self, service: Service) -> bool:
        config, until = self._resting.get(service.name, (None, 0.0))
        return config == service.config and self.clock() < until


@cache
def counters(redis_url: str) -> Counters:
    """This process's counters. Their connection is made anew in a process that was forked."""
    shared = shared_redis(redis_url)
    return Counters(Breaker(shared), Rates(shared))


@dataclass(eq=False)
class _Way:
    """The leave to send through a service; `left` is how many mails more, endless without a limit."""

    service: Service
    permit: Permit
    grant: Grant
    left: float


class Route:
    """The way of one batch. At its end it gives back what it took and did not use.

    Args:
        services: as they are now.
        known: the process's counters.
        wanted: how many mails are to be claimed at most.
        on_detour: called with a mail's id and what a service said that failed it, before the next one is tried.

    Attributes:
        room: how many mails may be claimed.
        wait: seconds after which more may be, if a rate per second is in the way; else None.
        obstacle: what a service said last that is not used any more in this batch.
    """

    def __init__(
        self, services: Services, known: Counters, wanted: int, on_detour: Callable[[int, TransportError], None]
    ) -> None:
        self.wait: float | None = None
        self.obstacle: TransportError | None = None
        self._known = known
        self._on_detour = on_detour
        self._ways: list[_Way] = []
        self._unasked = known.in_order(services)
        close_others([service.name for service in services.usable])
        # Mails that have no way yet.
        self._pending = wanted
        while self._pending > 0 and (way := self._ask_next()) is not None:
            self._pending -= int(min(way.left, self._pending))
        self.room = wanted - self._pending

    @property
    def is_open(self) -> bool:
        """Whether there is a way for the next mail; services that were not needed until now are asked."""
        if self._pending <= 0 and self.obstacle is None:
            return True
        return next(self._candidates([]), None) is not None

    def begin(self, mails: int) -> None:
        """So many mails were claimed, at most `room`."""
        self._pending = mails

    def send(self, envelope: Envelope) -> Receipt:
        """Send one mail: through the first service that takes it, under the same Message-ID.

        Returns:
            The receipt, with the service's name as its provider.

        Raises:
            TransportError: it was not sent, since no service may be asked now, or those that were have failed; with
                `maybe_accepted`, nobody knows. Its `service` is who said so.
        """
        try:
            return self._send(envelope)
        finally:
            self._pending -= 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give back what was not used."""
        for way in self._ways:
            self._give_back(way)
        self._ways.clear()

    def _send(self, envelope: Envelope) -> Receipt:
        failed: list[tuple[_Way, TransportError]] = []
        for way in self._candidates(failed):
            if failed:
                self._on_detour(envelope.mail_id, failed[-1][1])
            try:
                receipt = self._try(way, envelope)
            except TransportError as error:
                if not fails_over(error):
                    raise
                failed.append((way, error))
            else:
                return receipt if receipt.provider == way.service.name else replace(receipt, provider=way.service.name)
        if not failed:
            raise ConnectionFailedError(_NOT_ASKED)
        raise self._worth_waiting_for(envelope, [error for _, error in failed])

    def _candidates(self, failed: Sequence[tuple[_Way, TransportError]]) -> Iterator[_Way]:
        """The ways that a mail may take, in order, but those that have failed it."""
        while True:
            tried = [way for way, _ in failed]
            way = next((way for way in self._ways if way.left > 0 and way not in tried), None) or self._ask_next()
            if way is None:
                return
            yield way

    def _ask_next(self) -> _Way | None:
        """The way through the next service that may be used."""
        while self._unasked:
            service = self._unasked.pop(0)
            permit = self._known.breaker.allow(service.name)
            if permit is None:
                continue
            wanted = 1 if permit.is_probe else max(1, self._pending)
            grant = self._known.rates.take(service.name, wanted, service.limits)
            if grant.limit == "second":
                self.wait = min(grant.wait, self.wait or grant.wait)
            if grant.granted == 0:
                permit.unused()
                continue
            is_endless = service.limits.is_unlimited and not permit.is_probe
            way = _Way(service, permit, grant, math.inf if is_endless else grant.granted)
            self._ways.append(way)
            return way
        return None

    def _try(self, way: _Way, envelope: Envelope) -> Receipt:
        way.left -= 1
        try:
            receipt = transport_for(way.service).send(envelope)
        except TransportError as error:
            error.service = way.service.name
            self._learn(way, error)
            raise
        way.permit.succeeded()
        return receipt

    def _learn(self, way: _Way, error: TransportError) -> None:
        """Tell the breaker, and use the service no more in this batch if the next mail would only meet the same."""
        way.permit.failed(error.kind, error.code)
        if is_of_the_service(error.kind, error.code) is False:
            return
        seconds = getattr(error, "retry_after", None) or RESTS.get(error.kind)
        if seconds:
            self._known.rest(way.service, seconds)
        is_closed = error.kind == "configuration" or (error.connection_lost and not error.maybe_accepted)
        permit = None if is_closed else self._known.breaker.allow(way.service.name)
        if permit is not None and not permit.is_probe:
            way.permit = permit
            return
        if permit is not None:
            permit.unused()
        self.obstacle = error
        self._give_back(way)
        self._ways.remove(way)

    def _give_back(self, way: _Way) -> None:
        way.permit.unused()
        if way.left < math.inf:
            self._known.rates.give_back(way.service.name, way.grant, int(way.left))

    def _worth_waiting_for(self, envelope: Envelope, errors: Sequence[TransportError]) -> TransportError:
        """Of the failures of one mail the last that time may mend; the timeline gets the others."""
        chosen = next((error for error in reversed(errors) if error.kind != "configuration"), errors[-1])
        if chosen is not errors[-1]:
            self._on_detour(envelope.mail_id, errors[-1])
        return chosen


def fails_over(error: TransportError) -> bool:
    """Whether another service may be tried at once: the service failed, not the mail, and surely has not taken it."""
    return not error.maybe_accepted and is_of_the_service(error.kind, error.code) is not False
