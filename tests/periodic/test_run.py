"""Several runs at once, runs that die, and events that fail: everybody is told, and once."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import Connection, insert, text
from sqlalchemy.exc import OperationalError

from app.embedded.stack import EmbeddedStack
from app.models import EventInvoice, Mail, Notification, Order, Reminder, Speaker, User, db
from app.models.base import utc_now
from app.periodic.run import run_periodic
from app.periodic.work import Outcome
from tests.conftest import People
from tests.support.api import Api
from tests.support.calendar import DAY, at, create_event, create_speaker, run_at
from tests.support.processes import ROOT, plain_environment, wait_for
from tests.support.rows import count, mailed, notified, statements

ZONE = "Europe/Berlin"
# On this day an invoice is due, an event begins in two days, one ended three days ago, and an order has expired.
NOW = at(ZONE, 2026, 11, 3, 12, 0)
ALL = {"Next Event", "After Event", "Mail Expired Orders", "Monthly Payment Email"}


@pytest.fixture
def owner(people: People) -> User:
    return people.user("owner@example.org")


@pytest.fixture
def due(people: People, api: Api, owner: User) -> None:
    """One thing of each kind that is due on that day."""
    mine = api.as_(owner)
    for begins in (NOW + 2 * DAY, NOW - 4 * DAY):
        event = create_event(mine, begins, begins + DAY)
        create_speaker(mine, event, "speaker@example.org")
    buyer = people.user("buyer@example.org")
    sold = {"event": event, "user": buyer, "amount": Decimal(100), "currency": "EUR"}
    db.session.add(Order(**sold, status="completed", completed_at=NOW - 5 * DAY, changed_at=NOW - 5 * DAY))
    db.session.add(Order(**sold, status="pending", changed_at=NOW - DAY))
    db.session.execute(text("UPDATE settings SET service_fee = 10"))
    db.session.commit()


def check_that_each_was_told_once() -> None:
    both = ["owner@example.org", "speaker@example.org"]
    assert (mailed("Next Event"), mailed("After Event")) == (both, both)
    assert (notified("Next Event"), notified("After Event")) == (both[:1], both[:1])
    assert mailed("Mail Expired Orders") == ["buyer@example.org"]
    assert mailed("Monthly Payment Email") == notified("Monthly Payment Notification") == both[:1]
    assert (count(Mail), count(Notification), count(Reminder), count(EventInvoice)) == (6, 3, 2, 1)


@contextmanager
def nobody_may_add_mails() -> Iterator[Connection]:
    """Whoever queues a mail within the block waits for its end: after the marker and before the commit."""
    with db.engine.connect() as connection:
        # A test that fails within ends its lock some time, instead of waiting for ever for itself.
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = '90s'"))
        connection.execute(text("LOCK TABLE mails IN EXCLUSIVE MODE"))
        yield connection


def waiting() -> int:
    """How many connections wait for a lock of another."""
    with db.engine.connect() as connection:
        waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        return connection.execute(text(waits)).scalar_one()


def test_runs_at_once_send_everything_once(app: Flask, due: None) -> None:
    outcomes: list[Outcome] = []

    def run() -> None:
        with app.app_context():
            outcomes.extend(run_periodic(NOW))

    threads = [threading.Thread(target=run) for _ in range(4)]
    with nobody_may_add_mails():
        for thread in threads:
            thread.start()
        # All of them have seen the same events, and are in the middle of them or at a marker of another.
        wait_for(lambda: waiting() >= 3, "runs that wait for each other")
    for thread in threads:
        thread.join(60)
    assert [each.error for each in outcomes if each.error] == []
    assert sorted(each.action for each in outcomes) == sorted(ALL)
    check_that_each_was_told_once()


@pytest.mark.slow
def test_a_run_that_is_killed_between_a_marker_and_its_messages_leaves_neither_and_the_next_one_sends(
    stack: EmbeddedStack, people: People, api: Api, owner: User
) -> None:
    create_event(api.as_(owner), utc_now() + 3 * DAY, timezone=ZONE)
    command = [sys.executable, "manage.py", "periodic"]
    with nobody_may_add_mails():
        process = subprocess.Popen(command, cwd=ROOT, env=plain_environment(**stack.env))
        wait_for(lambda: waiting() == 1, "the run")
        process.kill()
        process.wait()
    wait_for(lambda: waiting() == 0, "the end of what it had begun")
    assert (count(Reminder), count(Mail), count(Notification)) == (0, 0, 0)
    assert run_at(utc_now()) == ["Next Event: Harbour Conference"]
    assert (mailed("Next Event"), notified("Next Event")) == (["owner@example.org"], ["owner@example.org"])


def test_an_event_that_fails_stops_no_other_and_is_told_when_it_is_mended(
    api: Api, due: None, owner: User, caplog: pytest.LogCaptureFixture
) -> None:
    broken = [create_event(api.as_(owner), NOW + timedelta(hours=hours), name=f"Broken {hours}") for hours in (1, 100)]
    db.session.execute(text("ALTER TABLE mails ADD CONSTRAINT whole CHECK (subject NOT LIKE 'Broken 1 %')"))
    db.session.execute(text("UPDATE events SET timezone = 'Europe/Atlantis' WHERE id = :id"), {"id": broken[1].id})
    db.session.commit()
    try:
        with caplog.at_level(logging.ERROR, "app.periodic"):
            outcomes = run_periodic(NOW)
    finally:
        db.session.rollback()
        db.session.execute(text("ALTER TABLE mails DROP CONSTRAINT whole"))
        db.session.commit()
    assert {each.action for each in outcomes if each.error is None} == ALL
    assert [(each.about, (each.error or "").partition(":")[0]) for each in outcomes if each.error] == [
        (str(broken[0].id), "CheckViolation"),
        (str(broken[1].id), "ZoneInfoNotFoundError"),
    ]
    assert len(caplog.records) == 2
    assert "owner@example.org" not in caplog.text
    check_that_each_was_told_once()
    db.session.execute(text("UPDATE events SET timezone = :zone"), {"zone": ZONE})
    db.session.commit()
    assert run_at(NOW) == ["Next Event: Broken 1", "Next Event: Broken 100"]


def test_an_address_that_cannot_be_one_keeps_nobody_else_from_being_told(api: Api, owner: User) -> None:
    event = create_event(api.as_(owner), NOW + DAY)
    for address in ("two@example.org, three@example.org", "line\nbreak@example.org", "last@example.org"):
        db.session.add(Speaker(name="Ana", email=address, event_id=event.id))
    db.session.commit()
    run_at(NOW)
    assert mailed("Next Event") == ["last@example.org", "owner@example.org"]


def test_a_lost_connection_ends_the_run_and_the_next_one_goes_on(app: Flask, due: None) -> None:
    def cut() -> None:
        kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        with app.app_context():
            wait_for(lambda: waiting() == 1, "the run")
            with db.engine.connect() as connection:
                connection.execute(text(kill))

    cutter = threading.Thread(target=cut)
    with nobody_may_add_mails():
        cutter.start()
        with pytest.raises(OperationalError):
            run_periodic(NOW)
        cutter.join(60)
    db.session.rollback()
    assert (count(Reminder), count(Mail)) == (0, 0)
    run_at(NOW)
    check_that_each_was_told_once()


def test_a_run_whose_time_is_over_leaves_the_rest_to_the_next(due: None) -> None:
    for _ in ALL:
        assert len(run_periodic(NOW, seconds=0)) == 1
    assert run_periodic(NOW, seconds=0) == []
    check_that_each_was_told_once()


def test_an_event_that_is_deleted_while_a_run_has_it_before_it_tells_nobody(app: Flask, api: Api, owner: User) -> None:
    event = create_event(api.as_(owner), NOW + DAY)

    def run() -> None:
        with app.app_context():
            run_periodic(NOW)

    thread = threading.Thread(target=run)
    with db.engine.begin() as connection:
        connection.execute(text("UPDATE events SET deleted_at = now() WHERE id = :id"), {"id": event.id})
        thread.start()
        wait_for(lambda: waiting() == 1, "the run")
    thread.join(60)
    assert (count(Mail), count(Notification), count(Reminder)) == (0, 0, 0)


def test_a_large_event_is_one_transaction_of_few_statements(api: Api, owner: User) -> None:
    event = create_event(api.as_(owner), NOW + DAY)
    people = [{"email": f"speaker{n}@example.org", "is_verified": n % 2 == 0} for n in range(1000)]
    db.session.execute(insert(User), people)
    speakers = [{"name": "Ana", "email": f"speaker{n}@example.org", "event_id": event.id} for n in range(1000)]
    db.session.execute(insert(Speaker), speakers)
    db.session.commit()
    with statements() as seen:
        run_at(NOW)
    assert (count(Mail), count(Notification)) == (1001, 501)
    assert len(seen) < 40


def test_nothing_is_due_in_an_empty_database(database: None) -> None:
    assert run_periodic(datetime(2026, 11, 1, tzinfo=UTC)) == []
