"""Citus by `user_id`, simulated: two tables, each with half of the users, stand for the nodes, and work at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Final

from sqlalchemy import Connection, text

from app.models import db
from benchmarks.people import add_happenings, add_users, settle
from benchmarks.results import Results
from benchmarks.stage import Stage

USERS: Final = 100_000
NODES: Final = 2
ROUNDS: Final = 7
_WHOLE: Final = "whole"
_MAKE: Final = (
    "CREATE TABLE {0}_users (id bigint PRIMARY KEY)",
    "CREATE TABLE {0} (LIKE notifications INCLUDING ALL)",
    "ALTER TABLE {0} ADD FOREIGN KEY (happening_id) REFERENCES happenings ON DELETE CASCADE",
)
_SHARE: Final = "INSERT INTO {0}_users SELECT id FROM users WHERE {1}"
# What Citus does with a statement that joins tables which are distributed alike: each node runs it on its own users.
_FAN_OUT: Final = (
    "INSERT INTO {0} (happening_id, user_id) SELECT :happening_id, id FROM {0}_users ON CONFLICT DO NOTHING"
)
_COUNT: Final = "SELECT count(*), count(DISTINCT user_id) FROM {0} WHERE happening_id = :happening_id"


def run(stage: Stage, results: Results) -> None:  # noqa: ARG001 - every step has the same arguments
    """One happening to all, by one node with all users and by two with half of them, taking turns."""
    nodes = [f"node_{number}" for number in range(NODES)]
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        add_users(connection, 1, USERS)
        add_happenings(connection, ROUNDS + 1)
        for table, of_node in ((_WHOLE, "true"), *((node, f"id % {NODES} = {i}") for i, node in enumerate(nodes))):
            for statement in _MAKE:
                connection.execute(text(statement.format(table)))
            connection.execute(text(_SHARE.format(table, of_node)))
            settle(connection, f"{table}_users")
        pairs = []
        for happening in range(1, ROUNDS + 1):
            pairs.append((_fan_out([_WHOLE], happening), _fan_out(nodes, happening)))
            for table in (_WHOLE, *nodes):
                settle(connection, table)
        told = sum(_told(connection, node, ROUNDS) for node in nodes)
    results.add("scaling_shards_told", told, "users", f"of {USERS:,}, each once, by {NODES} simulated nodes")
    ratio = median(one / several for one, several in pairs[1:])
    results.add("scaling_shards_fanout", ratio, "x", f"{NODES} simulated nodes on one machine / one: {USERS:,} users")


def _fan_out(tables: Sequence[str], happening_id: int) -> float:
    """Seconds until all nodes have committed."""
    engine = db.engine

    def tell(table: str) -> None:
        with engine.begin() as connection:
            connection.execute(text(_FAN_OUT.format(table)), {"happening_id": happening_id})

    begun = time.perf_counter()
    with ThreadPoolExecutor(len(tables)) as pool:
        list(pool.map(tell, tables))
    return time.perf_counter() - begun


def _told(connection: Connection, table: str, happening_id: int) -> int:
    rows, users = connection.execute(text(_COUNT.format(table)), {"happening_id": happening_id}).one()
    if rows != users:
        raise AssertionError("a node has told somebody twice")
    return int(users)
