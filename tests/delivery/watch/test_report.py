"""What a worker tells of its sends: counts for the metrics, and log lines that name the mail and nobody else."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from sqlalchemy import text

from app.delivery.services.registry import close_transport
from app.delivery.services.shared_redis import connect
from app.delivery.watch.telemetry import BUCKETS, Totals, read_totals
from app.embedded.stack import EmbeddedStack
from app.logs_json import JsonLines
from app.models import MailService, db
from app.models.base import utc_now
from tests.servers.smtp import HOST, RecordingSmtp, ScriptedSmtp
from tests.support.sending import make_due, point_at, queue, refused_port, run


def counted(stack: EmbeddedStack) -> Totals:
    with connect(stack.env["REDIS_URL"]) as client:
        return read_totals(client)


def lines(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name == "app.delivery.watch.report"]


def test_a_mail_that_was_sent_is_counted_with_the_time_until_its_hand_over(
    smtp: RecordingSmtp, stack: EmbeddedStack
) -> None:
    queue(3)
    assert run() == {"sent": 3}
    totals = counted(stack)
    assert totals.sends == {("smtp", "sent"): 3}
    assert totals.errors == {}
    assert sum(totals.handovers) == 3
    assert 0 < totals.seconds < 300


def test_a_mail_that_was_to_be_sent_later_counts_from_then(smtp: RecordingSmtp, stack: EmbeddedStack) -> None:
    queue(1, send_at=utc_now() + timedelta(hours=2))
    due = (
        "next_attempt_at = now() - interval '20 seconds', give_up_at = now() + interval '1 day' - interval '20 seconds'"
    )
    db.session.execute(text(f"UPDATE mails SET {due}"))
    db.session.commit()
    assert run() == {"sent": 1}
    assert counted(stack).handovers[BUCKETS.index(30.0)] == 1


def test_a_try_that_failed_is_counted_by_its_class_and_only_the_first_hand_over_of_a_mail(
    sending: None, stack: EmbeddedStack
) -> None:
    queue()
    point_at(refused_port())
    assert run() == {"deferred": 1}
    with RecordingSmtp() as server:
        point_at(server.port)
        make_due()
        assert run() == {"sent": 1}
    totals = counted(stack)
    assert totals.sends == {("smtp", "deferred"): 1, ("smtp", "sent"): 1}
    assert totals.errors == {("smtp", "connection"): 1}
    assert sum(totals.handovers) == 1


def test_a_mail_that_went_on_to_the_next_service_counts_for_both(smtp: RecordingSmtp, stack: EmbeddedStack) -> None:
    db.session.add(MailService(name="second", smtp_host=HOST, smtp_port=smtp.port, smtp_encryption="none"))
    point_at(refused_port())
    queue()
    assert run() == {"sent": 1}
    totals = counted(stack)
    assert totals.sends == {("second", "sent"): 1}
    assert totals.errors == {("smtp", "connection"): 1}


def test_mails_that_are_suppressed_or_that_wait_for_settings_are_counted_too(
    sending: None, stack: EmbeddedStack
) -> None:
    queue(2)
    assert run() == {"deferred": 2}
    assert counted(stack).errors == {("smtp", "configuration"): 1}
    point_at(refused_port(), email_service="disable")
    make_due()
    assert run() == {"suppressed": 2}
    assert counted(stack).sends == {("none", "suppressed"): 2}


def test_a_line_of_a_failure_names_mail_action_try_service_class_and_code_and_no_address(
    sending: None, caplog: pytest.LogCaptureFixture
) -> None:
    with ScriptedSmtp(rcpt="550 5.1.1 <user0@example.org>: no such user here") as server:
        point_at(server.port)
        [mail_id] = queue()
        assert run() == {"failed": 1}
        close_transport()  # the server waits for it
    [record] = lines(caplog)
    fields = {"mail_id": mail_id, "action": "Test", "attempt": 1, "status": "failed", "service": "smtp"}
    fields |= {"error_class": "permanent", "code": 550}
    assert {name: record.__dict__[name] for name in fields} == fields
    shown = JsonLines().format(record)
    assert "example.org" not in shown
    assert "550 5.1.1" in shown


def test_a_line_for_each_mail_that_was_sent_is_there_for_those_who_look_for_something(
    smtp: RecordingSmtp, caplog: pytest.LogCaptureFixture
) -> None:
    queue()
    run()
    assert lines(caplog) == []
    caplog.set_level(logging.DEBUG, "app")
    [mail_id] = queue()
    run()
    [record] = lines(caplog)
    assert (record.__dict__["mail_id"], record.__dict__["status"]) == (mail_id, "sent")
