"""SendGrid as every transport: the contract, against a real HTTPS server."""

from __future__ import annotations

import base64
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from transport_contract import Arrived, TransportContract, envelope

from app.delivery.transports import TRANSPORTS
from app.delivery.transports.base import Attachment, PermanentError, SendGridConfig
from app.delivery.transports.sendgrid import SendGridTransport
from tests.servers.certificates import Authority
from tests.servers.sendgrid import KEY, SendGridServer, SilentServer, complaints
from tests.servers.smtp import HOST


class SendGridProvider:
    """A server that knows one key, and transports to it."""

    secret = "SG.wrong-key.of-nobody"

    def __init__(self, server: SendGridServer, silent: SilentServer, authority: Authority) -> None:
        self.server = server
        self._silent = silent
        self.made: list[SendGridTransport] = []
        self._config = SendGridConfig(KEY, server.url, ca_file=str(authority.ca_file))
        self.transport = self._make()

    def arrived(self) -> list[Arrived]:
        return [_arrived(mail) for mail in self.server.mails]

    def rejected(self) -> SendGridTransport:
        return self._make(api_key=self.secret)

    def unreachable(self) -> SendGridTransport:
        with closing(socket.socket()) as unused:
            unused.bind((HOST, 0))
            port = unused.getsockname()[1]
        return self._make(api_url=f"https://{HOST}:{port}")

    def hanging(self) -> SendGridTransport:
        return self._make(api_url=f"https://{HOST}:{self._silent.port}", timeout=0.2)

    def _make(self, **changes: Any) -> SendGridTransport:
        self.made.append(SendGridTransport(replace(self._config, **changes)))
        return self.made[-1]


def _arrived(mail: dict[str, Any]) -> Arrived:
    [personalization] = mail["personalizations"]
    to, bcc = ([entry["email"] for entry in personalization.get(kind, [])] for kind in ("to", "bcc"))
    reply_to = mail.get("reply_to_list") or ([mail["reply_to"]] if "reply_to" in mail else [])
    bodies = {part["type"]: part["value"] for part in mail["content"]}
    return Arrived(
        sender=mail["from"]["email"],
        sender_name=mail["from"].get("name", ""),
        recipients=to + bcc,
        to=to,
        reply_to=[entry["email"] for entry in reply_to],
        subject=mail["subject"],
        text=bodies["text/plain"],
        html=bodies["text/html"],
        message_id=mail["headers"]["Message-ID"],
        headers=[name.lower() for name in mail["headers"]] + ["reply-to"] * bool(reply_to),
        attachments=[
            (entry["filename"], entry["type"], base64.b64decode(entry["content"], validate=True))
            for entry in mail.get("attachments", [])
        ],
    )


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def provider(authority: Authority) -> Iterator[SendGridProvider]:
    with SendGridServer(authority.server_context()) as server, SilentServer() as silent:
        made = SendGridProvider(server, silent, authority)
        yield made
        for transport in made.made:
            transport.close()


