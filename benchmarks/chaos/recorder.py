"""The mail server of the chaos: takes every mail and writes its Message-ID and the moment down, in a file.

Started as `python -m benchmarks.chaos.recorder PORT FILE`. Like servers out there it needs a moment for each message,
and ends a connection after some of them. What it has written survives its own death.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Final

from benchmarks.sink import Counters, Smtp

# Seconds for each message: time enough for something to die in the middle.
THOUGHT: Final = 0.003
# Messages after which a connection is ended, so that others are opened.
PER_CONNECTION: Final = 25


class _Recording(Smtp):
    def __init__(self, file: int) -> None:
        super().__init__(Counters())
        self._file = file

    def take(self, message: bytes) -> bytes:
        """Write it down, and say so after a moment."""
        self.counters.count()
        head = message.partition(b"\r\n\r\n")[0]
        [name] = [line.partition(b":")[2] for line in head.split(b"\r\n") if line.lower().startswith(b"message-id:")]
        os.write(self._file, f"{time.time():.6f} {name.decode().strip(' <>')}\n".encode())
        loop = asyncio.get_running_loop()
        loop.call_later(THOUGHT, self.transport.write, b"250 2.0.0 Ok: queued\r\n")  # type: ignore[attr-defined]
        return b""

    def answer(self, verb: bytes) -> bytes:
        """As the sink; but enough is enough."""
        if verb == b"MAIL" and self.counters.messages >= PER_CONNECTION:
            asyncio.get_running_loop().call_soon(self.transport.close)
            return b"421 4.7.0 Enough for one connection\r\n"
        return super().answer(verb)


async def serve(port: int, path: Path) -> None:
    """Take mails until the process is ended."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    server = await asyncio.get_running_loop().create_server(lambda: _Recording(file), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
