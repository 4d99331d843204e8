"""Clients of the realtime gateway over real sockets, and the gateway as a process."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import requests

from tests.support.processes import ROOT, free_port, plain_environment, wait_for

SECONDS = 10.0


@dataclass
class Event:
    """One event of a stream; the opening has no name, a heartbeat not even a field."""

    id: str | None = None
    name: str | None = None
    data: Any = None
    retry: int | None = None


class Stream:
    """One stream, read as it comes."""

    def __init__(self, port: int, path: str, **headers: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), SECONDS)
        lines = [
            f"GET {path} HTTP/1.1",
            "Host: usher",
            *(f"{name}: {value}" for name, value in headers.items()),
            "",
            "",
        ]
        self._socket.sendall("\r\n".join(lines).encode())
        self._file = self._socket.makefile("rb")
        self.status = int(self._file.readline().split()[1])
        self.headers: dict[str, str] = {}
        while (line := self._file.readline().strip().decode()) != "":
            name, _, value = line.partition(":")
            self.headers[name.lower()] = value.strip()
        self._text = b""

    def json(self) -> Any:
        """The body of an answer that is no stream."""
        return json.loads(self._file.read(int(self.headers["content-length"])))

    def next(self) -> Event | None:
        """The next event; None at the end of the stream."""
        while b"\n\n" not in self._text:
            size = self._file.readline()
            if size.strip() in (b"", b"0"):
                return None
            self._text += self._file.read(int(size, 16))
            self._file.readline()
        block, _, self._text = self._text.partition(b"\n\n")
        return _parse(block.decode())

    def message(self) -> dict[str, Any]:
        """The next message; heartbeats are passed over."""
        while (event := self.next()) is not None:
            if event.data is not None:
                assert event.id == event.data["id"]
                assert event.name == ("resync" if event.data["action"] == "resync" else "notification")
                message: dict[str, Any] = event.data
                return message
        raise AssertionError("the stream has ended")

    def pause(self) -> None:
        """Read nothing more, with as little room as the system allows."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _parse(block: str) -> Event:
    event = Event()
    for line in block.splitlines():
        field, _, value = line.partition(": ")
        if field == "id":
            event.id = value
        elif field == "event":
            event.name = value
        elif field == "data":
            event.data = json.loads(value)
        elif field == "retry":
            event.retry = int(value)
    return event


@dataclass
class Gateway:
    """A gateway that runs."""

    port: int
    popen: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False  # the environment may name a proxy
            return session.get(f"{self.url}{path}", timeout=SECONDS)

    def figure(self, name: str) -> float:
        """A line of its metrics."""
        for line in self.get("/metrics").text.splitlines():
            if line.startswith(f"{name} "):
                return float(line.rpartition(" ")[2])
        return 0.0

    def is_ready(self) -> bool:
        assert self.popen.poll() is None
        try:
            return self.get("/ready").status_code == 200
        except requests.ConnectionError:
            return False

    def stream(self, user_id: int, token: str | None = None, query: str = "", **headers: str) -> Stream:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            named["Authorization"] = f"JWT {token}"
        return Stream(self.port, f"/v1/users/{user_id}/notifications/stream{query}", **named)


@contextmanager
def running_gateway(
    env: dict[str, str], log: Path, port: int = 0, program: tuple[str, ...] = ("-m", "app.realtime")
) -> Iterator[Gateway]:
    """Start a gateway, wait until it hears Redis, and end it; `log` is where its log goes."""
    port = port or free_port()
    command = [sys.executable, *program, "--port", str(port)]
    environment = plain_environment(
        **{name: env[name] for name in ("REDIS_URL", "SECRET_KEY")},
        APP_ENVIRONMENT="production",
        LOG_LEVEL="DEBUG",
        REALTIME_URL=f"http://127.0.0.1:{port}",
        REALTIME_USER_CONNECTIONS="3",
    )
    with log.open("wb") as file:
        popen = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=file)
    gateway = Gateway(port, popen, log)
    try:
        wait_for(gateway.is_ready, "the gateway")
        yield gateway
    finally:
        popen.terminate()
        popen.communicate(timeout=SECONDS)
