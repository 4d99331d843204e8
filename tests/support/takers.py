"""What a process of the tests does that takes leave for mails as fast as it may, beside others."""

from __future__ import annotations

import time
from itertools import accumulate

from app.delivery.services.breaker import Breaker
from app.delivery.services.buckets import Limits
from app.delivery.services.circuit import Policy
from app.delivery.services.rates import Rates
from app.delivery.services.shared_redis import SharedRedis, connect


def take(url: str, service: str, limits: Limits, seconds: float) -> list[tuple[float, int]]:
    """Take a hundred at a time until the time is over; give half of every tenth grant back.

    Returns:
        When what was granted and used, by Redis's clock.
    """
    used: list[tuple[float, int]] = []
    end = time.monotonic() + seconds
    with connect(url) as client:
        rates = Rates(SharedRedis(client))
        while time.monotonic() < end:
            grant = rates.take(service, 100, limits)
            assert grant.is_shared
            spare = grant.granted // 2 if len(used) % 10 == 9 else 0
            rates.give_back(service, grant, spare)
            used.append((grant.at, grant.granted - spare))
            time.sleep(min(grant.wait, max(0.0, end - time.monotonic())))
    return used


def probe(url: str, service: str, policy: Policy) -> bool:
    """Whether this process was let through as the probe; it ends then, without a word."""
    with connect(url) as client:
        permit = Breaker(SharedRedis(client), policy).allow(service)
        return permit is not None and permit.is_probe


def most_in_a_second(went: list[tuple[float, int]]) -> int:
    """The most that went in any second, its end not included."""
    totals = [0, *accumulate(count for _, count in went)]
    most, first = 0, 0
    for last, (at, _) in enumerate(went):
        while went[first][0] <= at - 1.0:
            first += 1
        most = max(most, totals[last + 1] - totals[first])
    return most
