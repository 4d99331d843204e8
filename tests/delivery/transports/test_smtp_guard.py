"""Where SMTP may connect to: the guard in front of the operator's own network, and TLS behind it."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import pytest
from transport_contract import envelope

from app.delivery import network
from app.delivery.network import Address
from app.delivery.transports.base import ConfigurationError, SmtpConfig
from app.delivery.transports.smtp import SmtpTransport
from tests.servers.certificates import Authority
from tests.servers.smtp import HOST, RecordingSmtp

NAME = "mail.example.org"


def send(port: int, host: str = NAME, **options: Any) -> None:
    with closing(SmtpTransport(SmtpConfig(host, port, timeout=5.0, **options))) as transport:
        transport.send(envelope())


def resolve_to(monkeypatch: pytest.MonkeyPatch, *answers: str) -> list[str]:
    """Let the name server give these answers, one after the other; returns the names that it is asked for."""
    asked: list[str] = []
    left = list(answers)

    def answer(host: str, port: int, _seconds: float) -> Sequence[Address]:
        asked.append(host)
        return [Address(socket.AF_INET, (left.pop(0), port))]

    monkeypatch.setattr(network, "look_up", answer)
    return asked


@pytest.mark.parametrize("encryption", ["tls", "ssl", "none"])
@pytest.mark.parametrize("host", ["127.1", "localhost", "2130706433", "[::1]"])
def test_a_server_in_our_own_network_gets_nothing_unless_that_is_allowed(host: str, encryption: str) -> None:
    with RecordingSmtp() as server:
        with pytest.raises(ConfigurationError, match="MAIL_ALLOW_PRIVATE_HOSTS") as caught:
            send(server.port, host, encryption=encryption)
        assert server.connections == 0
    assert (caught.value.provider, caught.value.maybe_accepted) == ("smtp", False)


def test_where_it_is_allowed_the_mail_leaves() -> None:
    with RecordingSmtp() as server:
        send(server.port, "127.1", encryption="none", allow_private=True)
        assert len(server.envelopes) == 1


@pytest.mark.parametrize("mode", ["starttls", "smtps"])
def test_the_name_is_looked_up_once_and_its_certificate_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, mode: str
) -> None:
    # This host stands for one in the Internet, and the name server says something else the second time.
    monkeypatch.setattr(network, "is_public", lambda address: address == HOST)
    asked = resolve_to(monkeypatch, HOST, "10.0.0.1")
    authority = Authority(tmp_path_factory.mktemp("authority"))
    options = {"encryption": "ssl" if mode == "smtps" else "tls", "ca_file": str(authority.ca_file)}
    with RecordingSmtp(**{mode: authority.server_context(NAME)}) as server:
        send(server.port, **options)
        assert len(server.envelopes) == 1
    assert asked == [NAME]


@pytest.mark.parametrize("mode", ["starttls", "smtps"])
def test_a_certificate_for_the_address_alone_is_not_enough(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, mode: str
) -> None:
    resolve_to(monkeypatch, HOST)
    authority = Authority(tmp_path_factory.mktemp("authority"))
    options = {"encryption": "ssl" if mode == "smtps" else "tls", "ca_file": str(authority.ca_file)}
    with RecordingSmtp(**{mode: authority.server_context(HOST)}) as server:
        with pytest.raises(ConfigurationError, match="Hostname mismatch"):
            send(server.port, allow_private=True, **options)
        assert server.envelopes == []
