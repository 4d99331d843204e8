"""From service to service: real SMTP servers, a stand-in for SendGrid, and a real Valkey between the workers."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import redis
from aiosmtpd.smtp import Envelope
from flask import current_app
from sqlalchemy import text

from app.delivery import claims
from app.delivery.sender import drain
from app.delivery.services.breaker import KEY
from app.delivery.services.circuit import Circuit, to_text
from app.delivery.services.failover import counters
from app.delivery.services.registry import close_transport
from app.models import MailService, Setting, db
from tests.conftest import People
from tests.servers.sendgrid import KEY as SENDGRID_KEY
from tests.servers.sendgrid import Says, SendGridServer
from tests.servers.smtp import HOST, Drop, RecordingSmtp, ScriptedSmtp
from tests.support.api import Api
from tests.support.processes import free_port
from tests.support.sending import make_due, patch_settings, point_at, queue, refused_port, row, rows
from tests.support.sending import run as run_and_keep

pytestmark = pytest.mark.usefixtures("sending")


@pytest.fixture(autouse=True)
def _nothing_rests() -> Iterator[None]:
    """A process that has met no failure yet."""
    counters.cache_clear()
    yield
    counters.cache_clear()


def add(name: str, port: int, **others: Any) -> None:
    values = {"smtp_host": HOST, "smtp_port": port, "smtp_encryption": "none", **others}
    db.session.add(MailService(name=name, **values))
    db.session.commit()


@contextmanager
def two_servers(port: int | None = None) -> Iterator[RecordingSmtp]:
    """A server in the settings, by default one that is away, and behind it one that takes every mail."""
    with RecordingSmtp() as second:
        point_at(refused_port() if port is None else port)
        add("second", second.port)
        yield second


def run(**changes: Any) -> Counter[str]:
    """Send what is due, and leave the servers, which wait for that when they end."""
    tally = run_and_keep(**changes)
    close_transport()
    return tally


def timeline(mail_id: int) -> list[tuple[str, str | None]]:
    entries = db.session.execute(
        text("SELECT event, provider FROM mail_events WHERE mail_id = :id ORDER BY id"), {"id": mail_id}
    )
    found = [(entry.event, entry.provider) for entry in entries]
    db.session.rollback()
    return found


def statuses() -> Counter[str]:
    return Counter(mail.status for mail in rows())


def breaker_state(service: str) -> str:
    return counters(current_app.config["USHER"].redis_url).breaker.states([service])[service]


def set_breaker(broker: redis.Redis, service: str, seconds_ago: float) -> None:
    """Open the breaker, so many seconds ago."""
    seconds, microseconds = broker.time()
    broker.hset(KEY, service, to_text(Circuit(trips=1, opened_at=seconds + microseconds / 1e6 - seconds_ago)))


def test_while_the_smtp_server_is_away_sendgrid_takes_the_mails_under_the_same_message_id() -> None:
    point_at(refused_port())
    db.session.add(MailService(name="grid", email_service="sendgrid", sendgrid_key=SENDGRID_KEY))
    db.session.commit()
    ids = queue(3)
    with SendGridServer() as server:
        assert run(sendgrid_api_url=server.url) == {"sent": 3}
        written = [mail["headers"]["Message-ID"] for mail in server.mails]
    assert written == [f"<{row(mail_id).message_id}>" for mail_id in ids]
    assert {(mail.provider, mail.attempts) for mail in rows()} == {("grid", 1)}
    assert timeline(ids[0]) == [("queued", None), ("sending", None), ("rerouted", "smtp"), ("sent", "grid")]
    assert timeline(ids[1]) == [("queued", None), ("sending", None), ("sent", "grid")]
    said = "SELECT text FROM mail_events WHERE event = 'rerouted'"
    assert "Connection refused" in db.session.execute(text(said)).scalar_one()


def test_a_second_smtp_server_takes_what_the_first_puts_off() -> None:
    script = ["250 Ok", "421 4.7.0 too many messages, slow down"]
    with ScriptedSmtp(mail=script) as first, two_servers(first.port) as second:
        queue(4)
        assert run() == {"sent": 4}
        assert (len(first.messages), len(second.messages)) == (1, 3)
    assert [mail.provider for mail in rows()] == ["smtp", "second", "second", "second"]


def test_services_are_tried_in_the_order_of_their_position_and_only_enabled_ones() -> None:
    with RecordingSmtp() as off, RecordingSmtp() as late, RecordingSmtp() as early:
        point_at(refused_port())
        add("late", late.port, position=2)
        add("early", early.port, position=1)
        add("off", off.port, is_enabled=False)
        queue(2)
        assert run() == {"sent": 2}
        assert (len(early.envelopes), len(late.envelopes), len(off.envelopes)) == (2, 0, 0)


@pytest.mark.parametrize(
    ("script", "status", "provider"),
    [
        ({"rcpt": "550 5.1.1 no such user"}, "failed", "smtp"),
        ({"rcpt": "450 4.2.1 mailbox busy"}, "deferred", "smtp"),
        ({"message": "554 5.7.1 spam"}, "failed", "smtp"),
        ({"message": "451 4.3.0 try again later"}, "deferred", "smtp"),
        ({"message": Drop()}, "uncertain", "smtp"),
    ],
)
def test_what_is_the_mails_own_fault_or_in_doubt_does_not_go_to_the_next_service(
    script: dict[str, Any], status: str, provider: str
) -> None:
    with ScriptedSmtp(**script) as first, two_servers(first.port) as second:
        [mail_id] = queue()
        assert run() == {status: 1}
        assert second.envelopes == []
    assert row(mail_id).provider == provider
    assert timeline(mail_id)[2:] == [(status, provider)]


@pytest.mark.parametrize(
    "script", [{"greeting": Drop()}, {"greeting": "554 go away"}, {"ehlo": "421 no"}, {"mail": "450 4.7.1 rate limit"}]
)
def test_what_is_the_servers_fault_does(script: dict[str, Any]) -> None:
    with ScriptedSmtp(**script) as first, two_servers(first.port) as second:
        queue()
        assert run() == {"sent": 1}
        assert len(second.envelopes) == 1


def test_when_all_fail_the_mail_waits_by_the_last_that_time_may_mend() -> None:
    point_at(refused_port())
    with ScriptedSmtp("AUTH PLAIN", auth="535 5.7.8 no") as second:
        add("second", second.port, smtp_username="usher", smtp_password="wrong")
        [mail_id, other] = queue(2)
        assert run() == {"deferred": 2}
        assert second.connections == 1
    mail = row(mail_id)
    assert (mail.error_class, mail.provider, mail.attempts) == ("connection", "smtp", 1)
    assert timeline(mail_id)[2:] == [("rerouted", "smtp"), ("rerouted", "second"), ("deferred", "smtp")]
    assert (row(other).error_class, row(other).attempts) == ("configuration", 0)


def test_a_service_that_lacks_something_is_left_out_and_all_that_do_are_a_matter_of_the_settings() -> None:
    with RecordingSmtp() as second:
        point_at(second.port, smtp_host=None)
        add("second", second.port, smtp_host=None)
        queue(2)
        assert run() == {"deferred": 2}
        assert {(mail.error_class, mail.provider, mail.attempts) for mail in rows()} == {("configuration", "smtp", 0)}
        assert "PATCH /v1/settings/1 with smtp-host" in rows()[0].last_error
        add("third", second.port)
        make_due()
        assert run() == {"sent": 2}


def test_a_refused_login_is_not_tried_at_every_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.delivery.pace.FIRST", 1)
    monkeypatch.setattr(claims, "BATCH", 1)
    with ScriptedSmtp("AUTH PLAIN", auth="535 5.7.8 no") as first, two_servers(first.port) as second:
        point_at(first.port, smtp_username="usher")
        db.session.execute(text("UPDATE mail_services SET position = 1"))
        db.session.commit()
        set_settings(smtp_password="wrong")
        queue(5)
        assert run() == {"sent": 5}
        assert (first.connections, len(second.envelopes)) == (1, 5)
        set_settings(smtp_password="still wrong")
        queue(2)
        assert run() == {"sent": 2}
        assert first.connections == 2, "other settings are tried at once"


def set_settings(**values: Any) -> None:
    for name, value in values.items():
        setattr(db.session.get_one(Setting, 1), name, value)
    db.session.commit()


def test_after_five_failures_a_dead_server_is_asked_by_no_mail_and_no_mail_is_claimed_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with ScriptedSmtp(greeting=Drop()) as server:
        point_at(server.port)
        ids = queue(1)
        for _ in range(5):
            assert run() == {"deferred": 1}
            make_due()
        assert breaker_state("smtp") == "open"
        ids += queue(3)
        before = timeline(ids[0])
        for _ in range(3):
            assert run() == {}
        assert server.connections == 5
    assert [mail.status for mail in rows()] == ["deferred", "queued", "queued", "queued"]
    assert timeline(ids[0]) == before, "waiting leaves no entries"
    assert timeline(ids[1]) == [("queued", None)]


def test_an_open_breaker_sends_all_to_the_next_service_without_asking_the_first(broker: redis.Redis) -> None:
    with RecordingSmtp() as first, two_servers(first.port) as second:
        set_breaker(broker, "smtp", seconds_ago=1)
        queue(3)
        assert run() == {"sent": 3}
        assert (first.connections, len(second.envelopes)) == (0, 3)
    assert {len(timeline(mail.id)) for mail in rows()} == {3}, "nothing was rerouted"


def test_one_mail_probes_a_service_that_has_rested_and_when_it_is_taken_the_others_follow(broker: redis.Redis) -> None:
    with RecordingSmtp() as first, two_servers(first.port) as second:
        set_breaker(broker, "smtp", seconds_ago=60)
        queue(5)
        assert run() == {"sent": 5}
        assert breaker_state("smtp") == "closed"
        assert len(first.envelopes) >= 1
        assert len(first.envelopes) + len(second.envelopes) == 5
        queue(3)
        taken = len(first.envelopes)
        assert run() == {"sent": 3}
        assert len(first.envelopes) == taken + 3


def test_a_probe_that_fails_keeps_the_others_away(broker: redis.Redis) -> None:
    with ScriptedSmtp(greeting=Drop()) as server:
        point_at(server.port)
        set_breaker(broker, "smtp", seconds_ago=60)
        queue(5)
        assert run() == {"deferred": 1}
        assert server.connections == 1
        assert breaker_state("smtp") == "open"
    assert statuses() == {"deferred": 1, "queued": 4}


def test_better_settings_let_mails_go_at_once_though_the_breaker_was_open(
    api: Api, people: People, broker: redis.Redis
) -> None:
    with RecordingSmtp() as server:
        point_at(refused_port())
        queue(2)
        assert run() == {"deferred": 2}
        set_breaker(broker, "smtp", seconds_ago=1)
        assert run() == {}
        assert patch_settings(api.as_(people.admin()), smtp_port=server.port) == 200
        assert run() == {"sent": 2}


def test_without_redis_mail_goes_and_fails_over_all_the_same() -> None:
    with two_servers() as second:
        db.session.execute(text("UPDATE mail_services SET mails_per_day = 100"))
        db.session.commit()
        queue(3)
        assert run(redis_url=f"redis://{HOST}:{free_port()}/0") == {"sent": 3}
        assert len(second.envelopes) == 3


def test_a_days_quota_is_kept_and_what_is_above_it_goes_to_the_next_service() -> None:
    with RecordingSmtp() as first, two_servers(first.port) as second:
        point_at(first.port, mails_per_day=3)
        queue(8)
        assert run() == {"sent": 8}
        assert (len(first.envelopes), len(second.envelopes)) == (3, 5)
    assert [mail.provider for mail in rows()] == ["smtp"] * 3 + ["second"] * 5


def test_with_the_quota_used_up_mails_wait_in_the_queue_without_entries_and_leave_when_it_is_raised(
    api: Api, people: People
) -> None:
    with RecordingSmtp() as server:
        point_at(server.port, mails_per_day=2)
        ids = queue(4)
        assert run() == {"sent": 2}
        assert [run() for _ in range(3)] == [{}, {}, {}]
        assert statuses() == {"sent": 2, "queued": 2}
        assert timeline(ids[3]) == [("queued", None)]
        admin = api.as_(people.admin())
        assert patch_settings(admin, mails_per_day=3) == 200
        assert run() == {"sent": 1}
        assert patch_settings(admin, mails_per_day=None) == 200
        assert run() == {"sent": 1}


def test_what_is_granted_and_not_used_is_given_back() -> None:
    with RecordingSmtp() as server:
        point_at(server.port, mails_per_day=10)
        for _ in range(5):
            queue(2)
            assert run() == {"sent": 2}
        queue()
        assert run() == {}
        assert len(server.envelopes) == 10


def test_a_mail_that_used_up_two_grants_leaves_the_last_of_its_batch_in_the_queue() -> None:
    script = ["450 4.7.1 rate limit", "250 2.1.0 Ok"]
    with ScriptedSmtp(mail=script) as first, two_servers(first.port) as second:
        set_settings(mails_per_day=2)
        db.session.execute(text("UPDATE mail_services SET mails_per_day = 2"))
        db.session.commit()
        ids = queue(4)
        assert run() == {"sent": 3}
        assert (len(first.messages), len(second.envelopes)) == (1, 2)
    assert (row(ids[3]).status, row(ids[3]).attempts) == ("queued", 0)


def test_what_somebody_waits_for_gets_what_is_left_of_a_quota_before_the_bulk() -> None:
    with RecordingSmtp() as server:
        point_at(server.port, mails_per_day=2)
        bulk = queue(4)
        db.session.execute(text("UPDATE mails SET lane = 1"))
        db.session.commit()
        [urgent] = queue()
        assert run() == {"sent": 2}
        assert row(urgent).status == row(bulk[0]).status == "sent"


def test_certain_mails_that_meet_a_rate_do_not_wait_for_the_next_sweep() -> None:
    with RecordingSmtp() as server:
        point_at(server.port, mails_per_second=50)
        ids = queue(8)
        tally = drain(db.engine, current_app.config["USHER"], ids)
        close_transport()
        assert tally == {"sent": 8}


class _Clocked(RecordingSmtp):
    """Remembers when each mail came."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        self.times.append(time.monotonic())
        return await super().handle_DATA(server, session, envelope)


