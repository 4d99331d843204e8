"""Signs of life: who was heard from, and how long ago."""

from __future__ import annotations

import redis

from app.delivery.services.shared_redis import SharedRedis, connect
from app.delivery.tasks import sweep
from app.delivery.watch.heartbeat import HEARD_WITHIN, SWEEP, SWEEPS, WORKERS, heard, leave, note
from app.embedded.stack import EmbeddedStack
from tests.support.processes import free_port


def shared(stack: EmbeddedStack) -> SharedRedis:
    return SharedRedis(connect(stack.env["REDIS_URL"]))


def test_who_was_heard_from_is_known_until_it_says_goodbye(stack: EmbeddedStack, database: None) -> None:
    workers = shared(stack)
    assert heard(workers.client, WORKERS) == {}
    for name in ("one@host", "two@host"):
        note(workers, WORKERS, name)
    seconds = heard(workers.client, WORKERS)
    assert seconds.keys() == {"one@host", "two@host"}
    assert all(0 <= value < HEARD_WITHIN for value in seconds.values())
    leave(workers, WORKERS, "one@host")
    assert heard(workers.client, WORKERS).keys() == {"two@host"}


def test_a_worker_that_died_is_told_of_for_an_hour_and_then_forgotten(stack: EmbeddedStack, database: None) -> None:
    workers = shared(stack)
    now = workers.client.time()[0]
    workers.client.hset(WORKERS, mapping={"old@host": now - 3601, "dead@host": now - 3000, "broken@host": "x"})
    note(workers, WORKERS, "new@host")
    seconds = heard(workers.client, WORKERS)
    assert seconds.keys() == {"dead@host", "new@host"}
    assert 3000 <= seconds["dead@host"] < 3100
    assert 0 < workers.client.ttl(WORKERS) <= 3600


def test_a_sweep_shows_that_beat_and_a_worker_work_together(broker: redis.Redis, database: None) -> None:
    sweep()
    assert [name.decode() for name in broker.hkeys(SWEEPS)] == [SWEEP]


def test_without_redis_nothing_happens(database: None) -> None:
    with connect(f"redis://127.0.0.1:{free_port()}/0") as client:
        note(SharedRedis(client), WORKERS, "one@host")
        leave(SharedRedis(client), WORKERS, "one@host")
