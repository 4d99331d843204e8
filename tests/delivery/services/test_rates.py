"""Rates that workers share, in a real Valkey: the script does as the pure functions do, and for real processes."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.delivery.services.breaker import KEY as BREAKERS
from app.delivery.services.breaker import Breaker
from app.delivery.services.buckets import DAY, Grant, Limits, day_of, empty, put_back, take_from, to_grant
from app.delivery.services.circuit import Policy
from app.delivery.services.rates import KEY, Rates
from app.delivery.services.shared_redis import PAUSE, SharedRedis, connect
from app.embedded.stack import EmbeddedStack
from tests.support import takers
from tests.support.processes import free_port

MONDAY = 20_000 * DAY + 43_200.0
LIMITS = st.builds(
    Limits, st.none() | st.floats(min_value=0.1, max_value=5000), st.none() | st.integers(min_value=0, max_value=300)
)
STEPS = st.lists(
    st.tuples(st.floats(min_value=0, max_value=60_000), st.integers(1, 200), st.integers(0, 50), LIMITS), max_size=12
)


class Clock:
    def __init__(self) -> None:
        self.now = MONDAY

    def __call__(self) -> float:
        return self.now


class Workers:
    """Rates that know of each other through Redis only; Redis may be taken away from one of them."""

    def __init__(self, url: str) -> None:
        self.clock = Clock()
        self.client = connect(url)
        self.nowhere = connect(f"redis://127.0.0.1:{free_port()}/0")

    def new(self) -> tuple[Rates, SharedRedis]:
        shared = SharedRedis(self.client, self.clock)
        return Rates(shared, self.clock), shared

    def close(self) -> None:
        self.client.close()
        self.nowhere.close()


@pytest.fixture
def workers(stack: EmbeddedStack, broker: redis.Redis) -> Iterator[Workers]:
    broker.delete(KEY + "smtp")
    made = Workers(stack.env["REDIS_URL"])
    yield made
    made.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=STEPS)
def test_the_script_does_as_the_pure_functions_do(
    workers: Workers, steps: list[tuple[float, int, int, Limits]]
) -> None:
    workers.client.delete(KEY + "smtp")
    workers.clock.now = MONDAY
    bucket, rates = None, workers.new()[0]
    for seconds, wanted, spare, limits in steps:
        workers.clock.now += seconds
        if limits.is_unlimited:
            continue
        bucket = bucket or empty(workers.clock.now)
        granted, bucket = take_from(bucket, wanted, limits, workers.clock.now)
        grant = rates.take("smtp", wanted, limits)
        assert grant == to_grant(granted, wanted, bucket, limits)
        rates.give_back("smtp", grant, spare)
        bucket = put_back(bucket, min(spare, granted), grant.at)


def test_workers_share_the_limit_of_a_service_and_not_that_of_another(workers: Workers) -> None:
    first, second = workers.new()[0], workers.new()[0]
    limits = Limits(per_day=10)
    assert first.take("smtp", 7, limits).granted == 7
    assert second.take("smtp", 7, limits) == Grant(3, 43_200.0, "day", MONDAY)
    workers.client.delete(KEY + "sendgrid")
    assert second.take("sendgrid", 7, limits).granted == 7


def test_a_limit_that_is_lowered_takes_effect_at_once(workers: Workers) -> None:
    rates = workers.new()[0]
    rates.take("smtp", 50, Limits(per_second=1000, per_day=100))
    workers.clock.now += 10
    assert rates.take("smtp", 1, Limits(per_second=1000, per_day=100)).granted == 1
    assert rates.take("smtp", 50, Limits(per_second=20, per_day=100)).granted == 2
    assert rates.take("smtp", 50, Limits(per_day=3)).granted == 0


def test_what_was_not_used_is_anothers_once(workers: Workers) -> None:
    first, second = workers.new()[0], workers.new()[0]
    limits = Limits(per_day=10)
    grant = first.take("smtp", 10, limits)
    first.give_back("smtp", grant, 4)
    assert second.take("smtp", 10, limits).granted == 4
    assert first.take("smtp", 10, limits).granted == 0


def test_what_was_of_yesterday_is_not_given_back_to_today(workers: Workers) -> None:
    rates = workers.new()[0]
    limits = Limits(per_day=10)
    grant = rates.take("smtp", 10, limits)
    workers.clock.now += DAY
    rates.take("smtp", 8, limits)
    rates.give_back("smtp", grant, 10)
    assert rates.take("smtp", 10, limits).granted == 2


def test_without_limits_nothing_is_asked_and_nothing_kept(workers: Workers) -> None:
    rates = workers.new()[0]
    grant = rates.take("smtp", 100, Limits())
    assert (grant.granted, grant.wait) == (100, 0.0)
    rates.give_back("smtp", grant, 50)
    assert rates.take("smtp", 0, Limits(per_second=1)).granted == 0
    assert not workers.client.exists(KEY + "smtp")


def test_without_redis_a_process_goes_on_from_what_it_knows_and_tells_it_afterwards(workers: Workers) -> None:
    limits = Limits(per_day=10)
    rates, shared = workers.new()
    rates.take("smtp", 3, limits)
    shared.client = workers.nowhere
    alone = rates.take("smtp", 5, limits)
    assert (alone.granted, alone.is_shared) == (5, False)
    rates.give_back("smtp", alone, 1)
    assert rates.take("smtp", 5, limits).granted == 3
    shared.client = workers.client
    workers.clock.now += PAUSE
    assert rates.take("smtp", 5, limits).granted == 0
    assert workers.client.hget(KEY + "smtp", "used") == "10"


def test_without_redis_from_the_beginning_the_limits_are_kept_all_the_same(workers: Workers) -> None:
    rates, shared = workers.new()
    shared.client = workers.nowhere
    limits = Limits(per_second=10, per_day=2)
    went = 0
    for _ in range(100):
        went += rates.take("smtp", 5, limits).granted
        workers.clock.now += 0.1
    assert went == 2
    workers.clock.now += DAY
    assert rates.take("smtp", 1, limits).granted == 1


def test_what_was_sent_alone_yesterday_does_not_count_today(workers: Workers) -> None:
    limits = Limits(per_day=10)
    rates, shared = workers.new()
    shared.client = workers.nowhere
    assert rates.take("smtp", 5, limits).granted == 5
    workers.clock.now += DAY
    assert rates.take("smtp", 2, limits).granted == 2
    shared.client = workers.client
    workers.clock.now += PAUSE
    assert rates.take("smtp", 20, limits).granted == 8
    shared.client = workers.nowhere
    workers.clock.now += DAY
    rates.take("smtp", 2, limits)
    shared.client = workers.client
    workers.clock.now += DAY
    assert rates.take("smtp", 20, limits).granted == 10


def test_the_count_of_the_day_outlives_a_redis_that_was_emptied(workers: Workers) -> None:
    limits = Limits(per_day=100)
    first, second, stranger = (workers.new()[0] for _ in range(3))
    first.take("smtp", 20, limits)
    second.take("smtp", 20, limits)
    workers.client.delete(KEY + "smtp")
    workers.clock.now += 1
    assert stranger.take("smtp", 1, limits).granted == 1
    assert first.take("smtp", 1, limits).granted == 1
    assert second.take("smtp", 1, limits).granted == 1
    assert workers.client.hget(KEY + "smtp", "used") == "43"
    assert first.take("smtp", 100, limits).granted == 57


def test_a_new_bucket_is_empty_so_that_an_emptied_redis_does_not_double_a_second(workers: Workers) -> None:
    assert workers.new()[0].take("smtp", 100, Limits(per_second=1000)).granted == 0


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(8, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


def test_eight_processes_together_never_have_more_than_the_limit_and_not_much_less(
    stack: EmbeddedStack, processes: ProcessPoolExecutor, workers: Workers
) -> None:
    per_second = 200
    url = stack.env["REDIS_URL"]
    for _ in range(3):  # a machine that is busy with other things may be too late for nine tenths, once
        runs = [processes.submit(takers.take, url, "smtp", Limits(per_second), 2.0) for _ in range(8)]
        went = sorted(entry for run in runs for entry in run.result())
        assert takers.most_in_a_second(went) <= per_second
        share = sum(count for _, count in went) / (per_second * (went[-1][0] - went[0][0]))
        if share >= 0.9:
            break
    assert share >= 0.9


def test_eight_processes_together_have_exactly_the_limit_of_a_day(
    stack: EmbeddedStack, processes: ProcessPoolExecutor, workers: Workers
) -> None:
    limits = Limits(per_day=1234)
    while True:
        today = day_of(workers.client.time()[0])
        runs = [processes.submit(takers.take, stack.env["REDIS_URL"], "smtp", limits, 0.5) for _ in range(8)]
        granted = sum(count for run in runs for _, count in run.result())
        rest = Rates(SharedRedis(workers.client)).take("smtp", 2000, limits).granted
        if today == day_of(workers.client.time()[0]):  # else it was midnight just then
            break
        workers.client.delete(KEY + "smtp")
    assert granted + rest == 1234


def test_of_eight_processes_exactly_one_gets_the_probe(
    stack: EmbeddedStack, processes: ProcessPoolExecutor, workers: Workers
) -> None:
    url = stack.env["REDIS_URL"]
    policy = Policy(failures=1)
    workers.client.delete(BREAKERS)
    earlier = workers.client.time()[0] - 60.0
    permit = Breaker(SharedRedis(workers.client), policy, now=lambda: earlier).allow("smtp")
    assert permit
    permit.failed("connection")
    asked = [processes.submit(takers.probe, url, "smtp", policy) for _ in range(16)]
    assert sum(run.result() for run in asked) == 1
    workers.client.delete(BREAKERS)
