"""What the doctor says about PostgreSQL, Valkey, the workers and the queue: the real ones."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from sqlalchemy import text

from app.doctor.broker import check_broker
from app.doctor.database import check_database, open_database, reading
from app.doctor.findings import Finding
from app.doctor.queue import check_queue
from app.doctor.workers import ask_workers, check_workers
from app.embedded.stack import EmbeddedStack
from app.models import db
from app.models.base import utc_now
from tests.support.processes import ROOT, wait_for
from tests.support.sending import queue, refused_port


def of(found: list[Finding], *levels: str) -> list[Finding]:
    return [finding for finding in found if finding.level in levels]


def change(statement: str, **values: Any) -> None:
    """Change rows as they stand, without the triggers: a status may follow on any other."""
    db.session.execute(text("SET LOCAL session_replication_role = replica"))
    db.session.execute(text(statement), values)
    db.session.commit()


@pytest.fixture
def engine(database: None, stack: EmbeddedStack) -> Any:
    return open_database(stack.env["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg2://"))


def test_a_database_of_this_version_is_in_order(engine: Any) -> None:
    is_readable, found = check_database(engine)
    assert is_readable
    assert [finding.level for finding in found] == ["ok", "ok", "ok"]
    assert engine.url.password not in repr(found)


def test_a_database_that_does_not_answer_is_a_problem_that_shows_no_password() -> None:
    engine = open_database(f"postgresql+psycopg2://usher:pg-password@127.0.0.1:{refused_port()}/usher")
    is_readable, found = check_database(engine)
    assert not is_readable
    assert [finding.level for finding in found] == ["problem"]
    assert "pg-password" not in repr(found)


@pytest.mark.parametrize(("revision", "word"), [("0001", "older"), ("9999", "newer"), (None, "no tables")])
def test_tables_of_another_version_are_a_problem_that_names_it(engine: Any, revision: str | None, word: str) -> None:
    head = db.session.scalar(text("SELECT version_num FROM alembic_version"))
    change("DELETE FROM alembic_version")
    if revision:
        change("INSERT INTO alembic_version VALUES (:revision)", revision=revision)
    try:
        is_readable, found = check_database(engine)
    finally:
        change("DELETE FROM alembic_version")
        change("INSERT INTO alembic_version VALUES (:head)", head=head)
    assert not is_readable
    (problem,) = of(found, "problem")
    assert word in problem.what


@pytest.mark.parametrize(("seconds", "level"), [(0, "ok"), (10, "warning"), (-10, "warning"), (300, "problem")])
def test_a_clock_that_goes_wrong_is_seen(engine: Any, seconds: float, level: str) -> None:
    _, found = check_database(engine, lambda: utc_now() + timedelta(seconds=seconds))
    assert found[-1].level == level


def test_the_doctor_can_change_nothing(engine: Any) -> None:
    with pytest.raises(Exception, match="read-only"), reading(engine) as connection:
        connection.execute(text("DELETE FROM mails"))


def test_a_broker_that_keeps_what_it_gets_is_in_order(stack: EmbeddedStack) -> None:
    answers, found = check_broker(stack.env["REDIS_URL"])
    assert answers
    assert not of(found, "warning", "problem")


def test_a_broker_that_evicts_is_a_warning(stack: EmbeddedStack, broker: redis.Redis) -> None:
    broker.config_set("maxmemory-policy", "allkeys-lru")
    try:
        _, found = check_broker(stack.env["REDIS_URL"])
    finally:
        broker.config_set("maxmemory-policy", "noeviction")
    (warning,) = of(found, "warning", "problem")
    assert "allkeys-lru" in warning.what


def test_a_broker_that_is_nearly_full_is_a_warning(stack: EmbeddedStack, broker: redis.Redis) -> None:
    broker.config_set("maxmemory", broker.info("memory")["used_memory"])  # type: ignore[index]  # no coroutine
    try:
        _, found = check_broker(stack.env["REDIS_URL"])
    finally:
        broker.config_set("maxmemory", 0)
    (warning,) = of(found, "warning", "problem")
    assert "of the memory it may have" in warning.what


def test_a_replica_is_a_problem(stack: EmbeddedStack, broker: redis.Redis) -> None:
    broker.replicaof("127.0.0.1", refused_port())
    try:
        _, found = check_broker(stack.env["REDIS_URL"])
    finally:
        broker.replicaof("NO", "ONE")
    assert "replica" in of(found, "problem")[0].what


@pytest.fixture
def account(stack: EmbeddedStack, broker: redis.Redis) -> Iterator[str]:
    """The address of the broker for somebody who may read and write, and not ask about the server."""
    broker.acl_setuser("limited", enabled=True, passwords=["+limited-password"], keys=["*"], commands=["+ping"])
    parts = urlsplit(stack.env["REDIS_URL"])
    yield f"redis://limited:limited-password@{parts.hostname}:{parts.port}/0"
    broker.acl_deluser("limited")


def test_a_broker_that_does_not_let_us_ask_is_a_warning(account: str) -> None:
    answers, found = check_broker(account)
    assert answers
    (warning,) = of(found, "warning", "problem")
    assert "does not say" in warning.what


def test_a_wrong_password_of_the_broker_is_a_problem_that_does_not_show_it(account: str) -> None:
    answers, found = check_broker(account.replace("limited-password", "wrong-password"))
    assert not answers
    assert [finding.level for finding in found] == ["problem"]
    assert "wrong-password" not in repr(found)


def test_a_broker_that_does_not_answer_is_a_problem_that_shows_no_password() -> None:
    answers, found = check_broker(f"redis://:redis-password@127.0.0.1:{refused_port()}/0")
    assert not answers
    assert [finding.level for finding in found] == ["problem"]
    assert "redis-password" not in repr(found)


@pytest.fixture(params=["usher", "another"])
def worker(request: pytest.FixtureRequest, database: None, stack: EmbeddedStack) -> Iterator[str]:
    """A worker of ours as an operator starts it, which takes tasks from this queue."""
    command = [sys.executable, "-m", "celery", "-A", "celery_worker.celery", "worker", "--pool", "solo"]
    process = subprocess.Popen(
        [*command, "-Q", request.param], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(lambda: bool(ask_workers(stack.env["REDIS_URL"], 0.5)), "a worker")
        yield request.param
    finally:
        process.terminate()
        process.wait(30)


def test_a_worker_that_answers_is_heard_if_it_takes_our_tasks(worker: str, stack: EmbeddedStack) -> None:
    (finding,) = check_workers(stack.env["REDIS_URL"], None)
    assert finding.level == ("ok" if worker == "usher" else "problem")
    assert "celery@" in finding.what


def test_no_worker_is_a_problem(engine: Any, stack: EmbeddedStack) -> None:
    with reading(engine) as connection:
        (finding,) = check_workers(stack.env["REDIS_URL"], connection)
    assert finding.level == "problem"
    assert "celery -A" in finding.advice


@pytest.mark.parametrize(
    "sign",
    [
        "status = 'sent', sent_at = now() - interval '5 seconds'",
        "status = 'sending', claim = gen_random_uuid(), lease_until = now() + interval '10 seconds'",
    ],
)
def test_a_worker_that_does_not_answer_but_works_is_a_warning(engine: Any, stack: EmbeddedStack, sign: str) -> None:
    queue()
    change(f"UPDATE mails SET {sign}")
    for url in (stack.env["REDIS_URL"], None):
        with reading(engine) as connection:
            (finding,) = check_workers(url, connection)
        assert finding.level == "warning"


def look(engine: Any) -> list[Finding]:
    with reading(engine) as connection:
        return check_queue(connection)


def test_an_empty_queue_is_in_order(engine: Any) -> None:
    assert [finding.what for finding in look(engine)] == ["No mail waits."]


@pytest.mark.parametrize(("minutes", "level"), [(0, "ok"), (5, "warning"), (60, "problem")])
def test_mails_that_are_due_for_long_are_seen(engine: Any, minutes: int, level: str) -> None:
    queue(3)
    change(f"UPDATE mails SET next_attempt_at = now() - interval '{minutes} minutes'")
    (finding,) = look(engine)
    assert finding.level == level
    assert finding.what.startswith("3 mails wait, 3 of them are due")


def test_mails_that_wait_for_a_later_time_are_not_late(engine: Any) -> None:
    queue(2)
    change("UPDATE mails SET time = now() - interval '2 days', next_attempt_at = now() + interval '1 hour'")
    (finding,) = look(engine)
    assert finding.level == "ok"
    assert "0 of them are due; the oldest was queued 2 d ago" in finding.what


def test_mails_of_a_dead_worker_that_nobody_took_back_are_a_problem(engine: Any) -> None:
    queue(2)
    change("UPDATE mails SET status = 'sending', claim = gen_random_uuid(), lease_until = now() - interval '1 hour'")
    (problem,) = of(look(engine), "problem")
    assert "2 mails were in the hands of a worker that died" in problem.what


def test_failures_are_counted_by_reason_without_an_address(engine: Any) -> None:
    queue(3)
    change(
        "UPDATE mails SET status = 'failed', error_class = 'permanent', last_error = '550 no ' || recipient || ' here'"
    )
    found = look(engine)
    assert [finding.level for finding in found] == ["ok", "warning", "warning"]
    assert found[1].what.startswith("3 mails have failed")
    assert found[2].what == "3 mails: 550 no <address> here"
    assert found[2].where == "failed, permanent"


def test_of_many_failures_the_newest_are_asked_and_it_says_so(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.doctor.queue.NEWEST", 2)
    queue(3)
    change("UPDATE mails SET status = 'failed', error_class = 'permanent', last_error = '550 no'")
    assert look(engine)[2].what == "2 mails of the newest 2: 550 no"


def test_mails_that_wait_for_better_settings_are_a_problem(engine: Any) -> None:
    queue()
    change(
        "UPDATE mails SET status = 'deferred', error_class = 'configuration', last_error = 'No SMTP server is set.',"
        " next_attempt_at = now() + interval '10 minutes'"
    )
    (problem,) = of(look(engine), "problem")
    assert "/v1/settings/1" in problem.advice
