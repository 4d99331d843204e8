"""Reading the catcher's files."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path

from app.demo.mailbox import Mailbox


def keep(folder: Path, name: str, recipient: str, subject: str) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "usher@example.org", recipient, subject
    message.set_content(
        "Hello,\nconfirm it <http://127.0.0.1:5000/verify?token=a-b_c.d>\n\n-- \nUsher <http://x.test>\n"
    )
    message.add_alternative("<p>Hellö</p>", subtype="html")
    envelope = f"X-MailFrom: usher@example.org\r\nX-RcptTo: {recipient}\r\n".encode()
    (folder / name).write_bytes(envelope + message.as_bytes())


def test_a_mail_is_found_by_its_envelope_whatever_the_case(tmp_path: Path) -> None:
    keep(tmp_path, "2.eml", "Ana@example.org", "second")
    keep(tmp_path, "1.eml", "ana@example.org", "first")
    keep(tmp_path, "3.eml", "bo@example.org", "third")
    mailbox = Mailbox(tmp_path)
    assert [mail.subject for mail in mailbox.to("ana@EXAMPLE.org")] == ["first", "second"]
    assert mailbox.count() == 3


def test_both_parts_the_links_and_a_long_subject_are_decoded(tmp_path: Path) -> None:
    subject = "<script>alert('told')</script> {link} 🎤 " + "was accepted by all " * 6
    keep(tmp_path, "1.eml", "ana@example.org", subject)
    mail = Mailbox(tmp_path).mails()[0]
    assert mail.subject == subject.strip()
    assert mail.links == ["http://127.0.0.1:5000/verify?token=a-b_c.d", "http://x.test"]
    assert mail.html.strip() == "<p>Hellö</p>"
    assert mail.header("X-Nothing") == ""


def test_mails_that_come_later_are_seen_and_half_written_ones_are_not(tmp_path: Path) -> None:
    mailbox = Mailbox(tmp_path)
    assert mailbox.mails() == []
    (tmp_path / ".1.eml.partial").write_bytes(b"X-RcptTo: ana@example.org\r\n")
    keep(tmp_path, "2.eml", "ana@example.org", "later")
    assert [mail.subject for mail in mailbox.mails()] == ["later"]
    assert mailbox.count() == 1
