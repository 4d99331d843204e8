"""The scene of the chaos: Usher's own workers, the mail server that remembers, and what the tables say afterwards."""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import redis
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from app.api.helpers.mail import send_emails
from app.delivery.faults import FAULT_POINTS
from app.delivery.watch.heartbeat import WORKERS, heard
from app.embedded.application import BIN, ROOT
from app.embedded.errors import StackError
from app.embedded.ports import Ports
from app.models import db
from app.models.mail import NEW_SESSION
from benchmarks.chaos.accounts import Account, account
from benchmarks.mails import LINK
from benchmarks.peers.ours import send_to
from benchmarks.stage import Stage, stage

# Seconds that a dead worker's mails wait, here; in production it is 20.
LEASE: Final = 3.0
# Seconds that anything may take before it counts as lost.
PATIENCE: Final = 180.0
LOOK: Final = 0.005

_OPEN: Final = text(
    "SELECT count(*) FROM mails WHERE status IN ('scheduled', 'queued', 'deferred', 'sending', 'uncertain')"
)


class ChaosError(RuntimeError):
    """The chaos itself does not work: nothing was proved, and nothing refuted."""


@dataclass
class Scene:
    """What a scenario plays on."""

    stage: Stage
    port: int
    record: Path
    faults: Path
    _seen: int = field(default=0, init=False)
    _offset: int = field(default=0, init=False)

    def start_recorder(self) -> None:
        """Start the mail server, and wait until it listens."""
        argv = [sys.executable, "-m", "benchmarks.chaos.recorder", str(self.port), str(self.record)]
        self.stage.stack.add("recorder", argv, cwd=ROOT)
        self.stage.stack.wait_until(lambda: _listens(self.port), "the mail server of the chaos")

    def start_worker(self, name: str, processes: int = 1) -> None:
        """Start a worker."""
        self.stage.application.start_worker(name, processes=processes)

    @contextmanager
    def workers(self, processes: Mapping[str, int]) -> Iterator[None]:
        """So many processes of each worker, by its name, all at work; they are ended afterwards."""
        self.start_workers(processes)
        yield
        for name in processes:
            self.stage.stack.stop_part(name)

    def start_workers(self, processes: Mapping[str, int]) -> None:
        """Start so many processes of each worker, and wait until all are at work."""
        for name, count in processes.items():
            self.start_worker(name, count)
        names = {f"{name}@usher" for name in processes}
        with redis.Redis.from_url(self.stage.stack.env["REDIS_URL"], decode_responses=True) as client:
            self.wait(lambda: names <= heard(client, WORKERS).keys(), "the start of the workers", 0.05)

    def start_beat(self) -> None:
        """Start a beat that is quick."""
        argv = [str(BIN / "celery"), "-A", "benchmarks.chaos.quick_beat", "beat", "--loglevel", "WARNING"]
        self.stage.stack.add("beat", argv, env=self.stage.application.env, cwd=ROOT)

    def begin(self) -> None:
        """No mails in the table, none remembered by the server, nothing told to die."""
        db.session.rollback()
        db.session.execute(text("TRUNCATE mails, activities CASCADE"))
        db.session.commit()
        self.record.write_text("", encoding="ascii")
        self._seen = self._offset = 0
        for point in FAULT_POINTS:
            (self.faults / point).unlink(missing_ok=True)

    def queue(self, count: int) -> None:
        """Queue mails as a request does; their ids go to the workers through the broker."""
        context = {"event_name": "Harbour Conference", "link": LINK}
        send_emails(NEW_SESSION, ((f"user{number}@example.org", context) for number in range(count)))
        db.session.commit()

    def arrived(self) -> int:
        """How many mails the server has taken since `begin`."""
        with self.record.open("rb") as file:
            file.seek(self._offset)
            fresh = file.read()
        self._offset += len(fresh)
        self._seen += fresh.count(b"\n")
        return self._seen

    def arrivals(self) -> list[tuple[float, str]]:
        """When which Message-ID came, in the order in which they came."""
        lines = [line.split(" ") for line in self.record.read_text(encoding="ascii").splitlines()]
        return [(float(moment), name) for moment, name in lines]

    def wait_for_arrivals(self, count: int) -> None:
        """Wait until the server has taken so many, or all are over."""
        self.wait(lambda: self.arrived() >= count, f"{count} mails at the server")

    def wait_until_over(self) -> None:
        """Wait until no mail is on its way any more."""
        self.wait(self.is_over, "the end of all mails", 0.02)

    def is_over(self) -> bool:
        """Whether no mail is on its way; with the database away, nobody knows."""
        try:
            waiting: int | None = db.session.scalar(_OPEN)
        except OperationalError:
            return False
        finally:
            db.session.rollback()
        return waiting == 0

    def wait(self, condition: Callable[[], bool], what: str, look: float = LOOK) -> None:
        """Wait for a condition.

        Raises:
            ChaosError: it did not come true in time.
        """
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                raise ChaosError(f"waited {PATIENCE:.0f} s in vain for {what}; the logs say more")
            self.stage.stack.check()
            time.sleep(look)

    def account(self) -> Account:
        """What became of the mails."""
        try:
            return account(name for _, name in self.arrivals())
        finally:
            db.session.rollback()

    def arm(self, point: str) -> Path:
        """Tell whoever reaches the point next to die there; the file that is returned is gone when it has."""
        order = self.faults / point
        order.touch()
        return order

    def kill_worker(self, name: str) -> None:
        """SIGKILL to all processes of a worker at once, as a machine dies; it is then no longer minded."""
        os.killpg(self.stage.stack.pid(name), signal.SIGKILL)
        self.stage.stack.stop_part(name)

    def restart_server(self, name: str) -> None:
        """Start PostgreSQL or Valkey again, which may need a moment after an end without a farewell.

        Raises:
            StackError: it does not start.
        """
        for is_last in (False, False, True):
            try:
                self.stage.stack.start_server(name)
            except StackError:
                if is_last:
                    raise
                self.stage.stack.stop_part(name)
            else:
                return


@contextmanager
def scene(lease: float = LEASE) -> Iterator[Scene]:
    """The embedded stack, the mail server and a quick beat; no worker yet.

    PostgreSQL is durable: one that answers before a commit is on the disk forgets outcomes when it is killed, and the
    mails are sent again without anybody knowing.
    """
    with (
        _folder() as folder,
        stage(USHER_FAULTS=str(folder / "faults"), MAIL_LEASE_SECONDS=str(lease)) as running,
    ):
        port = Ports(running.stack.data_dir).choose("recorder")
        made = Scene(running, port, folder / "arrivals", folder / "faults")
        made.begin()
        made.start_recorder()
        send_to(port)
        made.start_beat()
        yield made


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="usher-chaos-") as name:
        (Path(name) / "faults").mkdir()
        yield Path(name)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0
