"""Mails of the queue by SendGrid: what its answers make of the rows."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from flask import current_app
from sqlalchemy import text

from app.api.helpers.mail import MailAttachment, send_email
from app.delivery.services.registry import close_transport, read_service
from app.models import db
from tests.conftest import People
from tests.servers.sendgrid import KEY, USUAL, Says, SendGridServer, Step
from tests.support.api import Api
from tests.support.sending import (
    LINK,
    make_due,
    patch_settings,
    point_at,
    queue,
    queue_secret,
    refused_port,
    row,
    rows,
    run,
)

pytestmark = pytest.mark.usefixtures("sending")


@pytest.fixture
def admin(api: Api, people: People) -> Api:
    """An admin, who has set SendGrid up."""
    admin = api.as_(people.admin())
    assert patch_settings(admin, email_service="sendgrid", sendgrid_key=KEY) == 200
    return admin


def send(server: SendGridServer) -> Any:
    """Send what is due, and leave no connection to a server that ends."""
    try:
        return run(sendgrid_api_url=server.url)
    finally:
        close_transport()


def saying(*steps: Step) -> SendGridServer:
    return SendGridServer(script=[*steps, USUAL])


def test_a_mail_is_sent_and_bears_its_id(admin: Api) -> None:
    with SendGridServer() as server:
        mail_ids = queue(3)
        assert send(server) == {"sent": 3}
        assert server.connections == 1
        assert [mail["custom_args"]["mail_id"] for mail in server.mails] == [str(mail_id) for mail_id in mail_ids]
        assert server.mails[0]["headers"]["Message-ID"] == f"<{row(mail_ids[0]).message_id}>"
    assert [(mail.provider, mail.provider_message_id) for mail in rows()] == [
        ("sendgrid", f"SG{number}") for number in (1, 2, 3)
    ]


def test_a_secret_reaches_its_recipient_and_is_then_gone(admin: Api) -> None:
    with SendGridServer() as server:
        mail_id = queue_secret()
        assert send(server) == {"sent": 1}
        assert LINK in server.mails[0]["content"][0]["value"]
    assert row(mail_id).secret is None


def test_what_a_mail_has_reaches_sendgrid(admin: Api) -> None:
    send_email(
        "ana@example.org",
        "Test",
        "Grüße",
        "<p>Hello</p>",
        bcc=["ANA@example.org", "copy@example.org"],
        reply_to=["one@example.org", "two@example.org"],
        attachments=[
            MailAttachment(name="a.ics", content_type="text/calendar; method=REQUEST", content=b"BEGIN:VCALENDAR\r\n")
        ],
    )
    db.session.commit()
    with SendGridServer() as server:
        assert send(server) == {"sent": 1}
        [mail] = server.mails
    assert mail["personalizations"] == [{"to": [{"email": "ana@example.org"}], "bcc": [{"email": "copy@example.org"}]}]
    assert mail["reply_to_list"] == [{"email": "one@example.org"}, {"email": "two@example.org"}]
    assert mail["attachments"][0]["type"] == "text/calendar"


def test_a_throttled_mail_waits_as_long_as_sendgrid_says_and_the_others_with_it(admin: Api) -> None:
    reset = Says(
        429, {"errors": [{"message": "too many requests"}]}, {"X-RateLimit-Reset": str(int(time.time()) + 600)}
    )
    with saying(USUAL, reset) as server:
        queue(4)
        assert send(server) == {"sent": 1, "deferred": 3}
        assert len(server.requests) == 2, "the others need not be tried"
    waits = db.session.execute(
        text("SELECT extract(epoch FROM next_attempt_at - now()) FROM mails WHERE error_class = 'throttled'")
    ).scalars()
    assert all(580 < float(wait) < 640 for wait in waits)
    db.session.rollback()
    assert [(mail.error_class, mail.attempts) for mail in rows()] == [
        (None, 1),
        ("throttled", 1),
        ("throttled", 0),
        ("throttled", 0),
    ]
    assert "too many requests" in rows()[1].last_error


def test_a_wrong_key_makes_all_mails_wait_until_there_is_another(admin: Api, caplog: pytest.LogCaptureFixture) -> None:
    wrong = "SG.revoked.key"
    assert patch_settings(admin, sendgrid_key=wrong) == 200
    with SendGridServer() as server:
        queue(3)
        assert send(server) == {"deferred": 3}
        assert len(server.requests) == 1, "the others need not be tried"
        assert {mail.error_class for mail in rows()} == {"configuration"}
        assert "check that sendgrid-key" in rows()[0].last_error
        assert send(server) == {}
        assert patch_settings(admin, sendgrid_key=KEY) == 200
        assert send(server) == {"sent": 3}
    shown = json.dumps([str(mail) for mail in rows()]) + caplog.text + admin.get("/v1/mails").text
    assert wrong not in shown
    assert KEY not in shown


def test_a_refused_mail_has_failed_and_the_next_one_leaves(admin: Api) -> None:
    with saying(Says(400, {"errors": [{"message": "Bad address.", "field": "personalizations.0.to"}]})) as server:
        queue(2)
        assert send(server) == {"failed": 1, "sent": 1}
    assert "400 Bad address. (personalizations.0.to)" in rows()[0].last_error


def test_while_sendgrid_is_away_mails_wait_and_leave_when_it_is_back(admin: Api) -> None:
    queue(2)
    assert run(sendgrid_api_url=f"http://127.0.0.1:{refused_port()}") == {"deferred": 2}
    assert {mail.error_class for mail in rows()} == {"connection"}
    make_due()
    with SendGridServer() as server:
        assert send(server) == {"sent": 2}


def test_the_key_is_in_no_repr(admin: Api) -> None:
    with db.engine.connect() as connection:
        service = read_service(connection, current_app.config["USHER"])
    assert KEY not in repr(service)


def test_going_back_to_smtp_needs_no_restart(admin: Api) -> None:
    with SendGridServer() as server:
        queue()
        assert send(server) == {"sent": 1}
    point_at(refused_port(), email_service="smtp")
    queue()
    assert run() == {"deferred": 1}
    assert rows()[1].provider == "smtp"
