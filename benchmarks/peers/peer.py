"""A peer, as the benchmarks have it: a process of its own on a database of its own in the same server."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, ClassVar, Final, Self

from sqlalchemy import create_engine, text

from benchmarks.peers.environment import NOTIFICATIONS, POST_OFFICE, PeerError, peer_python
from benchmarks.stage import Stage

FOLDER: Final = Path(__file__).parent


class Peer:
    """The peer's process; enter it to start it, and leave it to end it.

    Attributes:
        name: what its packages call it.
        pins: the packages of its environment.
        script: what its interpreter runs, in this folder.
        url: its database; the password is in it.
    """

    name: ClassVar[str]
    pins: ClassVar[tuple[str, ...]]
    script: ClassVar[str]

    def __init__(self, stage: Stage, **environ: str) -> None:
        """Say where its database is to be, and what else it finds in its environment."""
        self._base = stage.stack.env["DATABASE_URL"].rpartition("/")[0]
        self._database = self.script.removesuffix(".py")
        self.url = f"{self._base}/{self._database}"
        self.environ = {**os.environ, **environ, "DATABASE_URL": self.url}

    def __enter__(self) -> Self:
        """Make its environment and its database anew, and start it.

        Raises:
            PeerError: it cannot be installed, or does not start.
        """
        self.python = peer_python(self.pins)
        self._make_database()
        self._process = subprocess.Popen(
            [str(self.python), "-P", str(FOLDER / self.script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=self.environ,
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
            raise PeerError(f"{self.name} ended; what it said stands above.")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _make_database(self) -> None:
        admin = create_engine(f"{self._base}/postgres", isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {self._database} WITH (FORCE)"))
            connection.execute(text(f"CREATE DATABASE {self._database}"))
        admin.dispose()


class PostOffice(Peer):
    """django-post-office, the outbox of Django."""

    name = "django-post-office"
    pins = POST_OFFICE
    script = "post_office_side.py"

    def __init__(self, stage: Stage, sink_port: int) -> None:
        """Say which mail server it is to use."""
        super().__init__(stage, SINK_PORT=str(sink_port))


class Community(Peer):
    """django-notifications-community, the kept-up fork of django-notifications-hq."""

    name = "django-notifications-community"
    pins = NOTIFICATIONS
    script = "community_side.py"
