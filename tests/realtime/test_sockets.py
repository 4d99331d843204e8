from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from socket import create_connection

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from app.auth.tokens import login_token
from app.models import User
from app.realtime.publisher import wait_for_publishing
from tests.realtime.conftest import Tell
from tests.support.api import Api
from tests.support.streams import SECONDS, Gateway

Open = Callable[..., ClientConnection]


@pytest.fixture
def open_socket(gateway: Gateway) -> Iterator[Open]:
    with ExitStack() as sockets:

        def start(user: User | None, query: str = "", **headers: str) -> ClientConnection:
            given = {"Authorization": f"Bearer {login_token(user)}"} if user else {}
            address = f"ws://127.0.0.1:{gateway.port}/ws/notifications{query}"
            client = connect(address, additional_headers=given | headers, proxy=None, open_timeout=SECONDS)
            return sockets.enter_context(client)

        yield start


def test_a_socket_has_the_messages_of_the_stream_and_resumes(
    user: User, open_socket: Open, tell: Tell, api: Api
) -> None:
    socket = open_socket(user)
    told = tell(user, "Seen")
    message = json.loads(socket.recv(SECONDS))
    path = f"/v1/notifications/{told.id}"
    shown = api.as_(user).get(path).json["data"]
    assert message == {"id": message["id"], "action": "new", "notification": shown, "unread-count": 1}
    assert api.as_(user).update(path, "notification", told.id, is_read=True).status_code == 200
    assert json.loads(socket.recv(SECONDS))["action"] == "read"
    socket.close()
    tell(user, "Missed")
    assert wait_for_publishing()
    again = open_socket(user, f"?last-event-id={message['id']}")
    assert [json.loads(again.recv(SECONDS))["action"] for _ in range(2)] == ["read", "new"]
    anew = open_socket(user, "?last-event-id=nonsense")
    assert json.loads(anew.recv(SECONDS))["action"] == "resync"


def test_what_a_client_sends_is_not_read_and_much_of_it_ends_the_socket(
    user: User, open_socket: Open, tell: Tell
) -> None:
    socket = open_socket(user)
    socket.send('{"action": "new"}')
    socket.send(b"\x00")
    tell(user)
    assert json.loads(socket.recv(SECONDS))["action"] == "new"
    socket.send("x" * 5000)
    with pytest.raises(ConnectionClosed) as ended:
        socket.recv(SECONDS)
    assert ended.value.rcvd is not None
    assert ended.value.rcvd.code == 1009


def test_text_that_is_none_ends_the_socket(user: User, open_socket: Open) -> None:
    socket = open_socket(user)
    socket.send(b"\xff\xff", text=True)
    with pytest.raises(ConnectionClosed) as ended:
        socket.recv(SECONDS)
    assert ended.value.rcvd is not None
    assert ended.value.rcvd.code == 1007


def test_who_asks_for_answers_and_takes_none_is_cut_off(user: User, gateway: Gateway) -> None:
    lines = [
        "GET /ws/notifications HTTP/1.1",
        "Host: usher",
        f"Authorization: JWT {login_token(user)}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
    ping = b"\x89\xfd" + bytes(4) + b"?" * 125
    with create_connection(("127.0.0.1", gateway.port), SECONDS) as client:
        client.sendall("\r\n".join([*lines, "", ""]).encode())
        assert client.recv(12) == b"HTTP/1.1 101"
        # More than the system holds for a connection, in both directions, and the gateway besides.
        with pytest.raises(ConnectionError):
            client.sendall(ping * 400_000)


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ("", {}, 401),
        ("?ticket=forged", {}, 401),
        ("", {"Authorization": "JWT forged"}, 401),
        ("", {"Authorization": "Bearer ush_abc"}, 403),
        ("", {"Origin": "https://elsewhere.example.org"}, 403),
    ],
)
def test_who_may_not_connect_is_told_so_before_there_is_a_socket(
    open_socket: Open, user: User, query: str, headers: dict[str, str], status: int
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        open_socket(user if "Origin" in headers else None, query, **headers)
    assert refused.value.response.status_code == status
    assert json.loads(refused.value.response.body or b"")["errors"][0]["status"] == str(status)
