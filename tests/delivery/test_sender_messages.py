"""What arrives is what was queued: every byte, nothing that a name could add; and no secret anywhere else."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet
from flask import current_app

from app.api.helpers.mail import MailAttachment, send_email, send_email_new_session
from app.bidi import harmless
from app.delivery.services.registry import close_transport
from app.models import db
from tests.conftest import People
from tests.servers.smtp import RecordingSmtp, ScriptedSmtp
from tests.support.api import Api
from tests.support.sending import LINK, make_due, part, patch_settings, point_at, queue, queue_secret, row, run

pytestmark = pytest.mark.usefixtures("sending")

PASSWORD = "hunter2-of-the-mail-server"
HOSTILE = "\u202eRTL 🎉 <script>alert(1)</script> '\"><img onerror=x> {0.__class__} {event_name} & ünï"


def test_blind_copies_and_several_reply_to_addresses_arrive(smtp: RecordingSmtp) -> None:
    queue(bcc=["ben@example.org", "cleo@example.org"], reply_to=["team@example.org", "desk@example.org"])
    assert run() == {"sent": 1}
    [message] = smtp.messages
    assert smtp.envelopes[0].recipients == ["user0@example.org", "ben@example.org", "cleo@example.org"]
    assert b"ben@example.org" not in smtp.envelopes[0].content
    assert message["To"].addresses[0].addr_spec == "user0@example.org"
    assert [address.addr_spec for address in message["Reply-To"].addresses] == ["team@example.org", "desk@example.org"]


def test_attachments_arrive_byte_for_byte(smtp: RecordingSmtp) -> None:
    files = {"every byte.bin": bytes(range(256)) * 40, "Prögramm.pdf": b"%PDF-1.7\r\n.\r\n..\n\xff", "empty.txt": b""}
    kinds = {"every byte.bin": "text/plain", "Prögramm.pdf": "application/pdf", "empty.txt": "text/plain"}
    queue(attachments=[MailAttachment(name=name, content_type=kinds[name], content=files[name]) for name in files])
    assert run() == {"sent": 1}
    [message] = smtp.messages
    arrived = list(message.iter_attachments())
    assert {one.get_filename(): one.get_payload(decode=True) for one in arrived} == files
    assert {one.get_filename(): one.get_content_type() for one in arrived} == kinds


def test_a_secret_link_arrives_in_both_parts_and_is_then_gone_from_the_database(smtp: RecordingSmtp) -> None:
    mail_id = queue_secret()
    queued = row(mail_id)
    assert queued.secret is not None
    assert "Zm9v" not in str(tuple(queued))
    assert run() == {"sent": 1}
    [message] = smtp.messages
    assert LINK in part(message, "plain")
    assert f'href="{LINK}"' in part(message, "html")
    assert row(mail_id).secret is None
    assert "Zm9v" not in str(tuple(row(mail_id)))


def test_a_lost_settings_key_fails_only_the_mail_that_needs_it(
    smtp: RecordingSmtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret_id, [other] = queue_secret(), queue()
    monkeypatch.setenv("SETTINGS_KEY", Fernet.generate_key().decode())
    assert run() == {"failed": 1, "sent": 1}
    failed = row(secret_id)
    assert (failed.status, failed.error_class) == ("failed", "permanent")
    assert "encrypted with a SETTINGS_KEY that is gone: the user must ask for a new one" in failed.last_error
    assert row(other).status == "sent"
    assert len(smtp.messages) == 1


def test_a_changed_settings_key_reads_what_the_old_one_wrote_while_both_are_set(
    smtp: RecordingSmtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue_secret()
    old = current_app.config["USHER"].settings_key
    monkeypatch.setenv("SETTINGS_KEY", f"{Fernet.generate_key().decode()},{old}")
    assert run() == {"sent": 1}
    assert LINK in part(smtp.messages[0], "plain")


def test_hostile_names_arrive_as_text(smtp: RecordingSmtp) -> None:
    send_email_new_session("ana@example.org", f"{HOSTILE}\r\nBcc: eve@example.org", "https://example.org/s/1?a=1&b=2")
    send_email("ana@example.org", "Test", f"{HOSTILE}\r\nBcc: eve@example.org\r\n\r\nbody", "<p>Hello</p>")
    db.session.commit()
    assert run() == {"sent": 2}
    proposal, plain = smtp.messages
    assert [taken.recipients for taken in smtp.envelopes] == [["ana@example.org"]] * 2
    assert plain["Subject"] == f"{HOSTILE} Bcc: eve@example.org body"
    assert harmless(HOSTILE) in proposal["Subject"]
    for message in (proposal, plain):
        assert message["Bcc"] is None
        assert message.defects == []
    html = part(proposal, "html")
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "{0.__class__} {event_name}" in html
    assert harmless(HOSTILE) in part(proposal, "plain")


def test_a_mail_is_marked_as_a_machines_and_has_a_plain_text_beside_its_html(smtp: RecordingSmtp) -> None:
    point_at(smtp.port, email_from="noreply@example.org", email_from_name="Häfen & Co", app_name="Usher")
    send_email("ana@example.org", "Test", "A subject", '<p>Hello <a href="https://example.org/x">there</a></p>')
    db.session.commit()
    assert run() == {"sent": 1}
    [message] = smtp.messages
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"].datetime.tzinfo is not None
    sender = message["From"].addresses[0]
    assert (sender.display_name, sender.addr_spec) == ("Häfen & Co", "noreply@example.org")
    assert message.get_content_type() == "multipart/alternative"
    assert [one.get_content_type() for one in message.iter_parts()] == ["text/plain", "text/html"]
    assert "Hello there <https://example.org/x>" in part(message, "plain")
    assert 'name="viewport"' in part(message, "html")


def test_no_secret_is_in_a_log_or_an_error(api: Api, people: People, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    with ScriptedSmtp(
        "AUTH PLAIN", auth=[f"535 5.7.8 {PASSWORD} is wrong", "235 2.7.0 Ok"], rcpt="550 5.1.1 no"
    ) as smtp:
        point_at(smtp.port, smtp_username="usher")
        assert patch_settings(api.as_(people.admin()), smtp_password=PASSWORD) == 200
        mail_id = queue_secret()
        assert run() == {"deferred": 1}
        make_due()
        assert run() == {"failed": 1}
        close_transport()
    assert "535 5.7.8" in caplog.text
    assert "550 5.1.1" in caplog.text
    seen = caplog.text + str(tuple(row(mail_id)))
    assert PASSWORD not in seen
    assert "Zm9v" not in seen
    assert current_app.config["USHER"].settings_key not in seen
