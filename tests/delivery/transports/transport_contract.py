"""What every transport does alike, as one class of tests.

A provider's tests subclass `TransportContract` and give it a `Provider`: the transport, and what arrived where it
sends to. Whatever the provider's own form is (MIME, JSON), it is told as `Arrived`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import pytest

from app.delivery.transports.base import Attachment, Envelope, PermanentError, Transport, TransportError

SUBJECTS = [
    "New session proposal for Ünïcode Con",
    "جلسة جديدة في المؤتمر: قاعدة البيانات والرسائل الإلكترونية المتأخرة جدا في هذا العام",
    "הצעה חדשה להרצאה",
    "🎉 Accepted! 👩‍💻🚀",
    "=?utf-8?q?not_encoded?= by us",
    '"quoted", <b>bold</b>; \\back',
    "新しいセッションの提案" * 12,
    "long words " + "x" * 300,
    "a b  c   d",
]
NAMES = [
    "Usher",
    "Üsher Ñame",
    'O"Brien, Inc. <x@example.org>',
    "مؤتمر",
    "🎪 Fest",
    "=?utf-8?q?spoofed?=",
    "Very " * 30 + "long",
]


@dataclass
class Arrived:
    """A mail as it came to the provider."""

    sender: str
    sender_name: str
    recipients: list[str]  # all that get it
    to: list[str]  # those that everybody sees
    reply_to: list[str]
    subject: str
    text: str
    html: str
    message_id: str
    headers: list[str]
    attachments: list[tuple[str, str, bytes]] = field(default_factory=list)


class Provider(Protocol):
    """A transport, and where it sends to."""

    secret: str

    @property
    def transport(self) -> Transport:
        """One that sends well."""

    def arrived(self) -> list[Arrived]:
        """What arrived, in its order."""

    def rejected(self) -> Transport:
        """One whose secret the provider does not accept."""

    def unreachable(self) -> Transport:
        """One whose provider is not there."""

    def hanging(self) -> Transport:
        """One whose provider answers nothing, with a short timeout."""


def envelope(**changes: Any) -> Envelope:
    """A mail with these changes."""
    values: dict[str, Any] = {
        "message_id": "mail.1@example.org",
        "sender": "usher@example.org",
        "sender_name": "Usher",
        "recipient": "bob@example.org",
        "subject": "Hello",
        "html": "<p>Hello <b>Bob</b></p>",
        "text": "Hello Bob",
        "mail_id": 1,
        "action": "New Session Proposal",
    }
    return Envelope(**{**values, **changes})


class TransportContract:
    """Subclass it in a provider's tests and define the fixture `provider`."""

    def send(self, provider: Provider, **changes: Any) -> Arrived:
        receipt = provider.transport.send(envelope(**changes))
        assert receipt.provider == provider.transport.name
        return provider.arrived()[-1]

    def test_a_mail_arrives_with_both_bodies_and_a_receipt(self, provider: Provider) -> None:
        receipt = provider.transport.send(envelope())
        arrived = provider.arrived()
        assert [mail.recipients for mail in arrived] == [["bob@example.org"]]
        assert (arrived[0].sender, arrived[0].sender_name) == ("usher@example.org", "Usher")
        assert arrived[0].text.strip() == "Hello Bob"
        assert arrived[0].html.strip() == "<p>Hello <b>Bob</b></p>"
        assert receipt.provider_message_id
        assert receipt.note is None

    @pytest.mark.parametrize("subject", SUBJECTS)
    def test_a_subject_arrives_as_it_was_written(self, provider: Provider, subject: str) -> None:
        assert self.send(provider, subject=subject).subject == subject

    @pytest.mark.parametrize("name", NAMES)
    def test_a_senders_name_arrives_as_it_was_written(self, provider: Provider, name: str) -> None:
        arrived = self.send(provider, sender_name=name)
        assert (arrived.sender_name, arrived.sender) == (name, "usher@example.org")

    def test_bodies_arrive_as_they_were_written(self, provider: Provider) -> None:
        text = "Ünïcode 🎉 עברית\n.\n..dots\n.\nFrom here\ntrailing space \n" + "x" * 3000 + "\n=3D = ==\n"
        arrived = self.send(provider, text=text, html=f"<pre>{text}</pre>")
        assert arrived.text == text
        assert arrived.html.rstrip("\n") == f"<pre>{text}</pre>"

    @pytest.mark.parametrize("field_name", ["subject", "sender_name", "sender", "recipient", "message_id"])
    @pytest.mark.parametrize("line_break", ["\r\n", "\n", "\r"])
    def test_a_line_break_cannot_add_a_header(self, provider: Provider, field_name: str, line_break: str) -> None:
        whole = getattr(envelope(), field_name)
        with pytest.raises(PermanentError):
            provider.transport.send(envelope(**{field_name: f"{whole}{line_break}Bcc: eve@example.org"}))
        assert provider.arrived() == []

    @pytest.mark.parametrize("field_name", ["bcc", "reply_to"])
    @pytest.mark.parametrize("address", ["a@example.org\r\nX: y", "a@example.org, b@example.org", "no address", ""])
    def test_a_list_of_addresses_takes_only_addresses(self, provider: Provider, field_name: str, address: str) -> None:
        with pytest.raises(PermanentError):
            provider.transport.send(envelope(**{field_name: (address,)}))
        assert provider.arrived() == []

    @pytest.mark.parametrize("separator", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"])
    def test_a_rare_line_separator_becomes_a_space(self, provider: Provider, separator: str) -> None:
        assert self.send(provider, subject=f"one{separator}X-Two: ü").subject == "one X-Two: ü"

    def test_blind_copies_get_the_mail_and_are_not_named_in_it(self, provider: Provider) -> None:
        arrived = self.send(provider, bcc=("eve@example.org", "dan@example.org"))
        assert sorted(arrived.recipients) == ["bob@example.org", "dan@example.org", "eve@example.org"]
        assert arrived.to == ["bob@example.org"]
        assert "bcc" not in arrived.headers

    def test_all_reply_to_addresses_are_in_one_header(self, provider: Provider) -> None:
        addresses = tuple(f"speaker{number}@example.org" for number in range(12))
        arrived = self.send(provider, reply_to=addresses)
        assert arrived.reply_to == list(addresses)
        assert arrived.headers.count("reply-to") == 1

    def test_no_reply_to_means_no_header(self, provider: Provider) -> None:
        assert "reply-to" not in self.send(provider).headers

    def test_a_second_try_bears_the_same_message_id(self, provider: Provider) -> None:
        for _ in range(2):
            provider.transport.send(envelope())
        assert [mail.message_id for mail in provider.arrived()] == ["<mail.1@example.org>"] * 2

    def test_a_mail_says_that_a_machine_wrote_it(self, provider: Provider) -> None:
        headers = self.send(provider).headers
        assert "auto-submitted" in headers
        assert "x-auto-response-suppress" in headers

    def test_attachments_arrive_byte_by_byte(self, provider: Provider) -> None:
        pdf = bytes(range(256)) * 40
        arrived = self.send(
            provider,
            attachments=(
                Attachment("invite.ics", "text/calendar; method=REQUEST; charset=utf-8", b"BEGIN:VCALENDAR\r\n"),
                Attachment("Rechnung Äpfel.pdf", "application/pdf", pdf),
            ),
        )
        assert arrived.attachments == [
            ("invite.ics", "text/calendar", b"BEGIN:VCALENDAR\r\n"),
            ("Rechnung Äpfel.pdf", "application/pdf", pdf),
        ]
        assert arrived.text.strip() == "Hello Bob"

    def test_an_international_domain_is_sent_in_ascii(self, provider: Provider) -> None:
        assert self.send(provider, recipient="bob@müller.example").recipients == ["bob@xn--mller-kva.example"]

    def test_a_local_part_outside_ascii_is_never_tried(self, provider: Provider) -> None:
        with pytest.raises(PermanentError, match="before the @"):
            provider.transport.send(envelope(recipient="bøb@example.org"))
        assert provider.arrived() == []

    def test_the_gate_is_passed_once_before_a_mail_is_given(self, provider: Provider) -> None:
        arrived: list[int] = []
        self.send(provider, gate=lambda: arrived.append(len(provider.arrived())))
        assert arrived == [0]

    def test_a_mail_whose_gate_stays_shut_is_not_given_and_the_next_one_is(self, provider: Provider) -> None:
        def shut() -> None:
            raise LookupError("the outcome of the mail before could not be written")

        with pytest.raises(LookupError):
            provider.transport.send(envelope(gate=shut))
        assert provider.arrived() == []
        provider.transport.send(envelope())
        assert len(provider.arrived()) == 1

    def test_the_next_mail_leaves_after_one_that_could_not(self, provider: Provider) -> None:
        with pytest.raises(PermanentError):
            provider.transport.send(envelope(recipient="nobody"))
        assert self.send(provider).subject == "Hello"

    def test_it_may_be_closed_twice_and_used_again(self, provider: Provider) -> None:
        provider.transport.close()
        self.send(provider)
        provider.transport.close()
        provider.transport.close()
        self.send(provider)
        assert len(provider.arrived()) == 2

    def test_a_provider_that_is_away_is_a_lost_connection(self, provider: Provider) -> None:
        with pytest.raises(TransportError) as caught:
            provider.unreachable().send(envelope())
        assert (caught.value.kind, caught.value.connection_lost) == ("connection", True)
        assert not caught.value.maybe_accepted

    def test_a_provider_that_hangs_is_given_up(self, provider: Provider) -> None:
        with pytest.raises(TransportError) as caught:
            provider.hanging().send(envelope())
        assert (caught.value.kind, caught.value.connection_lost) == ("connection", True)

    def test_a_wrong_secret_is_for_the_admin_to_mend(self, provider: Provider) -> None:
        with pytest.raises(TransportError) as caught:
            provider.rejected().send(envelope())
        assert caught.value.kind == "configuration"
        assert caught.value.provider == provider.transport.name

    def test_no_secret_and_no_body_is_shown(self, provider: Provider) -> None:
        transport = provider.rejected()
        body = envelope(text="token-in-the-body", html="token-in-the-body")
        with pytest.raises(TransportError) as caught:
            transport.send(body)
        shown = f"{transport!r}{transport}{caught.value!r}{caught.value}{caught.value.response}{body!r}"
        assert provider.secret not in shown
        assert "token-in-the-body" not in shown
