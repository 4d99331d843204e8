"""To whom the SendGrid key goes: only to the server whose certificate bears the name, and on no way round."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from transport_contract import envelope

from app.delivery.transports.base import ConfigurationError, SendGridConfig, TransportError
from app.delivery.transports.sendgrid import SendGridTransport
from tests.servers.certificates import Authority
from tests.servers.sendgrid import KEY, SendGridServer, SilentServer
from tests.servers.smtp import HOST, ScriptedSmtp


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def send(url: str, authority: Authority | None = None, timeout: float = 5.0) -> None:
    ca_file = str(authority.ca_file) if authority else None
    config = SendGridConfig(KEY, url, timeout=timeout, data_timeout=timeout, ca_file=ca_file)
    with closing(SendGridTransport(config)) as transport:
        transport.send(envelope())


def failure(url: str, authority: Authority | None = None, timeout: float = 5.0) -> TransportError:
    with pytest.raises(TransportError) as caught:
        send(url, authority, timeout)
    return caught.value


@pytest.mark.parametrize("host", [HOST, "localhost"])
def test_the_right_certificate_passes(authority: Authority, host: str) -> None:
    with SendGridServer(authority.server_context(host)) as server:
        send(f"https://{host}:{server.port}", authority)
        assert len(server.mails) == 1


@pytest.mark.parametrize("fault", ["expired", "name", "authority"])
def test_a_bad_certificate_stops_everything(authority: Authority, tmp_path: Path, fault: str) -> None:
    signer = Authority(tmp_path) if fault == "authority" else authority
    context = signer.server_context("api.example.org" if fault == "name" else HOST, expired=fault == "expired")
    with SendGridServer(context) as server:
        error = failure(server.url, authority)
        assert server.requests == []
    assert isinstance(error, ConfigurationError)
    words = {"expired": "expired", "name": "IP address mismatch", "authority": "unable to get local issuer certificate"}
    assert words[fault] in str(error)


def test_without_our_authority_its_certificates_are_not_trusted(authority: Authority) -> None:
    with SendGridServer(authority.server_context()) as server:
        assert isinstance(failure(server.url), ConfigurationError)
        assert server.requests == []


def test_a_file_of_authorities_that_is_not_there_is_named(authority: Authority, tmp_path: Path) -> None:
    config = SendGridConfig(KEY, f"https://{HOST}:1", ca_file=str(tmp_path / "missing.pem"))
    with pytest.raises(ConfigurationError, match=r"missing\.pem"):
        SendGridTransport(config).send(envelope())


def test_a_server_that_speaks_no_tls_gets_nothing() -> None:
    with ScriptedSmtp() as server:
        error = failure(f"https://{HOST}:{server.port}")
        assert not any(KEY.encode() in packet for packet in server.packets)
    assert isinstance(error, ConfigurationError)
    assert "no way to speak TLS" in str(error)


def test_a_server_that_hangs_in_the_handshake_is_given_up() -> None:
    with SilentServer() as server:
        error = failure(f"https://{HOST}:{server.port}", timeout=0.2)
    assert (error.kind, error.maybe_accepted) == ("connection", False)


def test_the_environment_has_no_say(authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine {HOST} login somebody password else\n")
    netrc.chmod(0o600)
    with SendGridServer(authority.server_context()) as server, ScriptedSmtp() as proxy:
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://{HOST}:{proxy.port}")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("NETRC", str(netrc))
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "nothing.pem"))
        send(server.url, authority)
        assert server.requests[0][2]["Authorization"] == f"Bearer {KEY}"
        assert proxy.connections == 0


def test_a_user_in_the_address_does_not_replace_the_key_and_is_not_shown() -> None:
    with SendGridServer() as server:
        send(f"http://gate:secret-of-the-gate@{HOST}:{server.port}")
        assert server.requests[0][2]["Authorization"] == f"Bearer {KEY}"
    error = failure(f"http://gate:secret-of-the-gate@{HOST}:{server.port}")
    assert error.kind == "connection"
    assert "secret-of-the-gate" not in str(error)


@pytest.mark.parametrize("url", [f"https://{HOST}:99999", "https://..", "https://[::1", "https://a b"])
def test_an_address_that_cannot_be_meant_is_for_the_operator_to_mend(url: str) -> None:
    error = failure(url)
    assert isinstance(error, ConfigurationError)
    assert "SENDGRID_API_URL" in str(error)
