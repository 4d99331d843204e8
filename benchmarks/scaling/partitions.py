"""`notifications` in 16 partitions by `user_id`: the statements of the inbox and of the fan-out, against one table."""

from __future__ import annotations

import random
import time
from statistics import median
from typing import Final

from sqlalchemy import Connection, text

from app.models import db
from benchmarks.people import add_happenings, add_users, settle
from benchmarks.results import Results
from benchmarks.stage import Stage

USERS: Final = 20_000
EACH: Final = 100
PARTITIONS: Final = 16
ROUNDS: Final = 7
# The columns, checks, references and indexes of `notifications`; the primary key has to have `user_id` in it.
_MAKE: Final = (
    """
    CREATE TABLE parted (LIKE notifications INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING IDENTITY)
    PARTITION BY HASH (user_id)
    """,
    "ALTER TABLE parted ADD PRIMARY KEY (user_id, id)",
    "ALTER TABLE parted ADD FOREIGN KEY (happening_id) REFERENCES happenings ON DELETE CASCADE",
    """
    CREATE TRIGGER parted_has_users AFTER INSERT ON parted REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION notifications_have_users()
    """,
    "CREATE INDEX ON parted (user_id, id DESC) WHERE deleted_at IS NULL",
    "CREATE INDEX ON parted (user_id, id DESC) WHERE NOT is_read AND deleted_at IS NULL",
    "CREATE UNIQUE INDEX ON parted (happening_id, user_id)",
    # For those who have an id and no user: it is looked for in every partition.
    "CREATE INDEX ON parted (id)",
)
_FILL: Final = """
INSERT INTO {0} (happening_id, user_id, is_read, read_at)
SELECT happening, who, happening % 2 = 0, CASE WHEN happening % 2 = 0 THEN now() END
FROM generate_series(1, :each) AS happening, generate_series(1, :users) AS who
"""
_PAGE: Final = "SELECT * FROM {0} WHERE user_id = :value AND deleted_at IS NULL ORDER BY id DESC LIMIT 20"
_UNREAD: Final = "SELECT count(*) FROM {0} WHERE user_id = :value AND deleted_at IS NULL AND NOT is_read"
_BY_ID: Final = "SELECT * FROM {0} WHERE id = :value"
_FAN_OUT: Final = "INSERT INTO {0} (happening_id, user_id) SELECT :happening_id, id FROM users ON CONFLICT DO NOTHING"


def run(stage: Stage, results: Results) -> None:  # noqa: ARG001 - every step has the same arguments
    """The same statements on both tables, taking turns."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        add_users(connection, 1, USERS)
        add_happenings(connection, EACH + ROUNDS + 1)
        for statement in _MAKE:
            connection.execute(text(statement))
        for number in range(PARTITIONS):
            values = f"WITH (MODULUS {PARTITIONS}, REMAINDER {number})"
            connection.execute(text(f"CREATE TABLE parted_{number} PARTITION OF parted FOR VALUES {values}"))
        for table in ("notifications", "parted"):
            connection.execute(text(_FILL.format(table)), {"each": EACH, "users": USERS})
            settle(connection, table)
        of = f"{PARTITIONS} partitions / one table, {USERS * EACH:,} rows"
        for figure, statement, last in (
            ("page", _PAGE, USERS),
            ("unread", _UNREAD, USERS),
            ("by_id", _BY_ID, USERS * EACH),
        ):
            pairs = [
                [_ask(connection, statement, table, last) for table in ("notifications", "parted")] for _ in range(9)
            ]
            ratio = median(parted / one for one, parted in pairs[2:])
            results.add(f"scaling_partitions_{figure}", ratio, "x", f"milliseconds of the statement: {of}")
        pairs = [
            [_fan_out(connection, table, EACH + 1 + number) for table in ("notifications", "parted")]
            for number in range(ROUNDS)
        ]
        ratio = median(parted / one for one, parted in pairs[1:])
        results.add("scaling_partitions_fanout", ratio, "x", f"seconds for a happening to {USERS:,} users: {of}")


def _ask(connection: Connection, statement: str, table: str, last: int) -> float:
    """Milliseconds of one, of 300 for chance values."""
    asked = text(statement.format(table))
    values = [random.randint(1, last) for _ in range(300)]  # noqa: S311 - a load, not a secret
    begun = time.perf_counter()
    for value in values:
        connection.execute(asked, {"value": value}).all()
    return 1000 * (time.perf_counter() - begun) / len(values)


def _fan_out(connection: Connection, table: str, happening_id: int) -> float:
    begun = time.perf_counter()
    connection.execute(text(_FAN_OUT.format(table)), {"happening_id": happening_id})
    seconds = time.perf_counter() - begun
    settle(connection, table)
    return seconds
