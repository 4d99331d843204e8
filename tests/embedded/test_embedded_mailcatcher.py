"""The mail catcher keeps each message exactly as it was sent, or tells the sender to try again."""

from __future__ import annotations

import resource
import smtplib
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path

import psutil
import pytest

from app.embedded.application import Application
from app.embedded.stack import EmbeddedStack

SENDER = "sender@example.org"
RECIPIENT = "recipient@example.org"


@pytest.fixture
def client(stack: EmbeddedStack) -> Iterator[smtplib.SMTP]:
    with smtplib.SMTP("127.0.0.1", stack.mail_port, timeout=20) as connection:
        yield connection


def kept_mails(stack: EmbeddedStack) -> list[Path]:
    return sorted(stack.mail_dir.glob("*.eml"))


def send(client: smtplib.SMTP, stack: EmbeddedStack, message: bytes, *recipients: str) -> bytes:
    """Send a message and give the file that was made of it."""
    before = kept_mails(stack)
    client.sendmail(SENDER, recipients or (RECIPIENT,), message)
    (made,) = [path for path in kept_mails(stack) if path not in before]
    return made.read_bytes()


def envelope_lines(recipients: str = RECIPIENT) -> bytes:
    return f"X-MailFrom: {SENDER}\r\nX-RcptTo: {recipients}\r\n".encode()


@pytest.mark.parametrize(
    "body",
    [
        b"Subject: plain\r\n\r\nGood day\r\n",
        b"Subject: dots\r\n\r\n.\r\n..\r\n.dotted line\r\n...\r\n",
        b"Subject: every octet\r\n\r\n" + bytes(octet for octet in range(256) if octet not in b"\r\n") + b"\r\n",
        b"Subject: spaces  \r\n\r\n\ttab and end of line \t \r\n\r\n\r\n",
        b"No header at all\r\n",
    ],
    ids=["plain", "dot-stuffed", "8-bit", "white space", "headerless"],
)
def test_a_message_is_kept_byte_by_byte(client: smtplib.SMTP, stack: EmbeddedStack, body: bytes) -> None:
    assert send(client, stack, body) == envelope_lines() + body


def test_a_message_to_two_recipients_is_one_file_that_names_both(client: smtplib.SMTP, stack: EmbeddedStack) -> None:
    body = b"Subject: two\r\n\r\nto both\r\n"
    kept = send(client, stack, body, RECIPIENT, "hidden@example.org")
    assert kept == envelope_lines(f"{RECIPIENT}, hidden@example.org") + body


def test_an_address_outside_ascii_is_kept(client: smtplib.SMTP, stack: EmbeddedStack) -> None:
    client.ehlo()
    before = kept_mails(stack)
    client.sendmail(SENDER, ["grüße@example.org"], b"Subject: x\r\n\r\n\r\n", mail_options=["SMTPUTF8"])
    (made,) = [path for path in kept_mails(stack) if path not in before]
    assert "X-RcptTo: grüße@example.org\r\n".encode() in made.read_bytes()


def test_names_sort_in_the_order_of_arrival(client: smtplib.SMTP, stack: EmbeddedStack) -> None:
    before = set(kept_mails(stack))
    messages = [f"Subject: {number}\r\n\r\n\r\n".encode() for number in range(50)]
    for message in messages:
        client.sendmail(SENDER, [RECIPIENT], message)
    made = [path for path in kept_mails(stack) if path not in before]
    assert [path.read_bytes().removeprefix(envelope_lines()) for path in made] == messages


def test_an_envelope_cannot_add_a_line(client: smtplib.SMTP, stack: EmbeddedStack) -> None:
    before = kept_mails(stack)
    client.ehlo()
    for command in ('MAIL FROM:<"a\rX-Evil: yes"@example.org>', f"RCPT TO:<{RECIPIENT}>"):
        client.send(f"{command}\r\n")
        assert client.getreply()[0] == 250
    client.data(b"Subject: x\r\n\r\n\r\n")
    (made,) = [path for path in kept_mails(stack) if path not in before]
    assert message_from_bytes(made.read_bytes()).keys() == ["X-MailFrom", "X-RcptTo", "Subject"]


def test_without_room_on_the_disk_the_sender_is_told_to_try_again_and_later_can(
    client: smtplib.SMTP, stack: EmbeddedStack
) -> None:
    catcher = psutil.Process(stack.pid("mailcatcher"))
    body = b"Subject: large\r\n\r\n" + b"x" * 70 + b"\r\n" * 10_000
    before = sorted(stack.mail_dir.iterdir())
    # A limit on the size of files stands for the full disk: the write fails half way in the same manner.
    unlimited = catcher.rlimit(resource.RLIMIT_FSIZE)
    catcher.rlimit(resource.RLIMIT_FSIZE, (1000, unlimited[1]))
    try:
        with pytest.raises(smtplib.SMTPDataError) as refusal:
            client.sendmail(SENDER, [RECIPIENT], body)
    finally:
        catcher.rlimit(resource.RLIMIT_FSIZE, unlimited)
    assert refusal.value.smtp_code == 452
    assert sorted(stack.mail_dir.iterdir()) == before
    assert send(client, stack, body) == envelope_lines() + body


def test_an_open_connection_does_not_hold_up_the_end_of_the_catcher(client: smtplib.SMTP, stack: EmbeddedStack) -> None:
    client.noop()
    log = stack.data_dir / "log" / "mailcatcher.log"
    stack.stop_part("mailcatcher")
    stack.start_server("mailcatcher")
    assert "Traceback" not in log.read_text()
    with smtplib.SMTP("127.0.0.1", stack.mail_port, timeout=20) as another:
        assert send(another, stack, b"Subject: after\r\n\r\n\r\n").endswith(b"Subject: after\r\n\r\n\r\n")


@pytest.mark.parametrize(("given", "used"), [({}, "true"), ({"MAIL_ALLOW_PRIVATE_HOSTS": "false"}, "false")])
def test_the_catcher_may_be_sent_to_in_every_environment(
    stack: EmbeddedStack, given: dict[str, str], used: str
) -> None:
    application = Application(stack, 5000, {"APP_ENVIRONMENT": "staging", **given})
    assert application.env["MAIL_ALLOW_PRIVATE_HOSTS"] == used
