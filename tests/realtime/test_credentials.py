from __future__ import annotations

import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import jwt
import pytest
from flask import current_app
from itsdangerous import TimestampSigner
from websockets.sync.client import connect

from app.auth.tokens import login_token
from app.models import User
from app.realtime.credentials import Refused, check_origin, identify, origin_of
from app.realtime.publisher import wait_for_publishing
from app.realtime.tickets import Ticket, new_ticket, read_ticket, sign_ticket
from tests.conftest import People
from tests.realtime.conftest import Listen, Tell
from tests.support.api import Api
from tests.support.streams import Gateway, Stream

KEY = "a key of thirty-two bytes or more"


def token(key: str = KEY, **claims: Any) -> str:
    return jwt.encode({"identity": 7, "ver": 2, "type": "access", "exp": time.time() + 60, **claims}, key)


def unsigned() -> str:
    return jwt.encode({"identity": 7, "ver": 2, "type": "access", "exp": time.time() + 60}, "", algorithm="none")


@pytest.mark.parametrize("scheme", ["JWT", "bearer", "jwt "])
def test_a_login_token_says_who_is_connecting(scheme: str) -> None:
    found = identify(f"{scheme} {token()}", None, KEY)
    assert (found.user_id, found.version, found.ticket) == (7, 2, None)
    assert found.expires_at > time.time()


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "JWT",
        "Basic YTpi",
        "JWT forged",
        f"JWT {token('another key of thirty-two bytes..')}",
        f"JWT {token(exp=time.time() - 1)}",
        f"JWT {token(type='refresh')}",
        f"JWT {token(identity='7')}",
        f"JWT {token(ver=None)}",
        f"JWT {unsigned()}",
        "JWT \u00e4",
    ],
)
def test_nothing_else_does(header: str | None) -> None:
    with pytest.raises(Refused) as refused:
        identify(header, None, KEY)
    assert refused.value.status == 401


def test_a_service_account_has_no_stream() -> None:
    with pytest.raises(Refused) as refused:
        identify("Bearer ush_something", None, KEY)
    assert refused.value.status == 403


def test_a_ticket_says_it_for_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    ticket = new_ticket(7, 2)
    signed = sign_ticket(ticket, KEY)
    assert read_ticket(signed, KEY) == ticket
    assert identify(None, signed, KEY).user_id == 7
    for forged in (signed + "x", sign_ticket(ticket, "another"), "", "x" * 1000, "\u00e4"):
        assert read_ticket(forged, KEY) is None
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _: int(time.time()) + 61)
    assert read_ticket(signed, KEY) is None
    with pytest.raises(Refused):
        identify(None, signed, KEY)


@pytest.mark.parametrize(
    ("origin", "is_allowed"),
    [
        (None, True),
        ("https://events.example.org", True),
        ("https://EVENTS.example.org:443", True),
        ("http://events.example.org", False),
        ("https://events.example.org:8443", False),
        ("https://events.example.org.elsewhere.example.net", False),
        ("null", False),
        ("", False),
        ("https://events.example.org:x", False),
    ],
)
def test_a_page_must_be_of_an_origin_that_is_allowed(origin: str | None, is_allowed: bool) -> None:
    allowed = frozenset({origin_of("https://events.example.org/somewhere")})
    if is_allowed:
        check_origin(origin, allowed)
    else:
        with pytest.raises(Refused):
            check_origin(origin, allowed)


def refused(stream: Stream) -> tuple[int, str]:
    with stream:
        error = stream.json()["errors"][0]
        assert error["status"] == str(stream.status)
        assert stream.headers["content-type"] == "application/vnd.api+json"
        return stream.status, error["title"]


def test_a_stream_is_its_users_alone(gateway: Gateway, user: User, people: People) -> None:
    assert refused(gateway.stream(user.id)) == (401, "Unauthorized")
    for other in (people.user(), people.admin()):
        assert refused(gateway.stream(user.id, login_token(other))) == (403, "Forbidden")
    assert refused(gateway.stream(9223372036854775807, login_token(user)))[0] == 403


