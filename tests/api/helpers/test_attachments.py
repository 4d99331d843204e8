"""Files that go with a mail: the right bytes, or a clear word before anything is queued."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from app.api.helpers.attachments import MAX_FILE, TYPES
from app.api.helpers.mail import AttachmentError, MailAttachment, attachment, send_email
from app.models import Mail, db

CALENDAR = b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"
WRONG: dict[str, tuple[str, str, Any, str]] = {
    "too large": ("a.txt", "text/plain", bytes(MAX_FILE + 1), "a.txt: it has 10485761 bytes"),
    "a program": ("a.exe", "application/x-msdownload", b"MZ", "are not sent, but application/pdf"),
    "no PDF": ("a.pdf", "application/pdf", b"<html>", "its content is not application/pdf"),
    "no calendar": ("a.ics", "text/calendar; method=PUBLISH", b"words", "its content is not text/calendar"),
    "a path": ("a.txt", "text/plain", "/etc/hostname", "must be bytes, not str"),
    "another path": ("a.txt", "text/plain", Path("/etc/hostname"), "must be bytes, not"),
    "a name with a path": ("../a.txt", "text/plain", b"a", "give the bytes, and a name without a path"),
    "a function that fails": ("a.pdf", "application/pdf", lambda: 1 / 0, "it could not be made (ZeroDivisionError)"),
    "a function that gives no bytes": ("a.pdf", "application/pdf", lambda: None, "must be bytes, not NoneType"),
}


def failing() -> bytes:
    raise AttachmentError("invoice.pdf: the order is not paid yet.")


def send(*files: MailAttachment) -> Mail:
    mail = send_email("ana@example.org", "Test", "Hi", "<p>Hi</p>", attachments=files)
    assert mail is not None
    db.session.commit()
    return mail


def count() -> int | None:
    return db.session.scalar(select(func.count()).select_from(Mail))


@pytest.mark.parametrize("case", WRONG)
def test_an_essential_file_that_cannot_go_stops_the_mail(database: None, case: str) -> None:
    name, content_type, content, why = WRONG[case]
    with pytest.raises(AttachmentError) as caught:
        attachment(name, content_type, content)
    assert why in str(caught.value)


@pytest.mark.parametrize("case", WRONG)
def test_without_one_that_is_not_essential_the_mail_goes_and_the_row_says_why(database: None, case: str) -> None:
    name, content_type, content, why = WRONG[case]
    mail = send(attachment(name, content_type, content, essential=False), attachment("b.txt", "text/plain", b"b"))
    missing, there = mail.attachments
    assert missing.content is None
    assert why in (missing.problem or "")
    assert (there.content, there.problem) == (b"b", None)


def test_the_words_of_whoever_makes_the_file_are_kept_and_others_are_not(database: None) -> None:
    def leaking() -> bytes:
        raise OSError("https://user:secret@files.example.org/")

    mail = send(
        attachment("invoice.pdf", "application/pdf", failing, essential=False),
        attachment("b.pdf", "application/pdf", leaking, essential=False),
    )
    assert [file.problem for file in mail.attachments] == [
        "invoice.pdf: the order is not paid yet.",
        "b.pdf: it could not be made (OSError).",
    ]


def test_the_files_of_a_mail_have_a_limit_together_and_essential_ones_come_first(database: None) -> None:
    large = bytes(8 * 1024 * 1024)
    optional = attachment("optional.txt", "text/plain", large, essential=False)
    needed = [attachment(f"{number}.txt", "text/plain", large) for number in range(3)]
    mail = send(optional, *needed[:2])
    assert [file.content is None for file in mail.attachments] == [True, False, False]
    assert "at most 20971520 bytes together" in (mail.attachments[0].problem or "")
    with pytest.raises(AttachmentError, match="together"):
        send(*needed)
    with pytest.raises(AttachmentError, match="at most 20"):
        send(*[attachment("a.txt", "text/plain", b"")] * 21)
    assert count() == 1


def test_one_file_can_go_with_several_mails(database: None) -> None:
    file = attachment("a.ics", "text/calendar; charset=utf-8; method=PUBLISH", CALENDAR)
    mails = [send(file), send(file)]
    assert [[each.content for each in mail.attachments] for mail in mails] == [[CALENDAR]] * 2


def test_a_row_that_was_made_by_hand_is_checked_all_the_same(database: None) -> None:
    with pytest.raises(AttachmentError, match=r"a\.txt: there are no bytes"):
        send(MailAttachment(name="a.txt", content_type="text/plain"))
    with pytest.raises(AttachmentError, match="are not sent"):
        send(MailAttachment(name="a.exe", content_type="application/x-msdownload", content=b"MZ"))
    assert count() == 0


def test_every_type_is_a_plain_media_type() -> None:
    assert all(kind == kind.lower() and ";" not in kind for kind in TYPES)
