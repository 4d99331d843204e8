"""Load on a web server from many kept connections at once, by one thread that does little besides waiting."""

from __future__ import annotations

import random
import selectors
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

_HEAD_END: Final = b"\r\n\r\n"
_CHUNKS_END: Final = b"0\r\n\r\n"
# Seconds without any answer after which the server is taken for dead.
_PATIENCE: Final = 30.0


@dataclass
class Answers:
    """What came back.

    Attributes:
        seconds: how long all took.
        latencies: milliseconds of each request, in the order of the answers; of a paced load since it was due.
    """

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Requests per second."""
        return len(self.latencies) / self.seconds


@dataclass
class _Connection:
    socket: socket.socket
    begun: float = 0.0
    is_busy: bool = False
    received: bytearray = field(default_factory=bytearray)


def request(path: str, headers: Mapping[str, str]) -> bytes:
    """A GET as it goes over the wire."""
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def hammer(port: int, requests: Sequence[bytes], connections: int, seconds: float, status: int = 200) -> Answers:
    """Ask again on each connection as soon as it has its answer.

    Args:
        port: where the server listens.
        requests: chosen from by chance.
        connections: how many are open.
        seconds: how long to ask.
        status: what every answer must have.

    Raises:
        RuntimeError: one had another, or none came.
    """
    load = _Load(port, requests, connections, status)
    return load.run(time.perf_counter() + seconds, every=0.0)


def paced(port: int, requests: Sequence[bytes], connections: int, seconds: float, rate: float) -> Answers:
    """Ask at a rate of requests per second, whether or not the answers keep up; see `hammer`.

    A request that has to wait for a connection is slow by as much.
    """
    load = _Load(port, requests, connections, 200)
    return load.run(time.perf_counter() + seconds, every=1 / rate)


class _Load:
    def __init__(self, port: int, requests: Sequence[bytes], connections: int, status: int) -> None:
        self._requests = requests
        self._status = b"HTTP/1.1 %d " % status
        self._answers = Answers()
        self._selector = selectors.DefaultSelector()
        self._idle: list[_Connection] = []
        self._port = port
        # Each is opened when it has something to ask: gunicorn keeps a thread for one that has not, for seconds.
        self._to_open = connections

    def _connect(self) -> _Connection:
        opened = socket.create_connection(("127.0.0.1", self._port), timeout=_PATIENCE)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = _Connection(opened)
        self._selector.register(opened, selectors.EVENT_READ, connection)
        return connection

    def run(self, until: float, every: float) -> Answers:
        """Ask until then, and close all; with `every`, a request is due so many seconds after the one before."""
        try:
            return self._ask_until(until, every)
        finally:
            for key in list(self._selector.get_map().values()):
                key.data.socket.close()
            self._selector.close()

    def _ask_until(self, until: float, every: float) -> Answers:
        begun = due = time.perf_counter()
        busy = 0
        while (now := time.perf_counter()) < until or busy:
            while self._has_room() and now < until and due <= now:
                self._ask(self._idle.pop() if self._idle else self._open(), due if every else now)
                busy += 1
                due = due + every if every else now
            wait = max(0.0, min(due, until) - now) if every and self._has_room() and now < until else _PATIENCE
            ready = self._selector.select(wait)
            if not ready and wait == _PATIENCE:
                raise RuntimeError(f"nothing was answered for {_PATIENCE:.0f} s")
            busy -= sum(self._receive(key.data) for key, _ in ready)
        self._answers.seconds = time.perf_counter() - begun
        return self._answers

    def _has_room(self) -> bool:
        return bool(self._idle or self._to_open)

    def _open(self) -> _Connection:
        self._to_open -= 1
        return self._connect()

    def _ask(self, connection: _Connection, begun: float) -> None:
        connection.begun, connection.is_busy = begun, True
        connection.socket.sendall(random.choice(self._requests))  # noqa: S311 - a load, not a secret

    def _receive(self, connection: _Connection) -> int:
        """Read what is there; 1 if a request is answered with it."""
        received = connection.socket.recv(65536)
        connection.received += received
        if not connection.is_busy or not received:
            self._replace(connection)
            return 0
        if not _is_complete(connection.received):
            return 0
        if not connection.received.startswith(self._status):
            raise RuntimeError(f"not {self._status.decode()}but {bytes(connection.received[:300])!r}")
        self._answers.latencies.append(1000 * (time.perf_counter() - connection.begun))
        connection.received.clear()
        connection.is_busy = False
        self._idle.append(connection)
        return 1

    def _replace(self, connection: _Connection) -> None:
        """Open another one for an idle one that the server has closed.

        Raises:
            RuntimeError: it was asked something, and closed it all the same.
        """
        if connection.is_busy:
            raise RuntimeError(f"the server closed a connection instead of answering {bytes(connection.received)!r}")
        self._selector.unregister(connection.socket)
        connection.socket.close()
        self._idle.remove(connection)
        self._to_open += 1


def _is_complete(received: bytearray) -> bool:
    head, end, body = received.partition(_HEAD_END)
    if not end:
        return False
    if head.startswith((b"HTTP/1.1 304", b"HTTP/1.1 204")):
        return True
    for line in head.lower().split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return len(body) >= int(value)
    return body.endswith(_CHUNKS_END)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