def test_a_page_of_an_allowed_origin_may_read_the_stream(gateway: Gateway, user: User, listen: Listen) -> None:
    stream = listen(user, Origin=gateway.url)
    assert (stream.headers["access-control-allow-origin"], stream.headers["vary"]) == (gateway.url, "Origin")
    with gateway.stream(user.id, login_token(user), Origin="https://elsewhere.example.org") as elsewhere:
        assert elsewhere.status == 403
        assert "access-control-allow-origin" not in elsewhere.headers


def test_a_ticket_opens_one_stream_or_one_socket(user: User, api: Api, gateway: Gateway, tell: Tell) -> None:
    body = {"data": {"type": "realtime-ticket"}}
    answer = api.as_(user).post("/v1/realtime-tickets", body)
    assert (answer.status_code, answer.json["data"]["type"]) == (201, "realtime-ticket")
    ticket = answer.json["data"]["attributes"]
    assert set(ticket) == {"ticket", "expires-at", "stream-url", "socket-url"}
    assert ticket["stream-url"].endswith(f"/v1/users/{user.id}/notifications/stream?ticket={ticket['ticket']}")
    assert ticket["socket-url"].startswith("ws://")
    assert ticket["socket-url"].endswith(f"/ws/notifications?ticket={ticket['ticket']}")
    with gateway.stream(user.id, query=f"?ticket={ticket['ticket']}") as stream:
        assert stream.status == 200
        tell(user, "By ticket")
        assert stream.message()["notification"]["attributes"]["title"] == "By ticket"
        assert refused(gateway.stream(user.id, query=f"?ticket={ticket['ticket']}"))[0] == 401


def test_however_many_tickets_come_at_once_there_are_no_more_connections_than_a_user_has(
    user: User, gateway: Gateway
) -> None:
    def open_one(_number: int) -> Stream:
        return gateway.stream(user_id, query=f"?ticket={sign_ticket(new_ticket(user_id, 0), secret)}")

    user_id, secret = user.id, current_app.config["USHER"].secret_key
    with ThreadPoolExecutor(20) as threads, ExitStack() as opened:
        streams = [opened.enter_context(stream) for stream in threads.map(open_one, range(20))]
        assert Counter(stream.status for stream in streams) == {200: 3, 429: 17}


def test_a_ticket_of_somebody_else_or_forged_or_of_an_ended_login_opens_nothing(
    user: User, people: People, gateway: Gateway, api: Api
) -> None:
    body = {"data": {"old-password": people.password, "new-password": "another good password"}}
    ticket = api.as_(user).post("/v1/realtime-tickets", {}).json["data"]["attributes"]["ticket"]
    assert refused(gateway.stream(people.user().id, query=f"?ticket={ticket}"))[0] == 403
    forged = sign_ticket(Ticket(user.id, 0, "1"), "not the secret key")
    assert refused(gateway.stream(user.id, query=f"?ticket={forged}"))[0] == 401
    assert api.as_(user).post("/v1/auth/change-password", body).status_code == 200
    # Until the gateways know, a moment after the commit, a stream would open and be closed at once.
    assert wait_for_publishing()
    assert refused(gateway.stream(user.id, query=f"?ticket={ticket}"))[0] == 401


def test_no_token_and_no_ticket_comes_into_the_log(user: User, api: Api, gateway: Gateway, people: People) -> None:
    token = login_token(user)
    tickets = [api.as_(user).post("/v1/realtime-tickets", {}).json["data"]["attributes"]["ticket"] for _ in range(3)]
    with gateway.stream(user.id, query=f"?ticket={tickets[0]}"), gateway.stream(user.id, token):
        address = f"ws://127.0.0.1:{gateway.port}/ws/notifications?ticket={tickets[1]}"
        with connect(address, proxy=None):
            assert refused(gateway.stream(people.user().id, query=f"?ticket={tickets[2]}"))[0] == 403
    log = gateway.log.read_text()
    assert [word for word in (token, *tickets) if word in log] == []
    assert all(json.loads(line)["level"] != "error" for line in log.splitlines())
