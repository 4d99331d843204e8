"""Writes an outcome while the next mail is already on its way to the server.

To wait for a commit takes as long as most of a mail. So the statement is sent, and its answer is waited for at the last
moment: before the next mail is given for good (see `Envelope.gate`). At any time only one mail of a worker has been
taken without a row that says so, exactly as if each outcome had been waited for at once.
"""

from __future__ import annotations

import select
import threading
from collections.abc import Sequence
from typing import Any, Final

import psycopg2
from psycopg2 import extensions
from sqlalchemy import Engine

from app.delivery.prepared import Prepared

# Seconds that the database may take for one statement before the connection counts as lost.
PATIENCE: Final = 30.0


class Writer:
    """A connection of its own, on which a statement can be under way; for one thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Any = None
        self._cursor: Any = None
        self._known: set[str] = set()

    def begin(self, statement: Prepared, values: Sequence[Any]) -> None:
        """Send the statement, and do not wait for it.

        Raises:
            psycopg2.Error: the database is away.
        """
        try:
            if self._connection is None:
                self._connect()
            if statement.name not in self._known:
                self._cursor.execute(statement.preparation)
                self._wait()
                self._known.add(statement.name)
            self._cursor.execute(statement.execution, tuple(values))
        except psycopg2.Error:
            self.close()
            raise

    def finish(self) -> int:
        """Wait until the statement is committed, and return how many rows it wrote.

        Raises:
            psycopg2.Error: it was not, or nobody knows.
        """
        if self._connection is None:
            raise psycopg2.OperationalError("there is no connection, so that nothing was written")
        self._wait()
        return int(self._cursor.rowcount)

    def close(self) -> None:
        """Close the connection; the next statement opens another."""
        if self._connection is not None:
            self._connection.close()
        self._connection = self._cursor = None
        self._known = set()

    def _connect(self) -> None:
        arguments, options = self._engine.dialect.create_connect_args(self._engine.url)
        self._connection = psycopg2.connect(*arguments, **options, async_=True)
        self._wait()
        self._cursor = self._connection.cursor()

    def _wait(self) -> None:
        while (state := self._connection.poll()) != extensions.POLL_OK:
            ready = ([self._connection], []) if state == extensions.POLL_READ else ([], [self._connection])
            if not any(select.select(*ready, [], PATIENCE)):
                raise psycopg2.OperationalError(f"the database did not answer within {PATIENCE:.0f} seconds")


class _Kept(threading.local):
    """The writer of this thread of this process."""

    writer: Writer | None = None


_kept = _Kept()


def writer_for(engine: Engine) -> Writer:
    """The writer of this worker, which is kept, as its transports are."""
    if _kept.writer is None:
        _kept.writer = Writer(engine)
    return _kept.writer
