"""Telling many by several workers: who is called to help, and what becomes of a fan-out whose worker is gone."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest
import redis
from flask import Flask
from kombu.exceptions import OperationalError
from sqlalchemy import text

from app.api.helpers.happenings import notify_happening
from app.delivery.handover import wait_for_hand_over
from app.happenings import tasks
from app.happenings.audience import everyone
from app.happenings.tasks import HELP_SECONDS, fan_out, sweep
from app.happenings.telling import fanout
from app.happenings.telling.fanout import work_on
from app.models import Fanout, User, db
from app.models.base import utc_now
from app.models.fanout import TELLING, TOLD

PEOPLE = 30
# Five parts: one is the first worker's, and four others could help.
PART = 7


@pytest.fixture
def happening_id(database: None, broker: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> int:
    """A happening that is to be told to thirty people in five parts; its first hand-over is lost."""
    monkeypatch.setattr(fanout, "INLINE", 3)
    monkeypatch.setattr(fanout, "PART", PART)
    db.session.add_all(User(email=f"crowd{number}@example.org") for number in range(PEOPLE))
    happening = notify_happening("sessions.session.rescheduled", "Moved", "<p>To ten</p>", users=everyone())
    db.session.commit()
    wait_for_hand_over()
    broker.delete("usher")
    return happening.id


def handed_over(broker: redis.Redis) -> list[float | None]:
    """For how many seconds each task counts that was handed over; None: for ever."""
    sent = [json.loads(raw)["headers"] for raw in broker.lrange("usher", 0, -1)]
    broker.delete("usher")
    assert {headers["task"] for headers in sent} <= {"usher.fanout"}
    ends = [headers["expires"] for headers in sent]
    return [end and (datetime.fromisoformat(end) - utc_now()).total_seconds() for end in ends]


def state(happening_id: int) -> tuple[str, int, int]:
    db.session.expire_all()
    fan = db.session.get_one(Fanout, happening_id)
    return fan.state, fan.done, fan.notifications


def test_the_first_worker_calls_as_many_others_as_find_something_to_do(happening_id: int) -> None:
    calls: list[int] = []
    assert work_on(happening_id, 0, calls.append)
    assert calls == [4]
    assert work_on(happening_id, 0, calls.append)
    assert calls == [4], "the others do not call"


def test_of_very_many_the_first_worker_calls_nobody(happening_id: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanout, "POLITE", PEOPLE - 1)
    calls: list[int] = []
    assert work_on(happening_id, 0, calls.append)
    assert calls == []


def test_while_very_many_are_left_a_worker_pauses_after_each_part(
    happening_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, pauses = 0.0, []

    class Clock:
        """Each look at it takes a second."""

        @staticmethod
        def monotonic() -> float:
            nonlocal now
            now += 1
            return now

        @staticmethod
        def sleep(seconds: float) -> None:
            pauses.append(seconds)

    monkeypatch.setattr(fanout, "time", Clock)
    monkeypatch.setattr(fanout, "POLITE", PEOPLE - 2 * PART)
    assert not work_on(happening_id, 1000)
    # After the first part 23 are left, after the second 16; the clock was looked at twice in the meantime.
    assert pauses == [2 * fanout.PAUSE]


def test_a_call_for_help_is_for_those_who_have_nothing_to_do_now(
    happening_id: int, broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "FANOUT_SECONDS", 0.0)
    fan_out([happening_id])
    *helpers, own = reversed(handed_over(broker))
    assert own is None, "what is left is handed over in any case"
    assert len(helpers) == 4
    assert all(seconds is not None and 0 < seconds <= HELP_SECONDS for seconds in helpers)


def test_without_a_broker_the_worker_tells_what_it_can(
    happening_id: int, app: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_: object, **options: object) -> None:
        raise OperationalError("Connection refused")

    monkeypatch.setattr(app.extensions["celery"], "send_task", away)
    monkeypatch.setattr(tasks, "FANOUT_SECONDS", 0.0)
    fan_out([happening_id])
    assert state(happening_id) == (TELLING, PART, PART)
    assert "The broker cannot be reached" in caplog.text


def test_the_sweep_calls_for_help_where_a_worker_is_at_it_and_for_a_worker_where_none_is(
    happening_id: int, broker: redis.Redis
) -> None:
    def swept() -> float:
        sweep()
        [seconds] = handed_over(broker)
        return seconds or 0

    assert swept() <= HELP_SECONDS, "the first hand-over may still be on its way"
    for column in ("created_at", "worked_at"):
        long_ago = utc_now() - timedelta(minutes=1)
        db.session.execute(text(f"UPDATE fanouts SET {column} = :time"), {"time": long_ago})
        db.session.commit()
        assert swept() > HELP_SECONDS, column
        assert work_on(happening_id, 0)
        assert swept() <= HELP_SECONDS, column
    assert not work_on(happening_id, 60)
    assert state(happening_id) == (TOLD, PEOPLE, PEOPLE)
    sweep()
    assert handed_over(broker) == []
