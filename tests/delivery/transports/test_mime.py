"""The message itself: any text survives it, and marrow's missing modules leave nothing behind."""

from __future__ import annotations

import subprocess
import sys
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from transport_contract import NAMES, SUBJECTS, envelope

from app.delivery.transports.base import Attachment
from app.delivery.transports.mime import build
from tests.servers.smtp import parse

CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)]
LINES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=CONTROLS), min_size=1).map(str.strip)
BODIES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
TEXTS = st.lists(st.one_of(BODIES, st.sampled_from([".", "..", "From x", "=3D", " ", "\t", "--=_part_0", "x" * 999])))


FILES = [
    Attachment("invite.ics", "text/calendar; method=REQUEST; charset=utf-8", b"BEGIN:VCALENDAR\r\n"),
    Attachment("Rechnung Äpfel.pdf", "application/pdf", bytes(range(256)) * 9),
    Attachment("forwarded.eml", "message/rfc822", b"Subject: a\r\n\r\nb"),
    Attachment("boundary", "text/plain", b"\r\n--=_mixed--\r\n"),
]
ADDRESSES = st.sampled_from(["ana@example.org", "o'neil+usher@example.org", "bob@müller.example", f"{'x' * 64}@a.org"])
ENVELOPES = st.fixed_dictionaries(
    {},
    optional={
        "subject": LINES | st.sampled_from(["", *SUBJECTS]),
        "sender_name": LINES | st.sampled_from(["", *NAMES]),
        "text": TEXTS.map("\r\n".join),
        "html": TEXTS.map("\r".join),
        "recipient": ADDRESSES,
        "bcc": st.lists(ADDRESSES, max_size=3).map(tuple),
        "reply_to": st.lists(ADDRESSES, max_size=30).map(tuple),
        "attachments": st.lists(st.sampled_from(FILES), max_size=3).map(tuple),
    },
)


def said(message: EmailMessage) -> Any:
    """What a mail program makes of a message or of a part: its headers in any order, and what is in it."""
    headers = sorted(
        (name.lower(), str(value))
        for name, value in message.items()
        if name.lower() not in ("content-type", "mime-version")  # the boundary is free, the version the whole's
    )
    kind = {**dict(message["Content-Type"].params), "boundary": None}
    if message.is_multipart():
        return headers, message.get_content_type(), kind, [said(part) for part in message.iter_parts()]
    content = message.get_payload(decode=True)
    assert isinstance(content, bytes)
    return headers, message.get_content_type(), kind, content.replace(b"\r\n", b"\n").rstrip(b"\n")


@given(changes=ENVELOPES)
@settings(deadline=None, max_examples=300)
def test_our_bytes_say_what_marrows_own_would(changes: dict[str, Any]) -> None:
    message = build(envelope(**changes))
    ours = parse(bytes(message))
    assert not ours.defects
    assert ours["MIME-Version"] == "1.0"
    assert said(ours) == said(parse(message.mime.as_bytes()))


@given(subject=LINES.filter(bool))
@settings(deadline=None, max_examples=200)
def test_any_subject_survives(subject: str) -> None:
    content = bytes(build(envelope(subject=subject)))
    assert parse(content)["Subject"] == subject
    assert max(len(line) for line in content.split(b"\r\n")) <= 998


@given(lines=TEXTS)
@settings(deadline=None, max_examples=200)
def test_any_body_survives(lines: list[str]) -> None:
    text = "\n".join(lines).replace("\r\n", "\n").replace("\r", "\n") + "\n"
    content = bytes(build(envelope(text=text, html=text)))
    message = parse(content)
    plain, html = message.iter_parts()
    assert isinstance(plain.get_payload(decode=True), bytes)
    for part in (plain, html):
        assert part.get_payload(decode=True).decode().replace("\r\n", "\n") == text
    assert content.count(b"\n") == content.count(b"\r\n")
    assert max(len(line) for line in content.split(b"\r\n")) <= 998


def test_a_message_as_an_attachment_arrives_as_a_file() -> None:
    content = b"Subject: forwarded\r\n\r\nHello"
    files = (Attachment("forwarded.eml", "message/rfc822", content),)
    (part,) = parse(bytes(build(envelope(attachments=files)))).iter_attachments()
    assert (part.get_content_type(), part.get_filename()) == ("application/octet-stream", "forwarded.eml")
    assert part.get_payload(decode=True) == content


def test_an_empty_subject_and_an_empty_body_are_sent_too() -> None:
    message = parse(bytes(build(envelope(subject="", text="", html=""))))
    assert message["Subject"] == "(no subject)"
    assert message.get_content_type() == "text/plain"


def test_importing_marrow_warns_nobody_and_leaves_no_stand_in_behind() -> None:
    code = (
        "import sys; import app.delivery.transports.mime\n"
        "assert all(getattr(sys.modules.get(name), '__spec__', True) for name in ('cgi', 'imghdr', 'pkg_resources'))\n"
    )
    root = Path(__file__).resolve().parents[3]
    subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=root, check=True)
