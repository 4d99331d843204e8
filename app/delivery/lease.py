"""The lease of a claim: one thread per process shows that the worker lives, for as long as it sends."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from sqlalchemy import Engine, TextClause, text
from sqlalchemy.exc import OperationalError

# Seconds that a claim holds without a sign of life, unless MAIL_LEASE_SECONDS says otherwise.
LEASE: Final = 20.0
# Signs of life in that time: one that is late does not end it.
_SIGNS: Final = 4

RENEW: Final = text(
    "UPDATE mails SET lease_until = now() + make_interval(secs => :lease) WHERE claim = :claim AND status = 'sending'"
)


class Lease:
    """Keeps a claim alive, however long one server lets us wait.

    `holds` is by this process's own clock, and earlier than the database's: a process that was stopped and wakes up
    too late sees that it must not send.

    Args:
        engine: the database.
        claim: the claim's name.
        seconds: how long it holds without a sign of life.
        renewal: the statement that shows one; of mails, unless the claim is on something else.
    """

    def __init__(self, engine: Engine, claim: str, seconds: float = LEASE, renewal: TextClause = RENEW) -> None:
        self.claim = claim
        self.renew_every = seconds / _SIGNS
        self._engine = engine
        self._renewal = renewal
        self._seconds = seconds
        self._until = time.monotonic() + seconds - self.renew_every

    @property
    def holds(self) -> bool:
        """Whether the mails of the claim are surely still ours."""
        return time.monotonic() < self._until

    def __enter__(self) -> Self:
        _own_keeper().add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _own_keeper().remove(self)

    def renew(self) -> None:
        """Hold on for another while; with the database away `holds` ends by itself."""
        asked_at = time.monotonic()
        with suppress(OperationalError), self._engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(
                self._renewal, {"claim": self.claim, "lease": self._seconds}
            )
            self._until = asked_at + self._seconds - self.renew_every


class _Keeper:
    """One thread per process that renews its leases: starting one for each batch would cost more than most batches."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._leases: set[Lease] = set()
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None

    def add(self, lease: Lease) -> None:
        with self._change:
            self._leases.add(lease)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="leases", daemon=True)
                self._thread.start()
            self._change.notify()

    def remove(self, lease: Lease) -> None:
        with self._change:
            self._leases.discard(lease)

    def _run(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: bool(self._leases))
                pause = min(lease.renew_every for lease in self._leases)
            time.sleep(pause)
            with self._change:
                leases = list(self._leases)
            for lease in leases:
                lease.renew()


_keeper = _Keeper()


def _own_keeper() -> _Keeper:
    """A process that was forked has its parent's object, but not its thread."""
    global _keeper  # noqa: PLW0603 - one per process, made anew in a forked one
    if _keeper.pid != os.getpid():
        _keeper = _Keeper()
    return _keeper
