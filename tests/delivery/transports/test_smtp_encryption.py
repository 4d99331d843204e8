"""What leaves in the clear and what does not: STARTTLS, SMTPS, certificates, AUTH."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from transport_contract import envelope

from app.delivery.transports.base import ConfigurationError, ConnectionFailedError, SmtpConfig, TransportError
from app.delivery.transports.smtp import SmtpTransport
from tests.servers.certificates import Authority
from tests.servers.smtp import HOST, Hang, Raw, RecordingSmtp, ScriptedSmtp, Step

USER, PASSWORD = "usher", "correct-horse-battery"
LOGIN = (USER, PASSWORD)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[Authority]:
    return Authority(tmp_path)


def send(port: int, authority: Authority | None = None, **options: Any) -> None:
    options.setdefault("timeout", 5.0)
    if authority is not None:
        options["ca_file"] = str(authority.ca_file)
    with closing(
        SmtpTransport(SmtpConfig(options.pop("host", HOST), port, **options, allow_private=True))
    ) as transport:
        transport.send(envelope())


def failure(port: int, authority: Authority | None = None, **options: Any) -> TransportError:
    with pytest.raises(TransportError) as caught:
        send(port, authority, **options)
    assert PASSWORD not in f"{caught.value}{caught.value!r}{caught.value.__cause__!r}"
    return caught.value


@pytest.mark.parametrize("encryption", ["tls", "tls_optional", "tls-optional"])
def test_starttls_encrypts_and_logs_in(authority: Authority, encryption: str) -> None:
    with RecordingSmtp(starttls=authority.server_context(), login=LOGIN) as server:
        send(server.port, authority, encryption=encryption, username=USER, password=PASSWORD)
        assert server.logged_in == [USER]
        assert len(server.envelopes) == 1


def test_smtps_is_encrypted_from_the_first_byte(authority: Authority) -> None:
    with RecordingSmtp(smtps=authority.server_context(), login=LOGIN) as server:
        send(server.port, authority, encryption="ssl", username=USER, password=PASSWORD)
        assert server.logged_in == [USER]
        assert len(server.envelopes) == 1


@pytest.mark.parametrize("encryption", ["none", "no-encryption", "tls_optional", "tls-optional"])
def test_without_tls_on_offer_a_mail_leaves_in_the_clear_only_where_that_is_allowed(encryption: str) -> None:
    with RecordingSmtp() as server:
        send(server.port, encryption=encryption)
        assert len(server.envelopes) == 1


def test_tls_without_starttls_on_offer_sends_nothing() -> None:
    with ScriptedSmtp("AUTH PLAIN") as server:
        error = failure(server.port, encryption="tls", username=USER, password=PASSWORD)
    assert isinstance(error, ConfigurationError)
    assert "does not offer STARTTLS" in str(error)
    assert [command.partition(" ")[0].upper() for command in server.commands] == ["EHLO", "QUIT"]


def test_no_password_leaves_in_the_clear_when_tls_is_optional() -> None:
    with ScriptedSmtp("AUTH PLAIN LOGIN CRAM-MD5") as server:
        error = failure(server.port, encryption="tls_optional", username=USER, password=PASSWORD)
    assert isinstance(error, ConfigurationError)
    assert [command.partition(" ")[0].upper() for command in server.commands] == ["EHLO", "QUIT"]


@pytest.mark.parametrize("mode", ["tls", "tls_optional", "ssl"])
@pytest.mark.parametrize("fault", ["expired", "name", "authority"])
def test_a_bad_certificate_stops_everything(authority: Authority, stranger: Authority, mode: str, fault: str) -> None:
    signer = stranger if fault == "authority" else authority
    context = signer.server_context("mail.example.org" if fault == "name" else HOST, expired=fault == "expired")
    with RecordingSmtp(**{"smtps" if mode == "ssl" else "starttls": context}) as server:
        error = failure(server.port, authority, encryption=mode)
        assert server.envelopes == []
    assert isinstance(error, ConfigurationError)
    assert "certificate" in str(error)
    words = {"expired": "expired", "name": "IP address mismatch", "authority": "unable to get local issuer certificate"}
    assert words[fault] in str(error)


def test_a_certificate_for_another_host_name_is_refused(authority: Authority) -> None:
    with RecordingSmtp(starttls=authority.server_context("mail.example.org")) as server:
        error = failure(server.port, authority, host="localhost", encryption="tls")
    assert isinstance(error, ConfigurationError)
    assert "Hostname mismatch" in str(error)


def test_a_certificate_for_the_host_name_is_taken(authority: Authority) -> None:
    with RecordingSmtp(starttls=authority.server_context("localhost")) as server:
        send(server.port, authority, host="localhost", encryption="tls")
        assert len(server.envelopes) == 1


def test_without_our_authority_its_certificates_are_not_trusted(authority: Authority) -> None:
    with RecordingSmtp(starttls=authority.server_context()) as server:
        assert isinstance(failure(server.port, encryption="tls"), ConfigurationError)


def test_a_file_of_authorities_that_is_not_there_is_named(tmp_path: Path) -> None:
    with ScriptedSmtp("STARTTLS", starttls="220 go") as server:
        error = failure(server.port, encryption="tls", ca_file=str(tmp_path / "missing.pem"))
    assert isinstance(error, ConfigurationError)
    assert "missing.pem" in str(error)


@pytest.mark.parametrize("mode", ["tls", "tls_optional"])
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("454 4.7.0 TLS not available", "connection"),
        (Raw(b"220 go\r\n250 2.0.0 injected\r\n"), "configuration"),
        (Raw(b"220 go\r\nThis is no TLS, but words in the clear.\r\n"), "configuration"),
    ],
)
def test_a_failing_handshake_never_falls_back_to_the_clear(mode: str, answer: Step, kind: str) -> None:
    with ScriptedSmtp("STARTTLS", starttls=answer) as server:
        error = failure(server.port, encryption=mode)
    assert error.kind == kind
    assert server.mails_offered == 0


@pytest.mark.parametrize("mode", ["tls", "ssl"])
def test_a_server_that_hangs_in_the_handshake_is_given_up(mode: str) -> None:
    script: dict[str, Any] = {"greeting": Hang()} if mode == "ssl" else {"starttls": Hang(b"220 go\r\n")}
    with ScriptedSmtp("STARTTLS", **script) as server:
        error = failure(server.port, encryption=mode, timeout=0.2)
    assert isinstance(error, ConnectionFailedError)


def test_smtps_to_a_server_that_speaks_in_the_clear_says_what_to_check() -> None:
    with ScriptedSmtp() as server:
        error = failure(server.port, encryption="ssl")
    assert isinstance(error, ConfigurationError)
    assert "smtp-encryption" in str(error)


def test_a_wrong_password_is_for_the_admin_to_mend(authority: Authority) -> None:
    with RecordingSmtp(starttls=authority.server_context(), login=(USER, "another")) as server:
        error = failure(server.port, authority, encryption="tls", username=USER, password=PASSWORD)
        assert server.envelopes == []
    assert isinstance(error, ConfigurationError)
    assert (error.code, error.enhanced) == (535, "5.7.8")


@pytest.mark.parametrize("offer", ["8BITMIME", "AUTH XOAUTH2"])
def test_a_user_name_for_a_server_without_auth_is_for_the_admin_to_mend(offer: str) -> None:
    with ScriptedSmtp(offer) as server:
        error = failure(server.port, encryption="none", username=USER, password=PASSWORD)
    assert isinstance(error, ConfigurationError)
    assert "smtp-username" in str(error)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("535 5.7.8 no", "configuration"),
        ("534 5.7.9 mechanism too weak", "configuration"),
        ("538 5.7.11 encryption required", "configuration"),
        ("454 4.7.0 Temporary authentication failure", "connection"),
        ("454 4.7.0 Too many login attempts", "throttled"),
        ("421 4.3.2 closing", "connection"),
    ],
)
def test_an_answer_to_auth_has_its_class(answer: str, kind: str) -> None:
    with ScriptedSmtp("AUTH PLAIN", auth=answer) as server:
        error = failure(server.port, encryption="none", username=USER, password=PASSWORD)
    assert error.kind == kind
    assert error.connection_lost or kind == "configuration"


@pytest.mark.parametrize(
    "answer", ["535 5.7.8 bad AHVzaGVyAGNvcnJlY3QtaG9yc2UtYmF0dGVyeQ==", f"535 5.7.8 {PASSWORD} is wrong"]
)
def test_a_server_that_repeats_the_password_does_not_bring_it_into_the_error(answer: str) -> None:
    with ScriptedSmtp("AUTH PLAIN", auth=answer) as server:
        error = failure(server.port, encryption="none", username=USER, password=PASSWORD)
    assert "AHVzaGVy" not in str(error)
    assert "***" in str(error)


def test_a_password_outside_ascii_says_so_without_showing_it() -> None:
    with ScriptedSmtp("AUTH PLAIN") as server:
        error = failure(server.port, encryption="none", username=USER, password="pässwörd")
    assert isinstance(error, ConfigurationError)
    assert "pässwörd" not in f"{error}{error.__context__!r}"


@pytest.mark.parametrize(
    "config",
    [
        SmtpConfig("", 25, encryption="none", allow_private=True),
        SmtpConfig("..", 25, encryption="none", allow_private=True),
        SmtpConfig(HOST, 99999, encryption="none", allow_private=True),
        SmtpConfig(HOST, 25, encryption="starttls", allow_private=True),
    ],
)
def test_settings_that_cannot_be_meant_are_for_the_admin_to_mend(config: SmtpConfig) -> None:
    with pytest.raises(ConfigurationError, match="smtp-"):
        SmtpTransport(config).send(envelope())
