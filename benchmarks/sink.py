"""A light SMTP server that counts what it is given: it must not be what limits the rate.

Started as a process of its own (`Sink`); it speaks just enough SMTP, keeps nothing, and remembers when the first and
the last message of a run came.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Self

_END = b"\r\n.\r\n"


class Smtp(asyncio.Protocol):
    """One connection: just enough of SMTP."""

    def __init__(self, counters: Counters) -> None:
        self.counters = counters
        self.buffer = b""
        self.in_data = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        self.transport = transport
        self.transport.write(b"220 sink\r\n")  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        """Answer every whole command and every whole message."""
        self.buffer += data
        answers = []
        while True:
            if self.in_data:
                end = self.buffer.find(_END)
                if end < 0:
                    break
                message, self.buffer = self.buffer[:end], self.buffer[end + len(_END) :]
                self.in_data = False
                answers.append(self.take(message))
                continue
            line, found, rest = self.buffer.partition(b"\r\n")
            if not found:
                break
            self.buffer = rest
            answers.append(self.answer(line[:4].upper()))
        if answers:
            self.transport.write(b"".join(answers))  # type: ignore[attr-defined]

    def take(self, message: bytes) -> bytes:  # noqa: ARG002 - who keeps messages overrides it
        """The answer to a message."""
        self.counters.count()
        return b"250 2.0.0 Ok: queued\r\n"

    def answer(self, verb: bytes) -> bytes:
        """The answer to a command."""
        if verb == b"DATA":
            self.in_data = True
            return b"354 go\r\n"
        if verb == b"EHLO":
            return b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n"
        if verb == b"QUIT":
            return b"221 2.0.0 Bye\r\n"
        return b"250 2.0.0 Ok\r\n"


@dataclass
class Counters:
    """How many messages came, and when the first and the last."""

    messages: int = 0
    first: float = 0.0
    last: float = 0.0

    def count(self) -> None:
        """One more came now."""
        self.last = time.monotonic()
        if self.messages == 0:
            self.first = self.last
        self.messages += 1


def _serve(pipe: Connection) -> None:
    async def main() -> None:
        counters = Counters()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Smtp(counters), "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])

        def command() -> None:
            word = pipe.recv()
            if word == "reset":
                counters.messages = 0
            pipe.send((counters.messages, counters.first, counters.last))
            if word == "stop":
                loop.stop()

        loop.add_reader(pipe.fileno(), command)
        await asyncio.Event().wait()

    try:
        asyncio.run(main())
    except RuntimeError:
        return  # the loop was stopped while the server was still waiting: that is how it ends


class Sink:
    """The sink's process; `port` is where it listens."""

    def __enter__(self) -> Self:
        """Start it."""
        self._pipe, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        self.port: int = self._pipe.recv()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self._process.terminate()
        self._process.join()

    def reset(self) -> None:
        """Begin to count anew."""
        self._ask("reset")

    def count(self) -> int:
        """The messages since the last reset."""
        return self._ask("count")[0]

    def seconds(self) -> float:
        """From the first message to the last."""
        _, first, last = self._ask("count")
        return last - first

    def _ask(self, word: str) -> tuple[int, float, float]:
        self._pipe.send(word)
        answer: tuple[int, float, float] = self._pipe.recv()
        return answer
