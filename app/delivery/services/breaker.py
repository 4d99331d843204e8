"""Circuit breakers: a service that fails is left alone for a while, by all workers, and then tried with one mail."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, TypeVar

import redis

from app.delivery.services.circuit import (
    CLOSED,
    Circuit,
    Phase,
    Policy,
    after_failure,
    after_success,
    from_text,
    let_through,
    to_text,
    without_verdict,
)
from app.delivery.services.shared_redis import SharedRedis

T = TypeVar("T")
# From a state and the time: an answer, and the state after.
Decision = Callable[[Circuit, float], tuple[T, Circuit]]

DEFAULT_POLICY: Final = Policy()
# A hash: from the name of a service to its state.
KEY: Final = "usher:breakers"
# A worker says at most so often, in seconds, that all is well: it saves a round trip for nearly every mail.
SUCCESS_EVERY: Final = 1.0
# Each try that fails is another worker's that succeeded, so that so many in a row do not happen.
_TRIES: Final = 100

# Write a state if it is still the one that was read; one without anything to remember is deleted.
_COMPARE_AND_SET: Final = """
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then return 0 end
if ARGV[3] == '' then redis.call('HDEL', KEYS[1], ARGV[1]) else redis.call('HSET', KEYS[1], ARGV[1], ARGV[3]) end
return 1
"""


def is_of_the_service(kind: str, code: int | None = None) -> bool | None:
    """Whether an error speaks against the service.

    Args:
        kind: the error's class, see `app.delivery.transports.base`.
        code: what the provider answered, if it did.

    Returns:
        False, if it has answered and the trouble is this one mail's: refused for good, or for now with a 4yz reply of
        SMTP (a full mailbox, greylisting). None, if the settings are wrong: that says nothing, and no time mends it.
    """
    if kind == "configuration":
        return None
    if kind == "transient":
        return code is None or not 400 <= code < 500  # noqa: PLR2004 - the class of 4yz replies
    return kind != "permanent"


@dataclass
class Permit:
    """The leave to send through a service: a whole batch, or, with `is_probe`, one mail. Its outcomes are to be told.

    It holds for as long as its holder likes; to hear that the breaker has opened meanwhile, ask for another.

    Attributes:
        service: the service's name.
        is_probe: whether all other workers wait for the outcome of this one mail; False as soon as it is told.
        name: what the breaker knows the probe by.
    """

    service: str
    is_probe: bool
    name: str = field(repr=False)
    _breaker: Breaker = field(repr=False)

    def succeeded(self) -> None:
        """The service has taken a mail."""
        self._breaker.note_success(self)

    def failed(self, error_kind: str, code: int | None = None) -> None:
        """A mail has failed.

        Args:
            error_kind: the error's class, see `app.delivery.transports.base`.
            code: what the provider answered: it tells a server's trouble from a mailbox's (see `is_of_the_service`).
        """
        verdict = is_of_the_service(error_kind, code)
        if verdict is None:
            self.unused()
        elif verdict:
            self._breaker.note_failure(self)
        else:
            self._breaker.note_success(self)

    def unused(self) -> None:
        """Nothing was tried, or nothing was learnt: if this was the probe, another may be. May always be called."""
        self._breaker.note_nothing(self)


class Breaker:
    """The breakers of all services. Each worker has an object of its own; what they know is in Redis.

    Args:
        shared: Redis. While it is away, everything is let through: no mail waits for want of a counter.
        policy: when a breaker opens, and for how long.
        now: seconds since 1970; None for Redis's own clock, which is the same for all workers.
        clock: seconds that only grow, for how often a success is told.
    """

    def __init__(
        self,
        shared: SharedRedis,
        policy: Policy = DEFAULT_POLICY,
        now: Callable[[], float] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shared = shared
        self._policy = policy
        self._now = now
        self._clock = clock
        self._compare_and_set = shared.client.register_script(_COMPARE_AND_SET)
        # When a success of a service was told last; none, and the next one is told at once.
        self._told_at: dict[str, float] = {}
        # The services that had a success which was not told.
        self._untold: set[str] = set()

    def allow(self, service: str) -> Permit | None:
        """The leave to send through a service; None while its breaker is open, or while another worker probes."""
        name = uuid.uuid4().hex

        def decide(circuit: Circuit, now: float) -> tuple[tuple[bool, Circuit], Circuit]:
            is_allowed, after = let_through(circuit, name, now, self._policy)
            return (is_allowed, after), after

        is_allowed, circuit = self._change(service, decide) or (True, CLOSED)
        if circuit != CLOSED:
            self._told_at.pop(service, None)  # others have failed: what goes well here is news
        return Permit(service, circuit.trips > 0, name, self) if is_allowed else None

    def states(self, services: Iterable[str] = ()) -> dict[str, Phase]:
        """The state of each service that has failed since its last success, and of those named; empty without Redis."""
        read = self._shared.ask(self._read_all)
        if read is None:
            return {}
        now, texts = read
        known = {service: from_text(text).phase(now, self._policy) for service, text in texts.items()}
        return dict.fromkeys(services, CLOSED.phase(now, self._policy)) | known

    def reset(self, service: str) -> None:
        """Close the breaker: an operator says that the service is well, or its settings have changed."""
        self._change(service, lambda _circuit, _now: (None, CLOSED))

    def note_success(self, permit: Permit) -> None:
        """See `Permit.succeeded`."""
        now = self._clock()
        told_at = self._told_at.get(permit.service)
        if not permit.is_probe and told_at is not None and now - told_at < SUCCESS_EVERY:
            self._untold.add(permit.service)
            return
        self._change(permit.service, lambda circuit, _: (None, after_success(circuit, permit.name)))
        self._told_at[permit.service] = now
        self._untold.discard(permit.service)
        permit.is_probe = False

    def note_failure(self, permit: Permit) -> None:
        """See `Permit.failed`."""
        # What went well since the last word was before this failure, and failures count in a row.
        is_news = permit.service in self._untold

        def decide(circuit: Circuit, now: float) -> tuple[None, Circuit]:
            before = CLOSED if is_news and circuit.trips == 0 else circuit
            return None, after_failure(before, permit.name, now, self._policy)

        self._change(permit.service, decide)
        self._told_at.pop(permit.service, None)
        self._untold.discard(permit.service)
        permit.is_probe = False

    def note_nothing(self, permit: Permit) -> None:
        """See `Permit.unused`."""
        if permit.is_probe:
            self._change(permit.service, lambda circuit, _: (None, without_verdict(circuit, permit.name)))
            permit.is_probe = False

    def _change(self, service: str, decide: Decision[T]) -> T | None:
        """Let a decision be the next of all workers' on this service; return its answer, or None if Redis is away.

        It is made from the state as read, and written only if nobody was faster; else it is made again.
        """

        def change(client: redis.Redis) -> T:
            for _ in range(_TRIES):
                now, text = self._read(client, service)
                before = from_text(text)
                answer, after = decide(before, now)
                if after == before or self._compare_and_set([KEY], [service, text, to_text(after)], client):
                    return answer
            raise redis.RedisError(f"The state of {service} changed {_TRIES} times in a row.")

        return self._shared.ask(change)

    def _read(self, client: redis.Redis, service: str) -> tuple[float, str]:
        pipeline = client.pipeline(transaction=False)
        pipeline.time()
        pipeline.hget(KEY, service)
        time_of_redis, text = pipeline.execute()
        return self._time(time_of_redis), text or ""

    def _read_all(self, client: redis.Redis) -> tuple[float, dict[str, str]]:
        pipeline = client.pipeline(transaction=False)
        pipeline.time()
        pipeline.hgetall(KEY)
        time_of_redis, texts = pipeline.execute()
        return self._time(time_of_redis), texts

    def _time(self, time_of_redis: tuple[int, int]) -> float:
        return time_of_redis[0] + time_of_redis[1] / 1e6 if self._now is None else self._now()
