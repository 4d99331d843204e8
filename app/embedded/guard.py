"""Guard: ends the parts of a stack whose supervisor was killed before it could do so.

A process of its own, started by path on the standard library alone, so that it is there in a few milliseconds and
needs nothing of the project. It reads lines from the supervisor, `watch PID SIGNAL RANK` and `forget PID`, and acts
when the pipe closes or the supervisor is gone. It holds the lock of the data dir until all have ended.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from pathlib import Path

GRACE_SECONDS = 5.0
LOOK_SECONDS = 1.0
Watched = dict[int, tuple[int, int]]


def main() -> None:
    """Watch the supervisor whose pid is the only argument, then end what it left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    watched = _listen(int(sys.argv[1]))
    # Of higher rank first: what uses a server before the server.
    for rank in sorted({rank for _, rank in watched.values()}, reverse=True):
        _end({pid: number for pid, (number, its_rank) in watched.items() if its_rank == rank})


def _listen(supervisor: int) -> Watched:
    """Keep the list of parts until the supervisor is gone.

    The pipe alone would not tell: a process forked from the supervisor holds its end open too.
    """
    watched: Watched = {}
    rest = b""
    while os.getppid() == supervisor:
        if not select.select([0], [], [], LOOK_SECONDS)[0]:
            continue
        chunk = os.read(0, 65536)
        if not chunk:
            break
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            _obey(line.split(), watched)
    return watched


def _obey(words: list[bytes], watched: Watched) -> None:
    if words[0] == b"watch":
        watched[int(words[1])] = (int(words[2]), int(words[3]))
    else:
        watched.pop(int(words[1]), None)


def _end(parts: dict[int, int]) -> None:
    """Ask each to end, wait, then kill whatever is left of its process group."""
    for pid, number in parts.items():
        with contextlib.suppress(ProcessLookupError):  # it ended with its parent already
            os.kill(pid, number)
    deadline = time.monotonic() + GRACE_SECONDS
    while any(_runs(pid) for pid in parts) and time.monotonic() < deadline:
        time.sleep(0.02)
    for pid in parts:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # none is left of the group
            os.killpg(pid, signal.SIGKILL)


def _runs(pid: int) -> bool:
    """Whether a process runs; one that ended and that nobody has collected yet does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1] != b"Z"
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        # No /proc on this system, or gone between the two looks: the signal tells.
        return _takes_signals(pid)


def _takes_signals(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    main()