class TestSendGridTransport(TransportContract):
    def test_many_mails_go_over_one_connection(self, provider: SendGridProvider) -> None:
        for number in range(20):
            provider.transport.send(envelope(mail_id=number))
        assert len(provider.arrived()) == 20
        assert provider.server.connections == 1

    def test_the_receipt_has_sendgrids_message_id(self, provider: SendGridProvider) -> None:
        receipt = provider.transport.send(envelope())
        assert (receipt.provider_message_id, receipt.response) == ("SG1", "202 Accepted")

    def test_a_mail_bears_its_id_and_its_action(self, provider: SendGridProvider) -> None:
        self.send(provider, mail_id=77, action="New Session Proposal")
        [mail] = provider.server.mails
        assert mail["custom_args"] == {"mail_id": "77", "message_id": "mail.1@example.org"}
        assert mail["categories"] == ["New Session Proposal"]

    @pytest.mark.parametrize(("action", "label"), [("x" * 300, ["x" * 255]), ("Größe", None), ("", None)])
    def test_an_action_that_is_no_category_is_no_reason_for_a_refusal(
        self, provider: SendGridProvider, action: str, label: list[str] | None
    ) -> None:
        self.send(provider, action=action)
        assert provider.server.mails[0].get("categories") == label

    def test_links_are_not_led_through_sendgrid(self, provider: SendGridProvider) -> None:
        self.send(provider)
        tracking = provider.server.mails[0]["tracking_settings"]
        assert tracking == {"click_tracking": {"enable": False, "enable_text": False}}

    def test_an_address_that_is_named_twice_gets_the_mail_once(self, provider: SendGridProvider) -> None:
        arrived = self.send(provider, bcc=("Bob@Example.org", "eve@example.org", "EVE@example.org"))
        assert arrived.recipients == ["bob@example.org", "eve@example.org"]
        assert "bcc" not in self.send(provider, bcc=("bob@example.org",)).headers
        assert "bcc" not in provider.server.mails[1]["personalizations"][0]

    def test_one_reply_to_address_has_the_older_field(self, provider: SendGridProvider) -> None:
        self.send(provider, reply_to=("ana@example.org", "ANA@example.org"))
        assert provider.server.mails[0]["reply_to"] == {"email": "ana@example.org"}

    def test_an_empty_subject_body_or_name_is_no_reason_for_a_refusal(self, provider: SendGridProvider) -> None:
        provider.transport.send(envelope(subject=" ", text="", html="", sender_name=""))
        [mail] = provider.server.mails
        assert mail["subject"] == "(no subject)"
        assert mail["content"] == [{"type": "text/plain", "value": "\n"}]
        assert mail["from"] == {"email": "usher@example.org"}

    def test_a_mail_over_sendgrids_limit_is_not_offered(self, provider: SendGridProvider) -> None:
        large = Attachment("large.bin", "application/octet-stream", bytes(23 * 1024 * 1024))
        with pytest.raises(PermanentError, match="make its attachments smaller"):
            provider.transport.send(envelope(attachments=(large,)))
        assert provider.server.requests == []

    def test_half_a_surrogate_is_refused_here(self, provider: SendGridProvider) -> None:
        with pytest.raises(PermanentError):
            provider.transport.send(envelope(text="half \ud800"))
        assert provider.server.requests == []


def test_the_server_of_the_tests_is_as_strict_as_sendgrid() -> None:
    good = {
        "personalizations": [{"to": [{"email": "a@example.org"}]}],
        "from": {"email": "b@example.org"},
        "subject": "s",
        "content": [{"type": "text/plain", "value": "t"}],
    }
    assert complaints(good) == []
    bad: list[dict[str, Any]] = [
        {"surprise": 1},
        {"subject": ""},
        {"content": []},
        {"content": [{"type": "text/html", "value": "h"}, {"type": "text/plain", "value": "t"}]},
        {"from": {}},
        {"personalizations": [{"to": [{"email": "a@example.org"}], "bcc": [{"email": "A@example.org"}]}]},
        {"headers": {"Reply-To": "x@example.org"}},
        {"custom_args": {"mail_id": 1}},
        {"reply_to": {"email": "a@example.org"}, "reply_to_list": [{"email": "a@example.org"}]},
        {"attachments": [{"content": "eA==", "filename": "f", "type": "text/calendar; method=REQUEST"}]},
    ]
    for change in bad:
        assert complaints({**good, **change}), change


def test_the_registry_makes_a_transport_by_its_name() -> None:
    assert TRANSPORTS["sendgrid"](SendGridConfig(KEY)).name == "sendgrid"


def test_a_configuration_is_equal_to_its_like_and_hides_its_key() -> None:
    config = SendGridConfig(KEY)
    assert {config: 1}[SendGridConfig(KEY)] == 1
    assert config != SendGridConfig("SG.another")
    assert KEY not in f"{config!r}{SendGridTransport(config)!r}"
