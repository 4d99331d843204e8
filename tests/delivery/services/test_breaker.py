"""Breakers that workers share, in a real Valkey. Time is moved by hand, but for the tests with Redis's own."""

import threading
from collections.abc import Iterator

import pytest
import redis

from app.delivery.services.breaker import KEY, SUCCESS_EVERY, Breaker, is_of_the_service
from app.delivery.services.circuit import Policy
from app.delivery.services.shared_redis import SharedRedis, connect
from app.embedded.stack import EmbeddedStack
from app.models.mail import ERROR_CLASSES

POLICY = Policy(failures=3, window=60, open_for=10, open_at_most=35, probe_for=100)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Workers:
    """Breakers of one service that know of each other through Redis only."""

    def __init__(self, url: str) -> None:
        self.clock = Clock()
        self._url = url
        self._clients: list[redis.Redis] = []

    def new(self) -> Breaker:
        self._clients.append(connect(self._url))
        return Breaker(SharedRedis(self._clients[-1]), POLICY, now=self.clock, clock=self.clock)

    def close(self) -> None:
        for client in self._clients:
            client.close()


@pytest.fixture
def workers(stack: EmbeddedStack, broker: redis.Redis) -> Iterator[Workers]:
    broker.delete(KEY)
    made = Workers(stack.env["REDIS_URL"])
    yield made
    made.close()


def fail(breaker: Breaker, times: int = 1, kind: str = "connection") -> None:
    for _ in range(times):
        permit = breaker.allow("smtp")
        assert permit
        permit.failed(kind)


def state(breaker: Breaker) -> str:
    return breaker.states(["smtp"])["smtp"]


def test_failures_of_different_workers_open_the_breaker_for_all_of_them(workers: Workers) -> None:
    first, second = workers.new(), workers.new()
    fail(first, 2)
    assert state(second) == "closed"
    fail(second)
    assert state(first) == "open"
    assert first.allow("smtp") is None
    assert second.allow("smtp") is None


def test_the_breaker_of_one_service_is_not_anothers(workers: Workers) -> None:
    breaker = workers.new()
    fail(breaker, 3)
    assert breaker.allow("sendgrid")
    assert breaker.states(["smtp", "sendgrid"]) == {"smtp": "open", "sendgrid": "closed"}


def test_after_its_time_one_probe_is_let_through_and_its_success_closes(workers: Workers) -> None:
    first, second = workers.new(), workers.new()
    fail(first, 3)
    workers.clock.now += 10
    assert state(second) == "half-open"
    probe = first.allow("smtp")
    assert probe
    assert probe.is_probe
    assert second.allow("smtp") is None
    probe.succeeded()
    assert not probe.is_probe
    permit = second.allow("smtp")
    assert permit
    assert not permit.is_probe


def test_a_probe_that_fails_opens_it_for_longer(workers: Workers) -> None:
    first, second = workers.new(), workers.new()
    fail(first, 3)
    workers.clock.now += 10
    fail(second)
    workers.clock.now += 10
    assert first.allow("smtp") is None
    workers.clock.now += 10
    assert first.allow("smtp")


def test_a_worker_that_dies_with_the_probe_blocks_it_no_longer_than_a_probe_may_take(workers: Workers) -> None:
    first, second = workers.new(), workers.new()
    fail(first, 3)
    workers.clock.now += 10
    late = first.allow("smtp")
    assert late
    workers.clock.now += 99
    assert second.allow("smtp") is None
    workers.clock.now += 1
    probe = second.allow("smtp")
    assert probe
    late.failed("connection")  # it was not dead, only late: the word is the other's now
    assert first.allow("smtp") is None
    probe.succeeded()
    assert state(first) == "closed"


def test_a_probe_that_is_given_back_is_the_next_ones(workers: Workers) -> None:
    first, second = workers.new(), workers.new()
    fail(first, 3)
    workers.clock.now += 10
    probe = first.allow("smtp")
    assert probe
    probe.unused()
    other = second.allow("smtp")
    assert other
    other.failed("configuration")
    assert first.allow("smtp")


def test_what_was_begun_before_it_opened_neither_closes_it_nor_keeps_it_open(workers: Workers) -> None:
    breaker = workers.new()
    old = [breaker.allow("smtp") for _ in range(2)]
    fail(breaker, 3)
    assert all(old)
    for permit, tell in zip(old, ("succeeded", "failed"), strict=True):
        getattr(permit, tell)(*(["connection"] if tell == "failed" else []))
    assert state(breaker) == "open"
    workers.clock.now += 10
    assert breaker.allow("smtp")


@pytest.mark.parametrize("kind", ["connection", "throttled", "transient"])
def test_errors_of_the_service_open_it(workers: Workers, kind: str) -> None:
    breaker = workers.new()
    fail(breaker, 3, kind)
    assert state(breaker) == "open"


