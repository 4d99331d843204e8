"""Many clients of the realtime gateway in one light process, driven by lines on its standard input.

The first line is `{"port", "tokens": {user: token}}`; when all streams are open, it answers `open`. Then each line is a
number of events to wait for; it answers with the user and the time (`time.monotonic_ns`) of each.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from typing import Final

# How many connect at once.
AT_ONCE: Final = 100
_MARK: Final = b"\nevent: "


class Clients:
    """What all of them have received."""

    def __init__(self) -> None:
        self.events: list[tuple[int, int]] = []
        self.has_more = asyncio.Event()

    def note(self, user_id: int) -> None:
        """An event has come for a user."""
        self.events.append((user_id, time.monotonic_ns()))
        self.has_more.set()


class Client(asyncio.Protocol):
    """One stream, of which only the number of events is looked at."""

    def __init__(self, user_id: int, token: str, clients: Clients, is_open: asyncio.Future[None]) -> None:
        self._user_id = user_id
        self._token = token
        self._clients = clients
        self._is_open: asyncio.Future[None] | None = is_open
        self._tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for mypy: TCP has no other
        path = f"/v1/users/{self._user_id}/notifications/stream"
        transport.write(f"GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: JWT {self._token}\r\n\r\n".encode())

    def data_received(self, data: bytes) -> None:
        """Count events; one may come in two parts."""
        text = self._tail + data
        if self._is_open is not None and b": ready" in text:
            self._is_open.set_result(None)
            self._is_open = None
        for _ in range(text.count(_MARK)):
            self._clients.note(self._user_id)
        self._tail = text[max(text.rfind(_MARK) + len(_MARK), len(text) - len(_MARK) + 1) :]

    def connection_lost(self, exc: Exception | None) -> None:
        """A client that is lost makes the figures worthless."""
        sys.exit(f"the stream of user {self._user_id} has ended ({exc})")


async def main() -> None:
    """Open the streams, and answer what is asked."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    task = json.loads(await asyncio.to_thread(sys.stdin.readline))
    loop, clients, doors = asyncio.get_running_loop(), Clients(), asyncio.Semaphore(AT_ONCE)

    async def connect(user_id: int, token: str) -> None:
        async with doors:
            is_open = loop.create_future()
            await loop.create_connection(lambda: Client(user_id, token, clients, is_open), "127.0.0.1", task["port"])
            await asyncio.wait_for(is_open, 60)

    await asyncio.gather(*(connect(int(user_id), token) for user_id, token in task["tokens"].items()))
    print("open", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        count = int(line)
        while len(clients.events) < count:
            clients.has_more.clear()
            await asyncio.wait_for(clients.has_more.wait(), 60)
        print(json.dumps(clients.events[:count]), flush=True)
        del clients.events[:count]


if __name__ == "__main__":
    asyncio.run(main())
