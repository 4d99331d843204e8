"""What the doctor says about the SMTP server and SendGrid, without sending a mail."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.delivery.transports.base import SendGridConfig, SmtpConfig
from app.doctor.findings import Finding
from app.doctor.sendgrid import check_sendgrid
from app.doctor.smtp import check_smtp
from tests.servers.certificates import Authority
from tests.servers.sendgrid import KEY, Raw, Says, SendGridServer, Step
from tests.servers.smtp import HOST, Drop, Hang, RecordingSmtp, ScriptedSmtp
from tests.support.sending import refused_port

LOGIN = ("usher", "smtp-password")
MONTH = 30 * 86_400


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def config(server: Any, **changes: Any) -> SmtpConfig:
    usual = SmtpConfig(host=HOST, port=server.port, encryption="none", allow_private=True)
    return replace(usual, **changes)


def a_month_ago() -> float:
    """A time at which the certificates of the tests, which live a day, have more than three weeks to live."""
    return time.time() - MONTH


@pytest.mark.parametrize(
    ("encryption", "option"), [("tls", "starttls"), ("ssl", "smtps"), ("tls_optional", "starttls")]
)
def test_a_server_that_logs_us_in_over_tls_is_in_order(authority: Authority, encryption: str, option: str) -> None:
    options: dict[str, Any] = {option: authority.server_context()}
    with RecordingSmtp(login=LOGIN, **options) as server:
        settings = {"username": LOGIN[0], "password": LOGIN[1], "ca_file": str(authority.ca_file)}
        found = check_smtp(config(server, encryption=encryption, **settings), a_month_ago)
        assert server.logged_in == ["usher"]
        assert server.envelopes == []
    assert [finding.level for finding in found] == ["ok", "ok"]
    assert "logs in 'usher'" in found[0].what
    assert "TLSv1" in found[1].what


def test_a_certificate_that_ends_soon_is_a_warning(authority: Authority) -> None:
    with RecordingSmtp(starttls=authority.server_context()) as server:
        found = check_smtp(config(server, encryption="tls", ca_file=str(authority.ca_file)))
    assert [finding.level for finding in found] == ["ok", "warning"]
    assert "another 0 days" in found[1].what


def test_a_certificate_that_has_ended_is_a_problem(authority: Authority) -> None:
    with RecordingSmtp(starttls=authority.server_context(expired=True)) as server:
        (found,) = check_smtp(config(server, encryption="tls", ca_file=str(authority.ca_file)))
    assert found.level == "problem"
    assert "expired" in found.what


def test_a_wrong_password_is_a_problem_that_does_not_show_it(authority: Authority) -> None:
    with RecordingSmtp(starttls=authority.server_context(), login=LOGIN) as server:
        settings = {"username": "usher", "password": "wrong-password", "ca_file": str(authority.ca_file)}
        (found,) = check_smtp(config(server, encryption="tls", **settings))
    assert found.level == "problem"
    assert "535" in found.what
    assert "wrong-password" not in repr(found)
    assert "/v1/settings/1" in found.advice


def test_a_server_that_is_away_is_a_problem() -> None:
    (found,) = check_smtp(SmtpConfig(host=HOST, port=refused_port(), encryption="none", allow_private=True))
    assert found.level == "problem"
    assert "firewall" in found.advice


def test_a_server_within_this_host_needs_no_tls() -> None:
    with RecordingSmtp() as server:
        found = check_smtp(config(server))
    assert [finding.level for finding in found] == ["ok", "ok"]


def outside_address() -> str:
    """An address of this host that is not the loopback's."""
    for addresses in psutil.net_if_addrs().values():
        for each in addresses:
            if each.family == socket.AF_INET and not each.address.startswith("127."):
                return str(each.address)
    pytest.skip("this host has no address but the loopback's")


def test_a_server_elsewhere_without_tls_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    host = outside_address()
    monkeypatch.setattr("tests.servers.smtp.HOST", host)
    with RecordingSmtp() as server:
        found = check_smtp(config(server, host=host, encryption="tls_optional"))
    assert [finding.level for finding in found] == ["ok", "warning"]
    assert "in the clear" in found[1].what