def test_mails_that_are_refused_show_that_the_service_works(workers: Workers) -> None:
    breaker = workers.new()
    fail(breaker, 2)
    permit = breaker.allow("smtp")
    assert permit
    permit.failed("permanent", 550)
    permit.failed("transient", 450)
    fail(breaker, 2)
    assert state(breaker) == "closed"


@pytest.mark.parametrize("kind", ERROR_CLASSES)
def test_every_class_of_error_has_a_verdict(kind: str) -> None:
    expected = {"permanent": False, "configuration": None}
    assert is_of_the_service(kind) is expected.get(kind, True)


def test_a_servers_trouble_is_told_from_a_mailboxs(workers: Workers) -> None:
    assert [is_of_the_service("transient", code) for code in (None, 503, 450, 452)] == [True, True, False, False]


def test_a_success_that_was_not_told_still_comes_before_the_next_failure(workers: Workers) -> None:
    first, second = workers.new(), workers.new()
    permit = first.allow("smtp")
    assert permit
    permit.succeeded()
    fail(second, 2)
    permit.succeeded()  # so soon after the last one that it is not told
    permit.failed("connection")
    fail(first)
    assert state(first) == "closed"


def test_the_success_of_a_probe_is_told_however_soon_it_is_after_another(workers: Workers) -> None:
    breaker = workers.new()
    old = breaker.allow("smtp")
    assert old
    fail(breaker, 3)
    workers.clock.now += 10
    probe = breaker.allow("smtp")
    assert probe
    old.succeeded()
    probe.succeeded()
    assert state(breaker) == "closed"


def test_a_success_clears_the_failures_of_others(workers: Workers) -> None:
    first, second = workers.new(), workers.new()
    permit = second.allow("smtp")
    assert permit
    permit.succeeded()
    fail(first, 2)
    workers.clock.now += SUCCESS_EVERY
    permit.succeeded()
    fail(first, 2)
    assert state(first) == "closed"


def test_a_worker_that_hears_of_failures_tells_its_success_at_once(workers: Workers) -> None:
    first, second = workers.new(), workers.new()
    for breaker in (second, first, second):
        permit = breaker.allow("smtp")
        assert permit
        if breaker is first:
            permit.failed("connection")
            permit.failed("connection")
        else:
            permit.succeeded()
    fail(first, 2)
    assert state(first) == "closed"


def test_a_batch_in_good_times_costs_two_round_trips(workers: Workers, broker: redis.Redis) -> None:
    breaker = workers.new()
    breaker.allow("smtp")  # connected
    before = broker.info("commandstats")
    permit = breaker.allow("smtp")
    assert permit
    for _ in range(100):
        permit.succeeded()
    after = broker.info("commandstats")
    reads, writes = (after.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("hget", "hset"))
    assert reads - before["cmdstat_hget"]["calls"] == 2
    assert writes == before.get("cmdstat_hset", {"calls": 0})["calls"]


def test_a_reset_closes_it_and_leaves_nothing_behind(workers: Workers, broker: redis.Redis) -> None:
    breaker = workers.new()
    fail(breaker, 3)
    breaker.reset("smtp")
    assert breaker.allow("smtp")
    assert broker.exists(KEY) == 0


def test_something_else_under_our_key_is_a_closed_breaker_that_still_opens(
    workers: Workers, broker: redis.Redis
) -> None:
    broker.hset(KEY, "smtp", "not ours")
    breaker = workers.new()
    fail(breaker, 3)
    assert state(breaker) == "open"


def test_of_eight_workers_that_ask_at_once_exactly_one_gets_the_probe(workers: Workers) -> None:
    everyone = [workers.new() for _ in range(8)]
    gate = threading.Barrier(8)
    got: list[str] = []

    def ask(breaker: Breaker) -> None:
        gate.wait()
        permit = breaker.allow("smtp")
        if permit:
            got.append(permit.name)

    for round_ in range(1, 11):
        fail(everyone[0], 3)
        workers.clock.now += 10
        threads = [threading.Thread(target=ask, args=[breaker]) for breaker in everyone]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(got) == round_
        everyone[0].reset("smtp")


def test_of_eight_failures_at_once_none_is_lost(workers: Workers) -> None:
    workers.clock.now = 5000.0
    everyone = [workers.new() for _ in range(8)]
    for _ in range(10):
        permits = [breaker.allow("smtp") for breaker in everyone[:3]]
        gate = threading.Barrier(3)

        def fail_at_once(permit: object, gate: threading.Barrier = gate) -> None:
            gate.wait()
            permit.failed("connection")  # type: ignore[attr-defined]

        threads = [threading.Thread(target=fail_at_once, args=[permit]) for permit in permits]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert state(everyone[0]) == "open"
        everyone[0].reset("smtp")


def test_redis_has_the_clock_unless_one_is_given(workers: Workers, stack: EmbeddedStack) -> None:
    with connect(stack.env["REDIS_URL"]) as client:
        breaker = Breaker(SharedRedis(client), POLICY)
        fail(breaker, 3)
        assert state(breaker) == "open"
        workers.clock.now = client.time()[0] + 11.0
        assert state(workers.new()) == "half-open"
