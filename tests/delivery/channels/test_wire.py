"""The requests of Apprise's plugins: bounded, not led astray, and nobody else's touched."""

from __future__ import annotations

import pytest
import requests
from requests.adapters import HTTPAdapter

from app.delivery.channels.send import Carrier, SendError, Words, send
from app.delivery.channels.wire import guarded
from tests.servers.gateway import Answers, Gateway
from tests.servers.sendgrid import Pours, SendGridServer
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


def test_what_others_ask_with_requests_is_theirs() -> None:
    url, session = "https://example.org/", requests.Session()
    assert type(session.get_adapter(url)) is HTTPAdapter
    with guarded(allow_private=False):
        assert type(session.get_adapter(url)) is not HTTPAdapter
    assert type(session.get_adapter(url)) is HTTPAdapter
