"""The suppression list at the moment of sending, and what a server's refusal puts onto it."""

from __future__ import annotations

from typing import cast

import pytest
from sqlalchemy import text

from app.api.helpers.mail import send_email, send_email_confirmation
from app.delivery.services.registry import close_transport
from app.models import Mail, Suppression, db
from tests.servers.smtp import RecordingSmtp, ScriptedSmtp
from tests.support.events import suppressed
from tests.support.rows import statements
from tests.support.sending import LINK, point_at, queue, row, run


def suppress(address: str, reason: str = "hard-bounce", said: str | None = "550 5.1.1 gone") -> None:
    db.session.add(Suppression(address=address, reason=reason, text=said))
    db.session.commit()


def queue_to(recipient: str, **options: object) -> int:
    mail = cast("Mail", send_email(recipient, "Test", "Subject", "<p>Hello</p>", **options))  # type: ignore[arg-type]
    db.session.commit()
    return mail.id


def test_a_mail_to_an_address_on_the_list_is_not_sent_and_says_why(smtp: RecordingSmtp) -> None:
    suppress("user1@example.org")
    ids = queue(3)
    assert run() == {"sent": 2, "suppressed": 1}
    assert sorted(envelope.recipients[0] for envelope in smtp.envelopes) == ["user0@example.org", "user2@example.org"]
    found = row(ids[1])
    assert (found.status, found.attempts) == ("suppressed", 0)
    assert found.last_error == "user1@example.org is on the suppression list (hard-bounce: 550 5.1.1 gone)."
    told = db.session.execute(text("SELECT text FROM mail_events WHERE event = 'suppressed'")).scalar_one()
    assert told == found.last_error


def test_an_address_is_found_in_whatever_case(smtp: RecordingSmtp) -> None:
    suppress("ana@example.org", "manual", None)
    mail_id = queue_to("ANA@example.org")
    assert run() == {"suppressed": 1}
    assert row(mail_id).last_error == "ANA@example.org is on the suppression list (manual)."


def test_blind_copies_to_addresses_on_the_list_are_left_out_and_noted(smtp: RecordingSmtp) -> None:
    suppress("cy@example.org", "complaint")
    mail_id = queue_to("ana@example.org", bcc=["ben@example.org", "Cy@example.org"])
    assert run() == {"sent": 1}
    [envelope] = smtp.envelopes
    assert envelope.recipients == ["ana@example.org", "ben@example.org"]
    found = row(mail_id)
    assert found.last_error == "Left out, since they are on the suppression list: Cy@example.org (complaint)"
    assert found.bcc == ["ben@example.org", "Cy@example.org"]


@pytest.mark.parametrize(
    ("reason", "status"),
    [("hard-bounce", "suppressed"), ("soft-bounces", "sent"), ("complaint", "sent"), ("manual", "sent")],
)
def test_a_critical_mail_is_stopped_only_by_an_address_that_does_not_exist(
    smtp: RecordingSmtp, reason: str, status: str
) -> None:
    suppress("ana@example.org", reason)
    confirmation = cast("Mail", send_email_confirmation("ana@example.org", LINK))
    db.session.commit()
    other = queue_to("ana@example.org")
    run()
    assert (row(confirmation.id).status, row(other).status) == (status, "suppressed")


def test_the_playpen_is_asked_first(smtp: RecordingSmtp) -> None:
    suppress("ana@elsewhere.net")
    mail_id = queue_to("ana@elsewhere.net")
    assert run(allowed_recipients=("example.org",)) == {"suppressed": 1}
    assert "MAIL_ALLOWED_RECIPIENTS" in row(mail_id).last_error


def test_a_batch_asks_once_however_many_mails_it_has(smtp: RecordingSmtp) -> None:
    queue(30, bcc=["cy@example.org"])
    with statements() as seen:
        run()
    assert 1 <= sum("FROM suppressions" in statement for statement in seen) <= 3


@pytest.mark.parametrize(
    ("answer", "on_list"),
    [
        ("550 5.1.1 The address does not exist", True),
        ("550 no such user here", True),
        ("550 5.7.1 Relaying denied", False),
        ("554 5.7.1 Your address is on a block list", False),
        ("552 5.2.2 The mailbox is full", False),
        ("450 4.1.1 The address does not exist, for now", False),
    ],
)
def test_a_server_that_says_there_is_no_such_address_puts_it_onto_the_list(
    sending: None, answer: str, on_list: bool
) -> None:
    with ScriptedSmtp(rcpt=[answer]) as server:
        point_at(server.port)
        queue_to("Ana@example.org")
        run()
        close_transport()
    assert suppressed() == ({"ana@example.org": "hard-bounce"} if on_list else {})


@pytest.mark.parametrize("step", ["mail", "data", "message"])
def test_what_is_said_of_the_sender_or_the_message_puts_nobody_there(sending: None, step: str) -> None:
    with ScriptedSmtp(**{step: "550 5.1.1 sender address does not exist"}) as server:
        point_at(server.port)
        mail_id = queue_to("ana@example.org")
        run()
        close_transport()
    assert (row(mail_id).status, suppressed()) == ("failed", {})
