"""SMTP as every transport: the contract, against a real server."""

from __future__ import annotations

import email
import socket
from collections.abc import Iterator
from contextlib import closing
from email.header import decode_header, make_header
from email.utils import parseaddr

import pytest
from transport_contract import Arrived, TransportContract, envelope

from app.delivery.transports import TRANSPORTS
from app.delivery.transports.smtp import SmtpConfig, SmtpTransport
from tests.servers.smtp import HOST, Hang, RecordingSmtp, ScriptedSmtp, Taken, parse


class SmtpProvider:
    """A server that lets in one user, and transports to it."""

    secret = "correct-horse-battery"

    def __init__(self, server: RecordingSmtp, hanging: ScriptedSmtp) -> None:
        self.server = server
        self._hanging = hanging
        self.made: list[SmtpTransport] = []
        self.transport = self._make(SmtpConfig(HOST, server.port, "usher", self.secret, "none", allow_private=True))

    def arrived(self) -> list[Arrived]:
        return [_arrived(taken) for taken in self.server.envelopes]

    def rejected(self) -> SmtpTransport:
        return self._make(SmtpConfig(HOST, self.server.port, "somebody", self.secret, "none", allow_private=True))

    def unreachable(self) -> SmtpTransport:
        with closing(socket.socket()) as unused:
            unused.bind((HOST, 0))
            port = unused.getsockname()[1]
        return self._make(SmtpConfig(HOST, port, encryption="none", allow_private=True))

    def hanging(self) -> SmtpTransport:
        return self._make(SmtpConfig(HOST, self._hanging.port, encryption="none", timeout=0.2, allow_private=True))

    def _make(self, config: SmtpConfig) -> SmtpTransport:
        self.made.append(SmtpTransport(config))
        return self.made[-1]


def _arrived(taken: Taken) -> Arrived:
    message = parse(taken.content)
    assert not message.defects
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert html is not None
    # By the older parser: the newer one puts blanks between encoded words that belong together.
    name, address = parseaddr(str(email.message_from_bytes(taken.content)["From"]).replace("\r\n", ""))
    assert address == taken.sender
    return Arrived(
        sender=address,
        sender_name=str(make_header(decode_header(name))),
        recipients=taken.recipients,
        to=[address.addr_spec for address in message["To"].addresses],
        reply_to=[address.addr_spec for address in message["Reply-To"].addresses] if "Reply-To" in message else [],
        subject=message["Subject"],
        text=plain.get_content().replace("\r\n", "\n"),
        html=html.get_content().replace("\r\n", "\n"),
        message_id=message["Message-ID"],
        headers=[name.lower() for name in message.keys()],  # noqa: SIM118 - a header may be there twice
        attachments=[
            (part.get_filename() or "", part.get_content_type(), part.get_payload(decode=True))
            for part in message.iter_attachments()
        ],
    )


@pytest.fixture
def provider() -> Iterator[SmtpProvider]:
    login = ("usher", SmtpProvider.secret)
    with RecordingSmtp(login=login, login_in_clear=True) as server, ScriptedSmtp(greeting=Hang()) as hanging:
        made = SmtpProvider(server, hanging)
        yield made
        for transport in made.made:
            transport.close()


class TestSmtpTransport(TransportContract):
    def test_many_mails_go_over_one_connection(self, provider: SmtpProvider) -> None:
        for number in range(20):
            provider.transport.send(envelope(mail_id=number))
        assert len(provider.arrived()) == 20
        assert provider.server.connections == 1
        assert provider.server.logged_in == ["usher"]

    def test_the_receipt_has_the_servers_queue_id(self, provider: SmtpProvider) -> None:
        receipt = provider.transport.send(envelope())
        assert (receipt.provider_message_id, receipt.response) == ("Q1", "250 2.0.0 Ok: queued as Q1")

    def test_every_line_ends_with_crlf_and_none_is_too_long(self, provider: SmtpProvider) -> None:
        provider.transport.send(
            envelope(
                subject="wörd " * 300 + "x" * 2000,
                sender_name="n" * 2000,
                text="y" * 5000 + "\rone\ntwo\r\nthree",
                reply_to=tuple(f"{'r' * 60}{number}@example.org" for number in range(60)),
            )
        )
        content = provider.server.envelopes[0].content
        assert content.count(b"\n") == content.count(b"\r") == content.count(b"\r\n")
        assert max(len(line) for line in content.split(b"\r\n")) <= 998

    def test_the_date_is_utc_and_no_program_is_named(self, provider: SmtpProvider) -> None:
        provider.transport.send(envelope())
        message = provider.server.messages[0]
        assert message["Date"].endswith(" +0000")
        assert message["Auto-Submitted"] == "auto-generated"
        assert message["X-Mailer"] is None
        assert message.get_content_type() == "multipart/alternative"


def test_the_registry_makes_a_transport_by_its_name() -> None:
    transport = TRANSPORTS["smtp"](SmtpConfig(HOST, 25, allow_private=True))
    assert transport.name == "smtp"


def test_a_configuration_is_equal_to_its_like_and_hides_its_password() -> None:
    config = SmtpConfig(HOST, 25, "usher", "secret-word", allow_private=True)
    assert {config: 1}[SmtpConfig(HOST, 25, "usher", "secret-word", allow_private=True)] == 1
    assert config != SmtpConfig(HOST, 25, "usher", "another", allow_private=True)
    assert "secret-word" not in repr(config)
