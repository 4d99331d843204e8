"""Open connections: what each has got, and what is on its way to it.

A connection costs one task, which waits for the client to go. Who has something for it only puts it down; a short task
writes, so that nobody waits for a slow reader. One that lets too much wait is dropped: it comes back, and resumes.
"""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Generic, TypeVar

from app.realtime.credentials import Identity
from app.realtime.figures import Figures
from app.realtime.keys import event_id
from app.realtime.messages import (
    RESYNC,
    SSE_HEARTBEAT,
    is_resync,
    make_message,
    sse_event,
    sse_goodbye,
    sse_opening,
    unread_in,
    with_id,
)

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Data = TypeVar("Data", bytes, str)

# Bytes that may wait for one client, besides what its socket holds.
MAX_WAITING: Final = 256 * 1024
# Milliseconds after which a client comes back: not all at once, when a gateway was restarted.
_RETRY: Final = (2000, 5000)


@dataclass(frozen=True)
class Position:
    """Up to where a client has everything."""

    epoch: str
    number: int


@dataclass(frozen=True)
class Opened:
    """What Redis has for a client.

    Attributes:
        position: of the newest message.
        is_complete: whether `messages` are all that came after the position that was asked for.
        messages: those, oldest first; if it is not complete, only the newest.
    """

    position: Position
    is_complete: bool
    messages: list[str]


class Connection(ABC, Generic[Data]):
    """One client's; `Sse` and `Socket` say how it is written to.

    Attributes:
        position: up to where the client has everything, or has it on the way; None before that is known.
        held: messages that come while what was missed is read; None, if nothing is.
        is_over: nothing more is written.
    """

    __slots__ = (
        "_abort",
        "_bytes",
        "_ended_for",
        "_figures",
        "_is_started",
        "_send",
        "_waiting",
        "_writer",
        "held",
        "identity",
        "is_over",
        "position",
    )
    kind: ClassVar[str]

    def __init__(self, identity: Identity, send: Send, abort: Callable[[], None], figures: Figures) -> None:
        self.identity = identity
        self.position: Position | None = None
        self.held: list[tuple[Position, str]] | None = []
        self.is_over = False
        self._is_started = False
        self._ended_for: str | None = None
        self._send = send
        self._abort = abort
        self._figures = figures
        self._waiting: list[Data] = []
        self._bytes = 0
        self._writer: asyncio.Task[None] | None = None

    @abstractmethod
    def encode(self, id_: str, message: str) -> Data:
        """A message as this client wants it."""

    @abstractmethod
    def opening(self, position: Position | None) -> list[Data]:
        """What comes before everything else: nothing, or from where on the client resumes."""

    @abstractmethod
    async def write(self, waiting: list[Data]) -> None:
        """Write what waits."""

    @abstractmethod
    async def finish(self, reason: str) -> None:
        """Say goodbye."""

    def start(self) -> None:
        """Write what waits, now that the client has been answered, and whatever comes."""
        self._is_started = True
        if self._ended_for is None:
            self._wake()
        else:
            self._writer = asyncio.create_task(self._say_goodbye(None, self._ended_for))

    def take(self, position: Position, message: str) -> bool:
        """A message has come; False, if one before it is missing."""
        if self.held is not None:
            self.held.append((position, message))
            return True
        if self._has(position):
            return True
        known = self.position
        if known is None or known.epoch != position.epoch or known.number + 1 != position.number:
            return False
        self._deliver(position, message)
        return True

    def begin(self, opened: Opened, known: Position | None) -> bool:
        """Begin at what the client knows, or, if it knows nothing, with the next message; see `resume`."""
        self.position = opened.position if known is None else known if _is_sound(opened) else None
        for data in self.opening(self.position):
            self._put(data)
        return self.resume(opened)

    def resume(self, opened: Opened) -> bool:
        """Deliver what was missed, or say that it is not known, and then what came meanwhile; False as in `take`."""
        newest = opened.position
        if not self._has(newest):
            if _is_sound(opened):
                first = newest.number - len(opened.messages) + 1
                for number, message in enumerate(opened.messages, start=first):
                    # It may have been brought up to date twice at the same time.
                    if not self._has(Position(newest.epoch, number)):
                        self._deliver(Position(newest.epoch, number), message)
            else:
                unread = unread_in(opened.messages[-1]) if opened.messages else None
                self._deliver(newest, make_message(RESYNC, None, unread))
        held, self.held = self.held or [], None
        is_gapless = True
        for position, message in held:
            is_gapless = self.take(position, message) and is_gapless
        return is_gapless

    def offer(self, data: Data) -> None:
        """Write something soon; drop the connection, if too much waits already."""
        if self.is_over:
            return
        if self._bytes + len(data) > MAX_WAITING:
            self.drop("slow")
        else:
            self._put(data)

    def end(self, reason: str) -> None:
        """Say goodbye after what is on its way; to who has not been answered yet, after the beginning of the answer."""
        if self.is_over:
            return
        self.is_over = True
        self._figures.dropped[reason] += 1
        if not self._is_started:
            self._ended_for = reason
        else:
            self._writer = asyncio.create_task(self._say_goodbye(self._writer, reason))

    def drop(self, reason: str) -> None:
        """Cut the connection at once: what waits is lost on it, and read again when the client resumes."""
        self.is_over = True
        self._figures.dropped[reason] += 1
        self._waiting = []
        self._abort()

    def leave(self) -> None:
        """The client has gone."""
        self.is_over = True
        self._waiting = []

    def _deliver(self, position: Position, message: str) -> None:
        self.position = position
        self._figures.sent += 1
        self._figures.resyncs += is_resync(message)
        self.offer(self.encode(event_id(position.epoch, position.number), message))

    def _has(self, position: Position) -> bool:
        known = self.position
        return known is not None and known.epoch == position.epoch and known.number >= position.number

    def _put(self, data: Data) -> None:
        self._waiting.append(data)
        self._bytes += len(data)
        self._wake()

    def _wake(self) -> None:
        if self._is_started and self._writer is None and self._waiting:
            self._writer = asyncio.create_task(self._write_all())

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                waiting, self._waiting = self._waiting, []
                await self.write(waiting)
                self._bytes -= sum(map(len, waiting))
        except OSError:  # the client has gone, and its task is about to see it
            self.is_over = True
        finally:
            self._writer = None

    async def _say_goodbye(self, writer: asyncio.Task[None] | None, reason: str) -> None:
        if writer is not None:
            await asyncio.wait([writer], timeout=1)
        try:
            await asyncio.wait_for(self.finish(reason), 1)
        except (OSError, TimeoutError):
            self._abort()


