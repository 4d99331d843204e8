"""Token buckets: pure functions of a bucket, the limits, and the time.

A bucket that holds `b` tokens and is filled with `r` a second gives fewer than `b + r` in any second. So that this is
never more than the limit, what may go at once is taken off the rate: of a limit of 100, 95 a second flow in, and 6 may
go at once. The bucket overflows, and mails are delayed without need, only if nobody asks for a twentieth of a second.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final, Literal

# What of a limit per second may go at once, and is taken off the rate.
BURST: Final = 0.05
DAY: Final = 86_400
# Seconds: a shorter wait could be nothing at all for a clock.
_SHORTEST_WAIT: Final = 0.001


@dataclass(frozen=True)
class Limits:
    """What a service takes from us; None is unlimited.

    Attributes:
        per_second: mails in any second; may be a fraction (0.1 is one every ten seconds).
        per_day: mails in one day of UTC; with 0 nothing goes.
    """

    per_second: float | None = None
    per_day: int | None = None

    def __post_init__(self) -> None:
        if self.per_second is not None and not 0 < self.per_second < math.inf:
            raise ValueError(f"A limit per second is more than 0, or None for no limit: not {self.per_second}.")
        if self.per_day is not None and self.per_day < 0:
            raise ValueError(f"A limit per day is not negative, or None for no limit: not {self.per_day}.")

    @property
    def is_unlimited(self) -> bool:
        """Whether nothing needs to be counted."""
        return self.per_second is None and self.per_day is None

    @property
    def rate(self) -> float:
        """Tokens that flow in, a second."""
        return (self.per_second or 0.0) * (1.0 - BURST)

    @property
    def capacity(self) -> float:
        """Tokens that the bucket holds: one, and what may go at once."""
        return 1.0 + (self.per_second or 0.0) * BURST


@dataclass(frozen=True)
class Bucket:
    """What is left of a service's limits. A new one is empty: what went before it was lost is not known.

    Attributes:
        tokens: mails that may go, at the time `at`; not used without a limit per second.
        at: seconds since 1970.
        day: the day that `used` counts, in days since 1970.
        used: mails that went on that day.
    """

    tokens: float
    at: float
    day: int
    used: int


@dataclass(frozen=True)
class Grant:
    """How many mails may go now, and what to do about the others.

    Attributes:
        granted: so many may go.
        wait: seconds after which to ask for the rest; 0 if there is no rest. With `limit` "day", until midnight (UTC).
        limit: the limit that is in the way of the rest.
        at: when it was granted, in seconds since 1970.
        is_shared: whether all workers know of it; else it is this process's alone, since Redis is away.
    """

    granted: int
    wait: float = 0.0
    limit: Literal["second", "day"] | None = None
    at: float = 0.0
    is_shared: bool = True


def day_of(at: float) -> int:
    """The day of UTC, in days since 1970."""
    return math.floor(at / DAY)


def empty(now: float) -> Bucket:
    """A bucket that nothing is known of."""
    return Bucket(tokens=0.0, at=now, day=day_of(now), used=0)


def take_from(bucket: Bucket, wanted: int, limits: Limits, now: float) -> tuple[int, Bucket]:
    """How many of the wanted mails may go, and the bucket after that.

    The limits are those of this moment: a bucket that holds more than they allow loses it.
    """
    tokens = min(limits.capacity, bucket.tokens + max(0.0, now - bucket.at) * limits.rate)
    day = day_of(now)
    used = bucket.used if bucket.day == day else 0
    granted = max(0, wanted)
    if limits.per_second is not None:
        granted = min(granted, math.floor(tokens))
    if limits.per_day is not None:
        granted = min(granted, max(0, limits.per_day - used))
    left = tokens - granted if limits.per_second is not None else 0.0
    return granted, Bucket(left, now, day, used + granted)


def put_back(bucket: Bucket, unused: int, at: float) -> Bucket:
    """The bucket after so many of a grant of the time `at` were not used; what is too much, the next taking drops."""
    used = max(0, bucket.used - unused) if bucket.day == day_of(at) else bucket.used
    return replace(bucket, tokens=bucket.tokens + unused, used=used)


def to_grant(granted: int, wanted: int, after: Bucket, limits: Limits) -> Grant:
    """What the taker is told, from the bucket after it has taken."""
    if granted >= wanted:
        return Grant(granted, at=after.at)
    if limits.per_day is not None and after.used >= limits.per_day:
        return Grant(granted, (after.day + 1) * DAY - after.at, "day", after.at)
    # Ask again when half a bucket is there, not at the next token: a taking costs a round trip.
    aim = min(wanted - granted, max(1, math.floor(limits.capacity / 2)))
    wait = max(_SHORTEST_WAIT, (aim - after.tokens) / limits.rate)
    return Grant(granted, wait, "second", after.at)
