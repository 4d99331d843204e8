"""Statements that each worker runs a thousand times a second: PostgreSQL parses and plans them once per connection.

That is a third of what writing an outcome costs (see benchmarks). It holds behind a pooler that hands out another
connection for every statement, too: a statement that is not known there is prepared there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg2 import errors
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

# Where a connection remembers what was prepared on it.
_PREPARED: Final = "usher.prepared"


@dataclass(frozen=True)
class Prepared:
    """A statement with a name.

    Attributes:
        name: unique among all.
        types: PostgreSQL's type of each parameter.
        sql: the statement, its parameters as `$1`, `$2`, ….
    """

    name: str
    types: tuple[str, ...]
    sql: str

    @property
    def preparation(self) -> str:
        """What makes it known on a connection."""
        return f"PREPARE {self.name} ({', '.join(self.types)}) AS {self.sql}"

    @property
    def execution(self) -> str:
        """What runs it, with marks for its parameters."""
        return f"EXECUTE {self.name} ({', '.join(['%s'] * len(self.types))})"

    def run(self, connection: Connection, values: Sequence[Any]) -> int:
        """Run it, and return how many rows it wrote.

        Args:
            connection: one in autocommit mode.
            values: the parameters, in their order.
        """
        known: set[str] = connection.info.setdefault(_PREPARED, set())
        if self.name not in known:
            self._prepare(connection)
            known.add(self.name)
        try:
            return self._execute(connection, values)
        except DBAPIError as error:
            if not isinstance(error.orig, errors.InvalidSqlStatementName):
                raise
        # Behind a pooler: this is another connection of the server's than the one that it was prepared on.
        self._prepare(connection)
        return self._execute(connection, values)

    def _prepare(self, connection: Connection) -> None:
        try:
            connection.exec_driver_sql(self.preparation)
        except DBAPIError as error:
            if not isinstance(error.orig, errors.DuplicatePreparedStatement):
                raise

    def _execute(self, connection: Connection, values: Sequence[Any]) -> int:
        return connection.exec_driver_sql(self.execution, tuple(values)).rowcount