class Sse(Connection[bytes]):
    """A stream of Server-Sent Events."""

    __slots__ = ()
    kind = "sse"

    def encode(self, id_: str, message: str) -> bytes:
        """An event."""
        return sse_event(id_, message)

    def opening(self, position: Position | None) -> list[bytes]:
        """When to come back, and from where on."""
        return [sse_opening(event_id(position.epoch, position.number) if position else None, retry_after())]

    def heartbeat(self) -> None:
        """Show that the connection lives, to the client and to whatever is between."""
        if self._writer is None:
            self.offer(SSE_HEARTBEAT)

    async def write(self, waiting: list[bytes]) -> None:
        """All in one chunk."""
        await self._send({"type": "http.response.body", "body": b"".join(waiting), "more_body": True})

    async def finish(self, reason: str) -> None:  # noqa: ARG002 - as above
        """End the answer; the client comes back later."""
        await self._send({"type": "http.response.body", "body": sse_goodbye(retry_after()), "more_body": False})


class Socket(Connection[str]):
    """A WebSocket (RFC 6455)."""

    __slots__ = ()
    kind = "websocket"
    # RFC 6455, 7.4.1, and the registry of IANA: try again later; policy violation.
    _CODES: ClassVar = {"shutdown": 1012, "ended": 1008, "expired": 1008}

    def encode(self, id_: str, message: str) -> str:
        """A text frame."""
        return with_id(id_, message)

    def opening(self, position: Position | None) -> list[str]:  # noqa: ARG002 - as above
        """Nothing: every frame is a message."""
        return []

    async def write(self, waiting: list[str]) -> None:
        """A frame each."""
        for text in waiting:
            await self._send({"type": "websocket.send", "text": text})

    async def finish(self, reason: str) -> None:
        """Close with a code that says why."""
        await self._send({"type": "websocket.close", "code": self._CODES.get(reason, 1000), "reason": reason})


def retry_after() -> int:
    """Milliseconds, different for each client."""
    return random.randint(*_RETRY)  # noqa: S311 - no secret


def _is_sound(opened: Opened) -> bool:
    """Whether all that was missed is there, and can be on its way at once."""
    return opened.is_complete and sum(map(len, opened.messages)) < MAX_WAITING // 2
