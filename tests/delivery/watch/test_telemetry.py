"""What workers count together: it adds up, it takes one round trip, and it is never worth a failure."""

from __future__ import annotations

import pytest

from app.delivery.services.shared_redis import SharedRedis, connect
from app.delivery.watch.telemetry import BUCKETS, HANDOVER, Telemetry, Totals, read_totals
from app.embedded.stack import EmbeddedStack
from tests.support.processes import free_port


def shared(stack: EmbeddedStack) -> SharedRedis:
    return SharedRedis(connect(stack.env["REDIS_URL"]))


def test_the_counts_of_two_workers_add_up(stack: EmbeddedStack, database: None) -> None:
    redis = shared(stack)
    for _ in range(2):
        telemetry = Telemetry()
        for _ in range(3):
            telemetry.ended("smtp", "sent")
        telemetry.ended("second service", "deferred")
        telemetry.ended(None, "suppressed")
        telemetry.failed("smtp", "connection")
        telemetry.write(redis)
        telemetry.write(redis)
    totals = read_totals(redis.client)
    assert totals.sends == {("smtp", "sent"): 6, ("second service", "deferred"): 2, ("none", "suppressed"): 2}
    assert totals.errors == {("smtp", "connection"): 2}


@pytest.mark.parametrize(
    ("seconds", "bucket"), [(0.0, 0), (0.005, 0), (0.006, 1), (0.04, 3), (300.0, 13), (301.0, 14), (-5.0, 0)]
)
def test_a_hand_over_is_counted_in_the_bucket_that_it_fits_into(
    stack: EmbeddedStack, database: None, seconds: float, bucket: int
) -> None:
    redis = shared(stack)
    telemetry = Telemetry()
    telemetry.handed_over(seconds)
    telemetry.write(redis)
    totals = read_totals(redis.client)
    expected = [0] * (len(BUCKETS) + 1)
    expected[bucket] = 1
    assert totals.handovers == tuple(expected)
    assert totals.seconds == pytest.approx(max(0.0, seconds))


def test_nothing_counted_is_nothing_written(stack: EmbeddedStack, database: None) -> None:
    redis = shared(stack)
    Telemetry().write(redis)
    assert not redis.client.exists(HANDOVER)
    assert read_totals(redis.client) == Totals()


def test_without_redis_the_counts_are_lost_and_nothing_fails() -> None:
    with connect(f"redis://127.0.0.1:{free_port()}/0") as client:
        telemetry = Telemetry()
        telemetry.ended("smtp", "sent")
        telemetry.write(SharedRedis(client))
