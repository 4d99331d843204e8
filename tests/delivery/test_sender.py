"""What becomes of a mail, as its row tells: through a real database to real SMTP servers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from app.delivery import claims, retry
from app.delivery.services.registry import close_transport
from app.models.base import utc_now
from tests.servers.answering import AnsweringSmtp
from tests.servers.smtp import HOST, Drop, RecordingSmtp, ScriptedSmtp
from tests.support.sending import make_due, point_at, queue, refused_port, row, rows, run

pytestmark = pytest.mark.usefixtures("sending")


def test_a_mail_that_was_taken_is_sent_and_its_row_says_by_whom(smtp: RecordingSmtp) -> None:
    [mail_id] = queue()
    assert run() == {"sent": 1}
    mail = row(mail_id)
    assert (mail.status, mail.attempts, mail.provider, mail.provider_message_id) == ("sent", 1, "smtp", "Q1")
    assert (mail.last_error, mail.error_class, mail.claim, mail.lease_until) == (None, None, None, None)
    assert utc_now() - mail.sent_at < timedelta(minutes=1)
    assert smtp.envelopes[0].recipients == ["user0@example.org"]
    assert run() == {}


def test_a_temporary_refusal_defers_the_mail_with_the_servers_words() -> None:
    with ScriptedSmtp(rcpt=["451 4.2.0 mailbox busy", "250 2.1.5 Ok"]) as server:
        point_at(server.port)
        first, second = queue(2)
        before = utc_now()
        assert run() == {"deferred": 1, "sent": 1}
        close_transport()
    mail = row(first)
    assert (mail.status, mail.error_class, mail.attempts, mail.claim) == ("deferred", "transient", 1, None)
    assert "451 4.2.0 mailbox busy" in mail.last_error
    assert before < mail.next_attempt_at <= utc_now() + timedelta(seconds=retry.TRANSIENT.base)
    assert row(second).status == "sent"


def test_a_permanent_refusal_fails_the_mail_and_no_other() -> None:
    with ScriptedSmtp(rcpt=["550 5.1.1 no such user", "250 2.1.5 Ok"]) as server:
        point_at(server.port)
        first, second = queue(2)
        assert run() == {"failed": 1, "sent": 1}
        assert run() == {}
        close_transport()
    mail = row(first)
    assert (mail.status, mail.error_class, mail.attempts, mail.sent_at) == ("failed", "permanent", 1, None)
    assert "550 5.1.1 no such user" in mail.last_error
    assert row(second).status == "sent"


def test_a_server_that_is_away_is_asked_once_and_the_whole_batch_waits(caplog: pytest.LogCaptureFixture) -> None:
    port = refused_port()
    point_at(port)
    queue(5)
    assert run() == {"deferred": 5}
    assert [mail.attempts for mail in rows()] == [1, 0, 0, 0, 0]
    for mail in rows():
        assert (mail.status, mail.error_class, mail.claim) == ("deferred", "connection", None)
        assert f"{HOST}:{port}, connecting: Connection refused" in mail.last_error
        assert utc_now() < mail.next_attempt_at <= utc_now() + timedelta(seconds=retry.CONNECTION.cap)
    assert caplog.text.count("Connection refused") == 1


@pytest.mark.parametrize(
    ("script", "error_class"),
    [
        ({"greeting": Drop()}, "connection"),
        ({"greeting": "554 5.7.1 go away"}, "connection"),
        ({"greeting": "421 4.7.0 too many connections"}, "throttled"),
        ({"mail": "421 4.7.0 too many messages, slow down"}, "throttled"),
    ],
)
def test_a_server_that_will_not_speak_with_us_is_not_asked_for_each_mail(
    script: dict[str, Any], error_class: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "BATCH", 3)
    with ScriptedSmtp(**script) as server:
        point_at(server.port)
        queue(4)
        assert run() == {"deferred": 3}
        assert server.connections == 1
    waiting = rows()[:3]
    assert {(mail.status, mail.error_class) for mail in waiting} == {("deferred", error_class)}
    assert all(mail.next_attempt_at > utc_now() for mail in waiting)
    assert rows()[3].status == "queued"


def test_a_connection_lost_in_one_mail_holds_up_no_other() -> None:
    with ScriptedSmtp(message=["250 2.0.0 Ok", Drop(), "250 2.0.0 Ok"]) as server:
        point_at(server.port)
        queue(4)
        assert run() == {"sent": 3, "uncertain": 1}
        assert server.connections == 2
        close_transport()
    assert [mail.status for mail in rows()] == ["sent", "uncertain", "sent", "sent"]
    assert "It may have arrived" in rows()[1].last_error


def test_the_second_try_bears_the_message_id_of_the_first() -> None:
    with AnsweringSmtp(lambda count: "451 4.3.0 try again later" if count == 1 else None) as server:
        point_at(server.port)
        [mail_id] = queue()
        assert run() == {"deferred": 1}
        make_due()
        assert run() == {"sent": 1}
        close_transport()
    first, second = server.messages
    assert first["Message-ID"] == second["Message-ID"] == f"<{row(mail_id).message_id}>"
    assert row(mail_id).attempts == 2