@pytest.mark.parametrize("place", ["greeting", "noop"])
def test_a_server_that_does_not_answer_is_not_waited_for_without_end(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.doctor.smtp.SECONDS", 0.2)
    with ScriptedSmtp(**{place: Hang()}) as server:
        found = check_smtp(config(server))
    assert found[0].level == ("problem" if place == "greeting" else "warning")


def test_a_server_that_hangs_up_at_noop_is_still_known_to_be_within_this_host() -> None:
    with ScriptedSmtp(noop=Drop()) as server:
        found = check_smtp(config(server))
    assert [finding.level for finding in found] == ["warning", "ok"]


def test_a_server_that_refuses_noop_is_a_warning() -> None:
    with ScriptedSmtp(noop="502 5.5.1 no") as server:
        found = check_smtp(config(server))
    assert found[0].level == "warning"
    assert "502 5.5.1 no" in found[0].what


def test_a_server_that_asks_for_patience_is_a_warning() -> None:
    with ScriptedSmtp(greeting="421 4.7.0 too many connections, slow down") as server:
        (found,) = check_smtp(config(server))
    assert found.level == "warning"


def ask(answer: Step, **changes: Any) -> tuple[Finding, SendGridServer]:
    with SendGridServer(script=[answer]) as server:
        (found,) = check_sendgrid(replace(SendGridConfig(api_key=KEY, api_url=server.url), **changes))
    return found, server


def test_a_key_that_may_send_is_in_order_and_no_mail_is_sent() -> None:
    found, server = ask(Says(200, {"scopes": ["mail.send", "user.profile.read"]}))
    assert found.level == "ok"
    ((method, path, headers),) = server.requests
    assert (method, path) == ("GET", "/v3/scopes")
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert server.mails == []


REFUSED = {"errors": [{"message": f"authorization {KEY} grant is invalid", "field": None}]}


@pytest.mark.parametrize(
    ("answer", "level", "words"),
    [
        (Says(200, {"scopes": ["user.profile.read"]}), "problem", "may not send mail"),
        (Says(401, REFUSED), "problem", "does not take the key: 401 authorization *** grant"),
        (Says(403, REFUSED), "problem", "does not take the key"),
        (Says(429, REFUSED), "warning", "cannot say now"),
        (Says(503, "<html>", {"Content-Type": "text/html"}), "warning", "cannot say now"),
        (Says(200, "<html>"), "problem", "not how SendGrid's API answers"),
        (Says(200, {"scopes": "mail.send"}), "problem", "not how SendGrid's API answers"),
        (Says(200, []), "problem", "not how SendGrid's API answers"),
        (Says(301, "", {"Location": "https://events.example.org"}), "problem", "not how SendGrid's API answers"),
        (Raw(b"220 smtp.example.org\r\n"), "problem", "does not answer"),
    ],
)
def test_each_answer_of_sendgrid_has_its_level_and_shows_no_key(answer: Step, level: str, words: str) -> None:
    found, _ = ask(answer)
    assert found.level == level
    assert words in found.what
    assert found.advice
    assert KEY not in repr(found)


def test_a_sendgrid_that_cannot_be_reached_is_a_problem() -> None:
    (found,) = check_sendgrid(SendGridConfig(api_key=KEY, api_url=f"http://{HOST}:{refused_port()}"))
    assert found.level == "problem"
    assert "cannot be reached" in found.what


def test_sendgrid_with_a_certificate_of_nobody_is_a_problem(authority: Authority, tmp_path: Path) -> None:
    with SendGridServer(authority.server_context()) as server:
        usual = SendGridConfig(api_key=KEY, api_url=server.url)
        check: Callable[[SendGridConfig], list[Finding]] = check_sendgrid
        (strange,) = check(usual)
        (lost,) = check(replace(usual, ca_file=str(tmp_path / "none.pem")))
    assert "certificate" in strange.what
    assert lost.where == "SMTP_CA_FILE"
    assert (strange.level, lost.level) == ("problem", "problem")


def test_a_key_that_cannot_be_one_is_not_given_to_anybody() -> None:
    found, server = ask(Says(200), api_key="SG.with a blank")
    assert found.level == "problem"
    assert server.requests == []
