"""A sink that tells when each mail's first byte came, by the clock that all processes of a host share."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from multiprocessing.connection import Connection
from typing import Self

from benchmarks.sink import Counters, Smtp


class _Clocked(Smtp):
    """Sends the time of every MAIL command through the pipe."""

    def __init__(self, pipe: Connection) -> None:
        super().__init__(Counters())
        self._pipe = pipe
        self._came = 0.0

    def data_received(self, data: bytes) -> None:
        self._came = time.monotonic()
        super().data_received(data)

    def answer(self, verb: bytes) -> bytes:
        if verb == b"MAIL":
            self._pipe.send(self._came)
        return super().answer(verb)


def _serve(pipe: Connection) -> None:
    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(lambda: _Clocked(pipe), "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


class ClockedSink:
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

    def next_mail(self, seconds: float) -> float:
        """When the next mail's first byte came (CLOCK_MONOTONIC, in seconds).

        Raises:
            TimeoutError: none came within so many seconds.
        """
        if not self._pipe.poll(seconds):
            raise TimeoutError(f"no mail came within {seconds:.0f} seconds")
        came: float = self._pipe.recv()
        return came
