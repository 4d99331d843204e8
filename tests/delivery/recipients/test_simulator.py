"""Simulated recipients: nothing leaves, and each mail ends as its recipient's name says."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from app.api.helpers.mail import send_email
from app.delivery.recipients.simulator import DOMAIN, ENDS
from app.models import Suppression, db
from tests.conftest import People
from tests.servers.smtp import RecordingSmtp
from tests.support.api import Api
from tests.support.sending import make_due, row, run

TIMELINES: dict[str, list[str]] = {
    "sent": ["sent"],
    "delivered": ["sent", "delivered"],
    "bounced": ["sent", "bounced"],
    "complained": ["sent", "delivered", "complained"],
    "rejected": ["sent", "rejected"],
    "throttled": ["deferred"],
    "deferred": ["deferred"],
    "failed": ["failed"],
    "uncertain": ["uncertain"],
}


def queue(address: str, **options: Any) -> int:
    mail = send_email(address, "Test", "A subject", "<p>Hello</p>", **options)
    db.session.commit()
    assert mail
    return mail.id


def timeline(mail_id: int) -> list[Any]:
    entries = db.session.execute(
        text("SELECT event, provider FROM mail_events WHERE mail_id = :id ORDER BY id"), {"id": mail_id}
    ).all()
    db.session.rollback()
    return list(entries)


def test_each_name_has_an_end() -> None:
    assert set(TIMELINES) == set(ENDS)


@pytest.mark.parametrize("name", TIMELINES)
@pytest.mark.parametrize("address", ["{}@simulator.test", "{}+ana@Simulator.TEST"])
def test_a_mail_ends_as_its_recipients_name_says(smtp: RecordingSmtp, name: str, address: str) -> None:
    mail_id = queue(address.format(name))
    run(allowed_recipients=("nobody.example.org",))
    mail = row(mail_id)
    assert mail.status == TIMELINES[name][-1]
    assert [entry.event for entry in timeline(mail_id)] == ["queued", "sending", *TIMELINES[name]]
    assert {entry.provider for entry in timeline(mail_id)[2:]} == {mail.provider} == {"simulator"}
    assert smtp.connections == 0


def test_a_throttled_one_is_delivered_at_the_next_try(smtp: RecordingSmtp) -> None:
    mail_id = queue(f"throttled@{DOMAIN}")
    assert run() == {"deferred": 1}
    assert row(mail_id).error_class == "throttled"
    make_due()
    assert run() == {"sent": 1}
    assert (row(mail_id).status, row(mail_id).attempts) == ("delivered", 2)


def test_an_address_that_bounced_or_complained_is_on_the_suppression_list(smtp: RecordingSmtp) -> None:
    for name in ("bounced", "complained", "rejected", "delivered"):
        queue(f"{name}@{DOMAIN}")
    run()
    found = {(entry.address, entry.reason) for entry in db.session.query(Suppression)}
    assert found == {(f"bounced@{DOMAIN}", "hard-bounce"), (f"complained@{DOMAIN}", "complaint")}


def test_an_unknown_name_fails_and_says_which_there_are(smtp: RecordingSmtp) -> None:
    mail_id = queue(f"somebody@{DOMAIN}")
    assert run() == {"failed": 1}
    assert "take sent, delivered, bounced" in row(mail_id).last_error


def test_in_production_they_are_addresses_like_any_other(smtp: RecordingSmtp) -> None:
    mail_id = queue(f"bounced@{DOMAIN}")
    assert run(environment="production") == {"sent": 1}
    assert (row(mail_id).status, row(mail_id).provider) == ("sent", "smtp")
    assert [taken.recipients for taken in smtp.envelopes] == [[f"bounced@{DOMAIN}"]]


@pytest.mark.parametrize("address", ["bounced@example.org", f"bounced@mail.{DOMAIN}", f"bounced@x{DOMAIN}"])
def test_other_domains_are_not_played(smtp: RecordingSmtp, address: str) -> None:
    mail_id = queue(address)
    assert run() == {"sent": 1}
    assert row(mail_id).provider == "smtp"


def test_a_blind_copy_of_a_simulated_mail_gets_nothing(smtp: RecordingSmtp) -> None:
    queue(f"delivered@{DOMAIN}", bcc="ana@example.org")
    assert run() == {"sent": 1}
    assert smtp.connections == 0


def test_a_test_mail_to_one_is_played_too(api: Api, people: People, smtp: RecordingSmtp) -> None:
    admin = api.as_(people.admin())
    answer = admin.post("/v1/test-mail", {"recipient": f"delivered@{DOMAIN}"})
    assert (answer.status_code, answer.json["provider"]) == (200, "simulator")
    answer = admin.post("/v1/test-mail", {"recipient": f"failed@{DOMAIN}"})
    assert answer.status_code == 502
    assert "550 No such user" in answer.text
    assert smtp.connections == 0
