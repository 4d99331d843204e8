"""Token buckets, with a clock that is moved by hand."""

import heapq
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.delivery.services.buckets import DAY, Bucket, Grant, Limits, day_of, empty, put_back, take_from, to_grant
from tests.support.takers import most_in_a_second

MONDAY = 20_000 * DAY + 43_200.0
LIMITS = st.sampled_from([0.1, 1, 2, 3.5, 7, 10, 14, 50, 333, 1000, 5000])
STEPS = st.lists(
    st.tuples(st.floats(min_value=0, max_value=0.7), st.integers(0, 400), st.integers(0, 30)), min_size=1, max_size=80
)


@given(per_second=LIMITS, steps=STEPS)
def test_no_second_gets_more_than_the_limit(per_second: float, steps: list[tuple[float, int, int]]) -> None:
    limits, now = Limits(per_second), MONDAY
    bucket, went = empty(now), []
    for seconds, wanted, spare in steps:
        now += seconds
        granted, bucket = take_from(bucket, wanted, limits, now)
        unused = min(spare, granted)
        bucket = put_back(bucket, unused, now)
        went.append((now, granted - unused))
    assert most_in_a_second(went) <= max(1, per_second)


@pytest.mark.parametrize("per_second", [0.5, 1, 5, 14, 100, 1000])
@pytest.mark.parametrize("lateness", [0.0, 0.02])
def test_eight_workers_that_are_late_get_nine_tenths_of_the_limit_and_never_more(
    per_second: float, lateness: float
) -> None:
    rng = random.Random(1)
    limits, end = Limits(per_second), MONDAY + max(60.0, 100 / per_second)
    bucket, went = empty(MONDAY), []
    awake = [(MONDAY, worker) for worker in range(8)]
    while awake[0][0] < end:
        now, worker = heapq.heappop(awake)
        granted, bucket = take_from(bucket, 100, limits, now)
        went.append((now, granted))
        wait = to_grant(granted, 100, bucket, limits).wait
        heapq.heappush(awake, (now + wait + rng.uniform(0, lateness), worker))
    assert sum(count for _, count in went) >= 0.9 * per_second * (end - MONDAY)
    assert most_in_a_second(went) <= max(1, per_second)


@given(per_day=st.integers(0, 500), steps=STEPS)
def test_no_day_of_utc_gets_more_than_the_limit_and_each_gets_all_of_it(
    per_day: int, steps: list[tuple[float, int, int]]
) -> None:
    limits, now, bucket = Limits(per_day=per_day), MONDAY, empty(MONDAY)
    went: dict[int, int] = {}
    for days, wanted, spare in steps:
        now += days * DAY
        granted, bucket = take_from(bucket, wanted, limits, now)
        unused = min(spare, granted)
        bucket = put_back(bucket, unused, now)
        went[day_of(now)] = went.get(day_of(now), 0) + granted - unused
    assert all(count <= per_day for count in went.values())
    granted, _ = take_from(bucket, 1000, limits, now)
    assert went[day_of(now)] + granted == per_day


def test_who_comes_before_its_time_is_told_when_to_ask_again_and_then_gets_something() -> None:
    limits = Limits(per_second=10)
    granted, bucket = take_from(empty(MONDAY), 5, limits, MONDAY)
    grant = to_grant(granted, 5, bucket, limits)
    assert (grant.granted, grant.limit) == (0, "second")
    assert take_from(bucket, 5, limits, MONDAY + grant.wait)[0] == 1


def test_who_has_used_the_day_is_told_to_come_back_at_midnight() -> None:
    limits = Limits(per_day=10)
    granted, bucket = take_from(empty(MONDAY), 12, limits, MONDAY)
    assert to_grant(granted, 12, bucket, limits) == Grant(10, 43_200.0, "day", MONDAY)
    assert take_from(bucket, 12, limits, MONDAY + 43_199.0)[0] == 0
    assert take_from(bucket, 12, limits, MONDAY + 43_200.0)[0] == 10


def test_a_day_that_ends_the_limit_per_second_names_the_day() -> None:
    limits = Limits(per_second=100, per_day=3)
    bucket = Bucket(tokens=6.0, at=MONDAY, day=day_of(MONDAY), used=0)
    granted, after = take_from(bucket, 5, limits, MONDAY)
    assert to_grant(granted, 5, after, limits).limit == "day"
    assert granted == 3


def test_a_limit_that_is_lowered_takes_effect_at_once() -> None:
    full = Bucket(tokens=51.0, at=MONDAY, day=day_of(MONDAY), used=700)
    assert take_from(full, 100, Limits(per_second=1000), MONDAY)[0] == 51
    assert take_from(full, 100, Limits(per_second=20), MONDAY)[0] == 2
    assert take_from(full, 100, Limits(per_day=500), MONDAY)[0] == 0


def test_a_clock_that_is_set_back_gives_nothing_and_keeps_nothing_back() -> None:
    limits = Limits(per_second=10)
    bucket = Bucket(tokens=0.0, at=MONDAY, day=day_of(MONDAY), used=0)
    granted, bucket = take_from(bucket, 5, limits, MONDAY - 3600)
    assert granted == 0
    assert take_from(bucket, 5, limits, MONDAY - 3599)[0] == 1


@pytest.mark.parametrize(("per_second", "per_day"), [(0, None), (-1, None), (float("inf"), None), (None, -1)])
def test_a_limit_that_is_none_is_said_as_none(per_second: float | None, per_day: int | None) -> None:
    with pytest.raises(ValueError, match="or None for no limit"):
        Limits(per_second, per_day)
