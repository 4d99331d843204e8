"""django-post-office, as the benchmarks have it: a process of its own on a database of its own in the same server."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Final, Self

from sqlalchemy import create_engine, text

from benchmarks.peers.environment import PeerError, peer_python
from benchmarks.stage import Stage

_SCRIPT: Final = Path(__file__).with_name("peer_side.py")
_DATABASE: Final = "post_office"


class PostOffice:
    """The peer's process; enter it to start it, and leave it to end it."""

    def __init__(self, stage: Stage, sink_port: int) -> None:
        self._url = stage.stack.env["DATABASE_URL"]
        self._port = sink_port

    def __enter__(self) -> Self:
        """Make its environment and its database anew, and start it.

        Raises:
            PeerError: it cannot be installed, or does not start.
        """
        python = peer_python()
        base = self._url.rpartition("/")[0]
        _make_database(base)
        environ = {**os.environ, "DATABASE_URL": f"{base}/{_DATABASE}", "SINK_PORT": str(self._port)}
        self._process = subprocess.Popen(
            [str(python), "-P", str(_SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ
        )
        self._answer()
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._process.communicate()

    def ask(self, do: str, **values: Any) -> dict[str, Any]:
        """Have it do something, and return its answer.

        Raises:
            PeerError: it ended; why is on stderr.
        """
        if self._process.stdin is None:
            raise PeerError("The peer was not started.")
        self._process.stdin.write(json.dumps({"do": do, **values}) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise PeerError("django-post-office ended; what it said stands above.")
        answer: dict[str, Any] = json.loads(line)
        return answer


def _make_database(base: str) -> None:
    admin = create_engine(f"{base}/postgres", isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {_DATABASE} WITH (FORCE)"))
        connection.execute(text(f"CREATE DATABASE {_DATABASE}"))
    admin.dispose()
