"""`stream_p99_ms`, `stream_kib_per_client`, `stream_broadcast_s`: one realtime gateway with 5,000 clients.

The clients are in a process of their own; commits and the publisher are in this one, as they are in the web server.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Final

import psutil
from flask_jwt_extended import create_access_token
from sqlalchemy import text

from app.embedded.application import ROOT
from app.inbox.changes import NEW, note_change
from app.models import Happening, db
from app.models.notification import NEXT_EVENT
from benchmarks.peers.environment import PeerError
from benchmarks.peers.scale import is_quick
from benchmarks.results import Results
from benchmarks.stage import Stage

CLIENTS: Final = 5000
SINGLES: Final = 300
BROADCASTS: Final = 5
# Files that a process has open besides its connections.
_BESIDES: Final = 200

_PEOPLE: Final = text(
    "INSERT INTO users (email, is_verified) SELECT 'user' || n || '@example.org', true"
    " FROM generate_series(1, :count) AS n RETURNING id"
)
_TELL: Final = text(
    "INSERT INTO notifications (happening_id, user_id) SELECT :happening, u FROM unnest(CAST(:users AS bigint[])) AS u"
)


@dataclass
class Clients:
    """The process with the clients."""

    popen: subprocess.Popen[str]

    def ask(self, line: str) -> str:
        """Send a line, and read the answer.

        Raises:
            RuntimeError: the process has ended.
        """
        self.send(line)
        return self.answer()

    def send(self, line: str) -> None:
        """Send a line."""
        assert self.popen.stdin is not None  # noqa: S101 - a pipe was asked for
        self.popen.stdin.write(f"{line}\n")
        self.popen.stdin.flush()

    def answer(self) -> str:
        """Read a line."""
        assert self.popen.stdout is not None  # noqa: S101 - as above
        line = self.popen.stdout.readline()
        if not line:
            raise RuntimeError("the process with the clients has ended")
        return line.strip()


def run(stage: Stage, results: Results) -> None:
    """Connect them all; then messages to one user each, and to all."""
    count = 200 if is_quick() else CLIENTS
    _check_files(count)
    users = list(db.session.scalars(_PEOPLE, {"count": count}))
    db.session.commit()
    stage.application.start_realtime()
    gateway = psutil.Process(stage.stack.pid("realtime"))
    before = gateway.memory_info().rss
    with _clients(stage.application.port + 1, users) as clients:
        print(f"  {count} clients, {(gateway.memory_info().rss - before) / 1024 / count:.1f} KiB each", flush=True)
        delays = [_single(clients, users[7 * number % count]) for number in range(SINGLES)]
        broadcasts = [_broadcast(clients, users) for _ in range(BROADCASTS)]
        after = gateway.memory_info().rss
    stage.stack.stop_part("realtime")
    of = f"one gateway with {count} clients"
    results.add("stream_p50_ms", median(delays), "ms", f"from the start of a commit to the client, {of}")
    results.add("stream_p99_ms", quantiles(delays, n=100)[98], "ms", f"from the start of a commit to the client, {of}")
    results.add("stream_kib_per_client", (after - before) / 1024 / count, "KiB", f"resident, after all messages, {of}")
    results.add(
        "stream_broadcast_s",
        max(broadcasts),
        "s",
        f"from the start of a commit to the last client, worst of {BROADCASTS}, {of}",
    )


def _single(clients: Clients, user_id: int) -> float:
    """Milliseconds from the start of a commit that tells one user to the client."""
    begun = tell([user_id])
    [[told, at]] = json.loads(clients.ask("1"))
    if told != user_id:
        raise RuntimeError(f"user {told} was told in place of {user_id}")
    return float(at - begun) / 1e6


def _broadcast(clients: Clients, users: list[int]) -> float:
    """Seconds from the start of a commit that tells all of them to the last client."""
    begun = tell(users)
    told = json.loads(clients.ask(str(len(users))))
    if {user_id for user_id, _ in told} != set(users):
        raise RuntimeError("somebody was told twice, and somebody not at all")
    return float(max(at for _, at in told) - begun) / 1e9


def tell(users: list[int]) -> int:
    """Tell them, as a part of a fan-out does; the time at which the commit began."""
    happening = Happening(action=NEXT_EVENT, title="The hall has changed", message="<p>It is <b>hall 2</b> now.</p>")
    db.session.add(happening)
    db.session.flush()
    db.session.execute(_TELL, {"happening": happening.id, "users": users})
    note_change(db.session(), NEW, users, happening_id=happening.id)
    begun = time.monotonic_ns()
    db.session.commit()
    return begun


@contextmanager
def _clients(port: int, users: list[int]) -> Iterator[Clients]:
    command = [sys.executable, "-m", "benchmarks.stream_clients"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, text=True, stdin=pipe, stdout=pipe) as popen:
        try:
            clients = Clients(popen)
            tokens = {user_id: create_access_token(user_id, additional_claims={"ver": 0}) for user_id in users}
            clients.ask(json.dumps({"port": port, "tokens": tokens}))
            yield clients
        finally:
            popen.kill()


def _check_files(count: int) -> None:
    """See that a process may have so many connections.

    Raises:
        PeerError: it may not.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count + _BESIDES:
        raise PeerError(
            f"{count} clients need {count + _BESIDES} open files, and this system allows {hard}: raise it with"
            f" `ulimit -Hn {count + _BESIDES}` (as root), or in the container's ulimits."
        )
