"""SMS and chat messages on their way: each once, by the first service that takes them, with a timeline that says so."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
import redis
from sqlalchemy import Connection, text

from app.delivery.channels.claims import claim_message
from app.delivery.channels.outcomes import write_sent
from app.delivery.channels.recovery import are_due, recover_messages
from app.models import db
from app.models.base import utc_now
from tests.delivery.test_outbox import handed_over
from tests.servers.gateway import Answers, Gateway, Taken
from tests.support.channels import OTHER_PHONE, PHONE, make_due, message, row, run, service, story
from tests.support.sending import refused_port


def test_a_message_is_handed_over_after_its_commit_and_arrives_once(gateway: Gateway, broker: redis.Redis) -> None:
    service(gateway.url)
    sms = message()
    assert handed_over(broker) == [sms]
    assert run([sms]) == {"sent": 1}
    assert run() == {}
    assert gateway.offered == [Taken(PHONE, "News", "The harbour opens.")]
    assert story(sms) == ["queued", "sending", "sent gate"]
    assert (row(sms).status, row(sms).attempts, row(sms).service, row(sms).last_error) == ("sent", 1, "gate", None)


def test_sms_and_chat_each_take_their_own_services(gateway: Gateway, other: Gateway) -> None:
    service(gateway.url)
    service(other.url, "talk", "chat")
    message()
    message("#news@example.org", "chat")
    assert run() == {"sent": 2}
    assert [each.to for each in gateway.offered] == [PHONE]
    assert [each.to for each in other.offered] == ["#news@example.org"]


@pytest.mark.parametrize(
    ("answer", "status", "kind"),
    [
        (Answers(503), "deferred", "transient"),
        (Answers(429, {"Retry-After": "600"}), "deferred", "throttled"),
        (Answers(401), "deferred", "configuration"),
        (Answers(302, {"Location": "http://127.0.0.1:1/"}), "deferred", "configuration"),
        (Answers(422), "failed", "permanent"),
        (Answers(0), "uncertain", "transient"),
    ],
)
def test_what_a_service_answers_decides_what_becomes_of_a_message(
    gateway: Gateway, answer: Answers, status: str, kind: str
) -> None:
    service(gateway.url)
    sms = message()
    gateway.script = [answer]
    assert run() == {status: 1}
    found = row(sms)
    assert (found.status, found.error_class, found.attempts, found.service) == (status, kind, 1, "gate")
    assert story(sms) == ["queued", "sending", f"{status} gate"]
    assert len(gateway.offered) == 1
    if kind == "throttled":
        assert found.next_attempt_at > utc_now() + timedelta(seconds=590)


def test_a_service_is_tried_as_often_as_was_declared(gateway: Gateway) -> None:
    service(gateway.url, max_attempts=2)
    sms = message()
    gateway.script = [Answers(503)] * 3
    assert run() == {"deferred": 1}
    assert run() == {}
    make_due()
    assert run() == {"failed": 1}
    assert len(gateway.offered) == row(sms).attempts == 2
    assert story(sms) == ["queued", "sending", "deferred gate", "sending", "failed gate"]


def test_the_next_service_takes_what_the_first_cannot(gateway: Gateway) -> None:
    service(f"json://127.0.0.1:{refused_port()}/{{to}}", "away")
    service(gateway.url, "second")
    sms = message()
    assert run() == {"sent": 1}
    assert story(sms) == ["queued", "sending", "rerouted away", "sent second"]


def test_what_is_the_messages_own_fault_is_not_given_to_the_next_service(gateway: Gateway, other: Gateway) -> None:
    service(gateway.url)
    service(other.url, "second")
    gateway.script = [Answers(400)]
    message()
    assert run() == {"failed": 1}
    assert other.offered == []


def test_a_service_that_is_away_is_left_alone_and_nothing_more_is_claimed(sending: None) -> None:
    service(f"json://127.0.0.1:{refused_port()}/{{to}}", "away")
    waiting = [message() for _ in range(8)]
    assert run() == {"deferred": 5}
    assert [row(each).status for each in waiting] == ["deferred"] * 5 + ["queued"] * 3


def test_a_message_in_doubt_is_tried_again_unless_the_settings_hold_it(
    gateway: Gateway, connection: Connection
) -> None:
    service(gateway.url, max_attempts=2)
    sms = message()
    gateway.script = [Answers(0)]
    assert run() == {"uncertain": 1}
    make_due()
    connection.execute(text("UPDATE settings SET uncertain_mails = 'hold'"))
    assert recover_messages(connection) == (0, 0)
    connection.execute(text("UPDATE settings SET uncertain_mails = 'retry'"))
    assert recover_messages(connection) == (0, 1)
    assert run() == {"sent": 1}
    assert story(sms) == ["queued", "sending", "uncertain gate", "queued", "sending", "sent gate"]


def test_the_message_of_a_worker_that_died_is_uncertain_and_its_late_outcome_is_not_written(
    gateway: Gateway, connection: Connection
) -> None:
    service(gateway.url)
    sms = message()
    claimed = claim_message(connection, "sms")
    assert claimed is not None
    assert claim_message(connection, "sms") is None
    assert recover_messages(connection) == (0, 0)
    connection.execute(text("UPDATE channel_messages SET lease_until = now() - interval '1 second'"))
    assert recover_messages(connection) == (1, 1)
    write_sent(connection, claimed, "gate")
    assert row(sms).status == "queued"
    assert are_due(connection)
    assert run() == {"sent": 1}
    assert story(sms) == ["queued", "sending", "uncertain", "queued", "sending", "sent gate"]


def test_without_a_service_nothing_waits_for_one(database: None) -> None:
    sms = message()
    assert run() == {"suppressed": 1}
    assert "No service for sms" in row(sms).last_error


@pytest.mark.parametrize("recipient", ["+4930901820", "#team"])
def test_outside_production_nothing_leaves_to_people_who_were_not_allowed_by_name(
    gateway: Gateway, recipient: str
) -> None:
    channel = "sms" if recipient[0] == "+" else "chat"
    service(gateway.url, channel=channel)
    first, second = message(recipient, channel), message(recipient, channel)
    assert run([first]) == {"suppressed": 1}
    assert run([second], allowed_recipients=(recipient,)) == {"sent": 1}
    assert "MAIL_ALLOWED_RECIPIENTS" in row(first).last_error
    assert len(gateway.offered) == 1


def test_a_message_that_is_days_old_was_for_another_day(gateway: Gateway) -> None:
    service(gateway.url)
    message(time=utc_now() - timedelta(days=3))
    assert run() == {"failed": 1}
    assert gateway.offered == []


def test_a_service_in_a_private_network_is_not_asked(gateway: Gateway) -> None:
    service(gateway.url)
    sms = message()
    assert run(allow_private_hosts=False) == {"deferred": 1}
    assert row(sms).error_class == "configuration"
    assert "not in the public Internet" in row(sms).last_error
    assert gateway.offered == []


def test_neither_the_row_nor_the_log_has_a_piece_of_the_services_address(
    gateway: Gateway, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = f"{gateway.url}?-key=hunter2-hunter2"
    service(secret)
    ids = [message(), message(OTHER_PHONE)]
    gateway.script = [Answers(500), Answers(0)]
    run()
    told = str([row(each).last_error for each in ids])
    told += str(db.session.execute(text("SELECT * FROM channel_message_events")).all())
    # What other libraries log goes nowhere (app/logs.py); what is Apprise's own must not even reach the root.
    logged = "".join(record.getMessage() for record in caplog.records if record.name.startswith("app."))
    seen = told + logged + str(capfd.readouterr())
    for piece in ("Sesame", "hunter2", "127.0.0.1:"):
        assert piece not in seen
    assert "error=500" in told
    assert logging.getLogger("apprise").propagate is False
    assert PHONE not in logged