def test_two_workers_keep_to_a_rate_together() -> None:
    config = replace(current_app.config["USHER"])
    engine = db.engine
    with _Clocked() as server:
        point_at(server.port, mails_per_second=20)
        queue(30)
        with ThreadPoolExecutor(2) as workers:
            tallies = list(workers.map(lambda _: _drain_and_close(engine, config), range(2)))
    assert sum(tallies, Counter()) == {"sent": 30}
    # The servers' clock is read after the way to it: a little more than a second of the sender's fits into one of its.
    fullest = max(sum(begin <= at < begin + 0.9 for at in server.times) for begin in server.times)
    assert fullest <= 20


def _drain_and_close(engine: Any, config: Any) -> Counter[str]:
    tally = drain(engine, config)
    close_transport()
    return tally


def test_when_all_is_well_redis_is_asked_once_a_batch_and_not_for_every_mail(broker: redis.Redis) -> None:
    with RecordingSmtp() as server:
        point_at(server.port, mails_per_day=1000)
        queue(100)
        before = _calls(broker)
        assert run() == {"sent": 100}
        assert _calls(broker) - before < 60
        assert server.connections == 1


def _calls(broker: redis.Redis) -> int:
    stats = broker.info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("hget", "evalsha", "time"))


def test_a_sendgrid_that_fails_opens_its_own_breaker_only() -> None:
    with SendGridServer(script=[Says(500)]) as grid, two_servers() as second:
        set_settings(email_service="sendgrid", sendgrid_key=SENDGRID_KEY)
        queue(20)
        assert run(sendgrid_api_url=grid.url) == {"sent": 20}
        assert len(grid.requests) == 5
        assert len(second.envelopes) == 20
    assert (breaker_state("sendgrid"), breaker_state("second")) == ("open", "closed")
