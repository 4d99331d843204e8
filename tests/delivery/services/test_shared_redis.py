"""Redis that is away, hangs, or comes back: no mail waits for it."""

import logging
import socket

import pytest
import redis

from app.delivery.services.breaker import KEY, Breaker
from app.delivery.services.buckets import Limits
from app.delivery.services.circuit import Policy
from app.delivery.services.rates import KEY as RATES
from app.delivery.services.rates import Rates
from app.delivery.services.shared_redis import PAUSE, SharedRedis, connect
from app.embedded.stack import EmbeddedStack
from tests.support.processes import free_port

POLICY = Policy(failures=3)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def fail(breaker: Breaker, times: int = 1) -> None:
    for _ in range(times):
        permit = breaker.allow("smtp")
        assert permit
        permit.failed("connection")


def test_without_redis_everything_is_let_through_and_the_log_says_so_once_a_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    with connect(f"redis://127.0.0.1:{free_port()}/0") as client:
        breaker = Breaker(SharedRedis(client, clock), POLICY)
        for _ in range(20):
            permit = breaker.allow("smtp")
            assert permit
            permit.failed("connection")
            permit.succeeded()
        assert breaker.states(["smtp"]) == {}
        clock.now += 59
        fail(breaker)
        assert len(caplog.records) == 1
        assert caplog.records[0].levelno == logging.WARNING
        clock.now += 60
        fail(breaker)
        assert len(caplog.records) == 2


def test_redis_that_is_back_is_asked_again_after_a_pause(
    stack: EmbeddedStack, broker: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    broker.delete(KEY)
    caplog.set_level(logging.INFO)
    with connect(f"redis://127.0.0.1:{free_port()}/0") as away, connect(stack.env["REDIS_URL"]) as back:
        shared = SharedRedis(away, clock)
        breaker = Breaker(shared, POLICY)
        fail(breaker, 5)
        shared.client = back
        fail(breaker, 5)
        clock.now += PAUSE
        fail(breaker, 3)
        assert breaker.allow("smtp") is None
        assert "back" in caplog.records[-1].message
        shared.client = away
        assert breaker.allow("smtp")
        shared.client = back
        shared.forget_outage()
        assert breaker.allow("smtp") is None
    broker.delete(KEY)


def test_redis_that_hangs_is_left_alone_after_one_question() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        with connect(f"redis://127.0.0.1:{server.getsockname()[1]}/0") as client:
            shared = SharedRedis(client, Clock())
            assert Breaker(shared, POLICY).allow("smtp")
            server.accept()[0].close()
            assert Breaker(shared, POLICY).allow("smtp")
            assert Rates(shared).take("smtp", 5, Limits(per_day=3)).granted == 3
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_a_kept_connection_that_redis_has_closed_is_no_outage(
    stack: EmbeddedStack, broker: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    broker.delete(KEY, RATES + "smtp")
    with connect(stack.env["REDIS_URL"]) as client:
        shared = SharedRedis(client)
        breaker, rates = Breaker(shared, POLICY), Rates(shared)
        for _ in range(3):
            broker.client_kill_filter(_id=str(client.client_id()))
            fail(breaker)
            broker.client_kill_filter(_id=str(client.client_id()))
            assert rates.take("smtp", 1, Limits(per_day=3)).is_shared
        assert breaker.allow("smtp") is None
    assert not caplog.records
    broker.delete(KEY, RATES + "smtp")


def test_scripts_that_redis_has_forgotten_are_no_outage(stack: EmbeddedStack, broker: redis.Redis) -> None:
    broker.delete(KEY, RATES + "smtp")
    with connect(stack.env["REDIS_URL"]) as client:
        shared = SharedRedis(client)
        breaker, rates = Breaker(shared, POLICY), Rates(shared)
        for _ in range(3):
            broker.script_flush()
            fail(breaker)
            assert rates.take("smtp", 1, Limits(per_day=3)).is_shared
        assert breaker.allow("smtp") is None
    broker.delete(KEY, RATES + "smtp")


def test_a_redis_that_answers_with_an_error_stops_no_mail(stack: EmbeddedStack, broker: redis.Redis) -> None:
    broker.delete(KEY, RATES + "smtp")
    broker.set(RATES + "smtp", "not a hash")
    with connect(stack.env["REDIS_URL"]) as client:
        assert not Rates(SharedRedis(client)).take("smtp", 5, Limits(per_day=3)).is_shared
    broker.delete(KEY, RATES + "smtp")
