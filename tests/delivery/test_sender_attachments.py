"""Files arrive as they are; without one that can be missed the mail goes, and says so; without another it does not."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from app.api.helpers.mail import AttachmentError, Sending, attachment, send_email, send_emails_formatted
from app.models import db
from tests.servers.smtp import RecordingSmtp
from tests.support.sending import make_due, row, rows, run

CALENDAR = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:PUBLISH\r\nEND:VCALENDAR\r\n"
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"


def not_there() -> bytes:
    raise AttachmentError("invoice.pdf: the order is not paid yet.")


def timeline(mail_id: int) -> list[tuple[str, str | None]]:
    statement = text("SELECT event, text FROM mail_events WHERE mail_id = :id ORDER BY id")
    found = [(event, words) for event, words in db.session.execute(statement, {"id": mail_id})]
    db.session.rollback()
    return found


def test_a_calendar_and_a_pdf_arrive_with_their_types(smtp: RecordingSmtp) -> None:
    files = [
        attachment("session.ics", "text/calendar; method=PUBLISH; charset=utf-8", CALENDAR),
        attachment("ticket.pdf", "application/pdf", lambda: PDF),
    ]
    send_email("ana@example.org", "Test", "Hi", "<p>Hi</p>", attachments=files)
    send_emails_formatted("Test", ["ben@example.org"], "Hi", "<p>Hi</p>", Sending(attachments=files))
    db.session.commit()
    assert run() == {"sent": 2}
    for message in smtp.messages:
        calendar, pdf = message.iter_attachments()
        assert calendar.get_content_type() == "text/calendar"
        assert dict(calendar["Content-Type"].params) == {"method": "PUBLISH", "charset": "utf-8"}
        assert calendar.get_payload(decode=True) == CALENDAR
        assert (pdf.get_content_type(), pdf.get_filename()) == ("application/pdf", "ticket.pdf")
        assert pdf.get_payload(decode=True) == PDF


def test_the_mail_goes_without_a_file_that_can_be_missed_and_its_timeline_says_which_and_why(
    smtp: RecordingSmtp,
) -> None:
    files = [
        attachment("invoice.pdf", "application/pdf", not_there, essential=False),
        attachment("plan.txt", "text/plain", b"plan"),
    ]
    mail = send_email("ana@example.org", "Test", "Hi", "<p>Hi</p>", attachments=files)
    db.session.commit()
    assert mail is not None
    assert run() == {"sent": 1}
    assert [part.get_filename() for part in smtp.messages[0].iter_attachments()] == ["plan.txt"]
    assert row(mail.id).last_error == "Sent without invoice.pdf: the order is not paid yet."
    event, words = timeline(mail.id)[-1]
    assert event == "sent"
    assert words is not None
    assert words.endswith("; Sent without invoice.pdf: the order is not paid yet.")


def test_without_an_essential_file_nothing_is_queued(smtp: RecordingSmtp) -> None:
    with pytest.raises(AttachmentError, match="not paid yet"):
        send_email(
            "ana@example.org",
            "Test",
            "Hi",
            "<p>Hi</p>",
            attachments=[attachment("invoice.pdf", "application/pdf", not_there)],
        )
    db.session.commit()
    assert rows() == []


@pytest.mark.parametrize("essential", [True, False])
def test_a_file_whose_bytes_were_taken_out_before_it_was_sent(smtp: RecordingSmtp, essential: bool) -> None:
    file = attachment("plan.txt", "text/plain", b"plan", essential=essential)
    people = ["ana@example.org", "ben@example.org"]
    send_emails_formatted("Test", people, "Hi", "<p>Hi</p>", Sending(attachments=[file]))
    db.session.execute(text("UPDATE mail_attachments SET content = NULL, problem = NULL WHERE mail_id = 1"))
    db.session.commit()
    assert run() == ({"failed": 1, "sent": 1} if essential else {"sent": 2})
    first = row(1)
    if essential:
        assert (first.status, first.error_class) == ("failed", "permanent")
        assert "The file plan.txt is gone" in first.last_error
    else:
        assert first.last_error == "Sent without plan.txt: there are no bytes"
    make_due()
    assert run() == {}
