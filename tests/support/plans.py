"""The statements that run within a block, and whether PostgreSQL would read a whole table for one of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event

from app.models import db

Statement = tuple[str, Any]


@contextmanager
def statements_about(*tables: str) -> Iterator[list[Statement]]:
    """The statements that name one of the tables, as the driver gets them; rows that are only added do not count."""
    seen: list[Statement] = []
    named = re.compile(rf"\b({'|'.join(tables)})\b")

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if named.search(statement) and not statement.startswith("INSERT"):
            seen.append((statement, parameters))

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


def assert_no_table_is_read_whole(seen: list[Statement], *tables: str) -> None:
    assert seen
    whole = re.compile(rf"Seq Scan on ({'|'.join(tables)})\b")
    with db.engine.connect() as connection:
        for statement, parameters in seen:
            plan = _plan(connection, statement, parameters)
            assert not whole.search(plan), f"{statement}\n{plan}"


def _plan(connection: Connection, statement: str, parameters: Any) -> str:
    prepared = re.match(r"PREPARE \w+ \((.*?)\) AS\s", statement, re.DOTALL)
    if prepared is None:
        return "\n".join(connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars())
    # One that is prepared has no values yet: PostgreSQL plans it for any.
    types = prepared[1]
    nothing = ", ".join("NULL" for _ in types.split(","))
    connection.exec_driver_sql("SET LOCAL plan_cache_mode = force_generic_plan")
    connection.exec_driver_sql(f"PREPARE explained ({types}) AS {statement[prepared.end() :]}")
    try:
        return "\n".join(connection.exec_driver_sql(f"EXPLAIN EXECUTE explained ({nothing})").scalars())
    finally:
        connection.exec_driver_sql("DEALLOCATE explained")
