"""The requests of Apprise's plugins: bounded, not led astray, and nobody else's touched."""

from __future__ import annotations

import gc
from dataclasses import replace

import pytest
import requests
from requests.adapters import HTTPAdapter

from app.delivery.channels.said import without_secrets
from app.delivery.channels.send import Carrier, SendError, Words, send
from app.delivery.channels.wire import guarded
from tests.servers.gateway import Answers, Gateway
from tests.servers.sendgrid import Pours, Raw, Says, SendGridServer
from tests.support.channels import PHONE

WORDS = Words(PHONE, "News", "The harbour opens.")


def carrier(url: str) -> Carrier:
    return Carrier(1, "gate", url, 3)


def test_a_redirect_is_not_followed_even_where_the_address_asks_for_it(gateway: Gateway, other: Gateway) -> None:
    elsewhere = other.url.replace("json", "http", 1).replace("{to}", "elsewhere")
    gateway.script = [Answers(307, {"Location": elsewhere})]
    with pytest.raises(SendError, match="307") as refused:
        send(carrier(f"{gateway.url}?redirect=yes"), WORDS, allow_private=True)
    assert refused.value.kind == "configuration"
    assert other.offered == []


def test_an_answer_without_an_end_is_read_only_so_far() -> None:
    with SendGridServer(script=[Pours("200 OK")]) as server:
        # It comes back, and long before the time is over.
        send(carrier(f"{server.url.replace('http', 'json', 1)}/{{to}}"), WORDS, allow_private=True)
    assert len(server.requests) == 1


def test_the_time_for_all_of_a_message_has_an_end(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.delivery.channels.wire.SECONDS", 0.0)
    with pytest.raises(SendError) as late:
        send(carrier(gateway.url), WORDS, allow_private=True)
    assert (late.value.kind, late.value.maybe_accepted) == ("connection", False)
    assert gateway.offered == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.1", "0x7f.1", "[::ffff:127.0.0.1]"])
def test_no_spelling_of_a_private_host_is_connected_to(gateway: Gateway, host: str) -> None:
    with pytest.raises(SendError) as refused:
        send(carrier(gateway.url.replace("127.0.0.1", host)), WORDS, allow_private=False)
    assert refused.value.kind in ("configuration", "permanent")
    assert gateway.offered == []


def test_a_proxy_of_the_environment_has_no_say(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    send(carrier(gateway.url), WORDS, allow_private=True)
    assert len(gateway.offered) == 1


def test_a_plugin_that_logs_out_when_it_is_forgotten_is_guarded_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    with SendGridServer(script=[Says(200)]) as proxy, SendGridServer(script=[Says(200, {"access_token": "x"})]) as home:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "")
        address = f"matrix://bot:pass@127.0.0.1:{home.port}/{{to}}?discovery=no"
        with pytest.raises(SendError):
            send(carrier(address), replace(WORDS, recipient="#team:example.org"), allow_private=True)
        gc.collect()
    assert home.requests[-1][1].endswith("/logout")
    assert proxy.requests == []


def test_a_service_that_wants_to_be_waited_for_does_not_hold_the_worker() -> None:
    login, later = Says(200, {"access_token": "x"}), Says(429, {"retry_after_ms": 86_400_000}, {"Retry-After": "86400"})
    with SendGridServer(script=[login, later]) as home:
        address = f"matrix://bot:pass@127.0.0.1:{home.port}/{{to}}?discovery=no"
        with pytest.raises(SendError) as refused:
            send(carrier(address), replace(WORDS, recipient="#team:example.org"), allow_private=True)
    assert (refused.value.kind, refused.value.retry_after) == ("throttled", 3_600)


@pytest.mark.parametrize("answer", [Answers(500), Answers(0)])
def test_a_secret_is_not_told_however_its_signs_were_written(gateway: Gateway, answer: Answers) -> None:
    address = gateway.url.replace("127.0.0.1", "LOCALHOST").replace("Sesame-1234", "sesame%21-1234")
    gateway.script = [answer]
    with pytest.raises(SendError) as refused:
        send(carrier(address), WORDS, allow_private=True)
    assert "localhost" not in str(refused.value).lower()
    assert without_secrets("Bad URL json://s...4@h/.", address, PHONE) == "Bad URL ***"
    assert "sesame" not in without_secrets("Wrong: sesame!-1234, SESAME%21-1234", address, PHONE).lower()


def test_an_answer_with_broken_headers_does_not_bring_the_address_into_the_log(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with SendGridServer(script=[Raw(b"HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 0\r\n\r\n")]) as server:
        send(carrier(f"{server.url.replace('http', 'json', 1)}/Sesame-1234/{{to}}"), WORDS, allow_private=True)
    assert "Sesame" not in f"{caplog.text}{capfd.readouterr()}"


def test_what_others_ask_with_requests_is_theirs() -> None:
    url, session = "https://example.org/", requests.Session()
    assert type(session.get_adapter(url)) is HTTPAdapter
    with guarded(allow_private=False):
        assert type(session.get_adapter(url)) is not HTTPAdapter
    assert type(session.get_adapter(url)) is HTTPAdapter
