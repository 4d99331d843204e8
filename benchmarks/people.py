"""Users and notifications for the benchmarks of the inbox and of the fan-out, by the million."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, text

from benchmarks.results import Results

_USERS: Final = text(
    "INSERT INTO users (email, is_verified) "
    "SELECT 'user' || n || '@example.org', true FROM generate_series(:first, :last) n"
)
_HAPPENINGS: Final = text(
    "INSERT INTO happenings (action, title, message, link) SELECT 'New Session Proposal', 'New session proposal for "
    "event ' || n, 'A new session was proposed for <strong>event ' || n || '</strong>.', 'http://127.0.0.1/' || n "
    "FROM generate_series(1, :count) n"
)
# Every happening to every user, and every second one is read; the newest a second ago.
_NOTIFICATIONS: Final = text(
    """
    INSERT INTO notifications (happening_id, user_id, received_at, is_read, read_at)
    SELECT happening, who, received_at, is_read, CASE WHEN is_read THEN received_at + interval '1 minute' END
    FROM (
        SELECT happening, who, now() - make_interval(secs => (:end - happening) * :seconds) AS received_at,
            happening % 2 = 0 AND :reads AS is_read
        FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS happening,
            generate_series(CAST(:first_user AS bigint), CAST(:last_user AS bigint)) AS who
    ) AS told
    """
)
_DEFINITIONS: Final = text(
    """
    SELECT 'index', indexname, indexdef FROM pg_indexes
    WHERE schemaname = 'public' AND tablename = 'notifications'
        AND indexname NOT IN (SELECT conname FROM pg_constraint)
    UNION ALL
    SELECT CASE contype WHEN 'f' THEN 'reference' ELSE 'constraint' END, conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE conrelid = 'notifications'::regclass AND contype <> 'n'
    ORDER BY 1, 2
    """
)
Definitions = list[tuple[str, str, str]]


def add_users(connection: Connection, first: int, last: int) -> None:
    """Add accounts; in an empty table their ids are these numbers."""
    connection.execute(_USERS, {"first": first, "last": last})


def add_happenings(connection: Connection, count: int) -> None:
    """Add things that happened, to an empty table."""
    connection.execute(_HAPPENINGS, {"count": count})


@dataclass(frozen=True)
class Heap:
    """Notifications to be made: each of these users gets one of each of so many happenings.

    Attributes:
        users: the first and the last of their ids.
        each: how many each of them gets.
        reads: whether every second one is read.
    """

    users: tuple[int, int]
    each: int
    reads: bool = True

    @property
    def count(self) -> int:
        """How many these are."""
        return (self.users[1] - self.users[0] + 1) * self.each


def fill(connection: Connection, heaps: tuple[Heap, ...], steps: int = 100) -> None:
    """Put notifications into the table, those of all heaps mixed as time would have mixed them.

    Indexes and constraints are taken away meanwhile, and made again as they were.

    Raises:
        RuntimeError: they are not as they were.
    """
    before = definitions(connection)
    connection.execute(text("SET maintenance_work_mem = '512MB'"))
    for kind, name, _ in sorted(before, key=lambda each: each[0] == "constraint"):
        drop = f"DROP INDEX {name}" if kind == "index" else f"ALTER TABLE notifications DROP CONSTRAINT {name}"
        connection.execute(text(drop))
    for step in range(steps):
        for heap in heaps:
            part = {"first": 1 + step * heap.each // steps, "last": (step + 1) * heap.each // steps}
            values: dict[str, Any] = {"end": heap.each + 1, "seconds": 3600 * 24 * 90 / heap.each, "reads": heap.reads}
            values |= {"first_user": heap.users[0], "last_user": heap.users[1]}
            connection.execute(_NOTIFICATIONS, part | values)
    for kind, name, definition in before:
        make = definition if kind == "index" else f"ALTER TABLE notifications ADD CONSTRAINT {name} {definition}"
        connection.execute(text(make))
    if definitions(connection) != before:
        raise RuntimeError("the table has not got back the indexes and constraints that the migrations gave it")
    settle(connection)


def definitions(connection: Connection) -> Definitions:
    """The indexes and constraints of the notifications, as PostgreSQL writes them."""
    return [(kind, name, definition) for kind, name, definition in connection.execute(_DEFINITIONS)]


def settle(connection: Connection, table: str = "notifications") -> None:
    """Vacuum, and have what was written on the disk, before anything is measured."""
    connection.execute(text(f"VACUUM ANALYZE {table}"))
    connection.execute(text("CHECKPOINT"))


def tell_size(connection: Connection, results: Results) -> None:
    """Tell how much a notification takes with all its indexes."""
    size, heap, count = connection.execute(
        text(
            "SELECT pg_total_relation_size('notifications'), pg_relation_size('notifications'), count(*) "
            "FROM notifications"
        )
    ).one()
    results.add("notification_bytes", size / count, "bytes", f"a row of {count} with its entries in all indexes")
    results.add("notification_row_bytes", heap / count, "bytes", f"a row of {count} without them")
