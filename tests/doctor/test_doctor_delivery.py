"""What the doctor says of breakers, beat, recipients, retention and mails in doubt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, text

from app.delivery.services.breaker import Breaker
from app.delivery.services.circuit import Policy
from app.delivery.services.shared_redis import SharedRedis, connect
from app.delivery.watch.heartbeat import SWEEP, SWEEPS, note
from app.doctor.breakers import check_beat, check_breakers
from app.doctor.database import open_database, reading
from app.doctor.findings import Finding
from app.doctor.queue import check_queue
from app.doctor.recipients import check_recipients
from app.doctor.retention import check_retention
from app.embedded.stack import EmbeddedStack
from app.models import db
from tests.support.sending import queue, refused_port


@pytest.fixture
def url(stack: EmbeddedStack, database: None) -> str:
    return stack.env["REDIS_URL"]


def look(check: Callable[[Connection], list[Finding]]) -> list[Finding]:
    engine = open_database(str(db.engine.url.render_as_string(hide_password=False)))
    with reading(engine) as connection:
        return check(connection)


def change(statement: str, **values: Any) -> None:
    """Change rows as they stand, without the triggers: a status may follow on any other."""
    db.session.execute(text("SET LOCAL session_replication_role = replica"))
    db.session.execute(text(statement), values)
    db.session.commit()


def test_an_open_breaker_is_a_warning_and_the_others_are_in_order(url: str) -> None:
    permit = Breaker(SharedRedis(connect(url)), Policy(failures=1)).allow("second")
    assert permit is not None
    permit.failed("connection")
    found = check_breakers(url, ["smtp", "second"])
    assert [(finding.where, finding.level) for finding in found] == [("smtp", "ok"), ("second", "warning")]
    assert "It is open" in found[1].what


def test_beat_is_heard_by_its_sweeps(url: str) -> None:
    shared = SharedRedis(connect(url))
    (nothing,) = check_beat(url)
    assert nothing.level == "problem"
    note(shared, SWEEPS, SWEEP)
    (fresh,) = check_beat(url)
    assert fresh.level == "ok"
    shared.client.hset(SWEEPS, SWEEP, shared.client.time()[0] - 600)
    (old,) = check_beat(url)
    assert old.level == "problem"
    assert "no sweep for 60" in old.what
    assert "celery beat" in old.advice


def test_a_broker_that_is_away_is_not_told_of_twice() -> None:
    assert check_beat(f"redis://127.0.0.1:{refused_port()}/0") == []


@pytest.mark.parametrize(
    ("status", "count", "level"),
    [
        ("bounced", 9, None),
        ("bounced", 10, "warning"),
        ("bounced", 20, "problem"),
        ("complained", 2, None),
        ("complained", 3, "problem"),
        ("suppressed", 19, None),
        ("suppressed", 60, "warning"),
    ],
)
def test_bounces_complaints_and_suppressions_are_judged_by_their_share(
    database: None, status: str, count: int, level: str | None
) -> None:
    queue(300)
    change("UPDATE mails SET status = 'sent', sent_at = now()")
    change("UPDATE mails SET status = :status WHERE id <= :count", status=status, count=count)
    (found,) = look(check_recipients)
    assert found.level == (level or "ok")
    if level:
        assert found.what.startswith(f"{count} of the newest 300 mails (")


def test_without_mails_nothing_is_said_of_recipients(database: None) -> None:
    (found,) = look(check_recipients)
    assert found.level == "ok"


def test_what_is_kept_for_ever_is_a_warning(database: None) -> None:
    assert [finding.level for finding in look(check_retention)] == ["ok"]
    change("UPDATE settings SET mail_body_days = NULL, mail_problem_days = NULL")
    found = look(check_retention)
    assert [(finding.where, finding.level) for finding in found] == [
        ("mail-body-days", "warning"),
        ("mail-problem-days", "warning"),
    ]


def test_what_should_have_been_removed_long_ago_is_a_warning(database: None) -> None:
    queue(3)
    change("UPDATE mails SET status = 'failed', give_up_at = now() - interval '90 days' WHERE id = 1")
    assert [finding.level for finding in look(check_retention)] == ["ok"]
    change("UPDATE mails SET status = 'failed', give_up_at = now() - interval '100 days'")
    (found,) = look(check_retention)
    assert found.level == "warning"
    assert found.what.startswith("3 bodies, rows and keys")
    assert "manage.py retention" in found.advice


def test_mails_in_doubt_are_told_with_how_to_settle_them(database: None) -> None:
    queue(2)
    change("UPDATE mails SET status = 'uncertain'")
    (_, retried) = look(check_queue)
    assert retried.what == "Of 2 mails nobody knows whether the server has taken them."
    assert "manage.py mail settle" in retried.advice
    assert "tried again by themselves" in retried.advice
    change("UPDATE settings SET uncertain_mails = 'hold'")
    (_, held) = look(check_queue)
    assert "tried again by themselves" not in held.advice


def test_a_mail_whose_time_has_come_and_that_nobody_takes_is_late(database: None) -> None:
    queue()
    change("UPDATE mails SET status = 'scheduled', next_attempt_at = now() + interval '1 hour'")
    assert [finding.level for finding in look(check_queue)] == ["ok"]
    change("UPDATE mails SET next_attempt_at = now() - interval '1 hour'")
    assert [finding.level for finding in look(check_queue)] == ["problem"]
