"""What the workers count together, in Redis, for the metrics: how sends ended, and how soon they began.

They tell how things go, and nothing depends on them: what is counted while Redis is away is lost, and so is all when
it starts empty, which Prometheus takes for counters that began anew. The mails themselves are in the table.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from typing import Final, cast

import redis

from app.delivery.services.shared_redis import SharedRedis

# Hashes with counts. The fields of the first two are two words with a space between; the name of a service, which may
# have spaces too, is the second.
SENDS: Final = "usher:sends"
ERRORS: Final = "usher:send-errors"
HANDOVER: Final = "usher:handover"
# Upper bounds in seconds; what took longer than the last is in none of them.
BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_SECONDS: Final = "seconds"
# The service of a mail that was given to none.
NO_SERVICE: Final = "none"


class Telemetry:
    """What one batch has counted; `write` adds it to what all have, in one round trip."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._seconds = 0.0

    def ended(self, service: str | None, status: str) -> None:
        """A mail got this status after it was given to the service; None, it was given to none."""
        self._counts[SENDS, f"{status} {service or NO_SERVICE}"] += 1

    def failed(self, service: str | None, error_class: str) -> None:
        """A service failed a mail, which may have gone through the next one."""
        self._counts[ERRORS, f"{error_class} {service or NO_SERVICE}"] += 1

    def handed_over(self, seconds: float) -> None:
        """A transport is about to get a mail for the first time, so many seconds after it was due."""
        seconds = max(0.0, seconds)  # the clocks of two hosts may differ
        self._counts[HANDOVER, str(bisect_left(BUCKETS, seconds))] += 1
        self._seconds += seconds

    def write(self, shared: SharedRedis) -> None:
        """Add it to the counts of all workers; what is written once is not written again."""
        if not self._counts:
            return
        counts, seconds = self._counts, self._seconds
        self._counts, self._seconds = Counter(), 0.0

        def add(client: redis.Redis) -> None:
            pipeline = client.pipeline(transaction=False)
            for (key, name), count in counts.items():
                pipeline.hincrby(key, name, count)
            if seconds:
                pipeline.hincrbyfloat(HANDOVER, _SECONDS, seconds)
            pipeline.execute()

        shared.ask(add)


@dataclass(frozen=True)
class Totals:
    """What all workers have counted.

    Attributes:
        sends: by service and status.
        errors: by service and class of the error.
        handovers: how many hand-overs took as long as each of `BUCKETS` at most, and longer than the one before; the
            last number is of those that took longer than any.
        seconds: how long all hand-overs took together.
    """

    sends: dict[tuple[str, str], int] = field(default_factory=dict)
    errors: dict[tuple[str, str], int] = field(default_factory=dict)
    handovers: tuple[int, ...] = (0,) * (len(BUCKETS) + 1)
    seconds: float = 0.0


def read_totals(client: redis.Redis) -> Totals:
    """The counts of all workers.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    pipeline = client.pipeline(transaction=False)
    for key in (SENDS, ERRORS, HANDOVER):
        pipeline.hgetall(key)
    sends, errors, handovers = cast("list[dict[str, str]]", pipeline.execute())
    counts = tuple(int(handovers.get(str(number), 0)) for number in range(len(BUCKETS) + 1))
    return Totals(_by_service(sends), _by_service(errors), counts, float(handovers.get(_SECONDS, 0.0)))


def _by_service(counts: dict[str, str]) -> dict[tuple[str, str], int]:
    words = {name.partition(" "): int(count) for name, count in counts.items()}
    return {(service, what): count for (what, _, service), count in words.items()}
