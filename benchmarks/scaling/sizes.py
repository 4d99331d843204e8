"""What things take: bytes of rows with their indexes and of WAL, for the arithmetic of docs/scaling.md."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, text

from app.happenings.types import EventType, declare
from app.models import db
from benchmarks.mails import queue
from benchmarks.peers.fanout import tell_everyone
from benchmarks.people import add_users, settle
from benchmarks.results import Results
from benchmarks.stage import Stage

USERS: Final = 200_000
_WAL: Final = text("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
_SIZE: Final = "SELECT pg_total_relation_size('{0}')::float / (SELECT count(*) FROM {0})"


def run(stage: Stage, results: Results) -> None:  # noqa: ARG001 - every step has the same arguments
    """Tell everybody a few things, and look what that has written."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        add_users(connection, 1, USERS)
        settle(connection, "users")
        results.add("scaling_user_bytes", _row(connection, "users"), "bytes", "a user's row with its indexes")
    in_app = declare(EventType("benchmarks.sizes.app", "Closed")).name
    seconds, wal = [], []
    for _ in range(3):
        before = db.session.scalar(_WAL)
        seconds.append(tell_everyone(in_app, USERS))
        wal.append(float((db.session.scalar(_WAL) or 0) - (before or 0)) / USERS)
    rows = f"a fan-out to {USERS:,} users"
    results.add("scaling_fanout_rate", USERS / min(seconds), "rows/s", f"{rows}, one process")
    results.add("scaling_wal_bytes", min(wal), "bytes", f"of WAL for a notification: {rows}")
    queue(50_000)
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        mails = _row(connection, "mails") + _row(connection, "mail_events")
        results.add("scaling_mail_bytes", mails, "bytes", "a mail with its text, its first entry and all indexes")


def _row(connection: Connection, table: str) -> float:
    return float(connection.scalar(text(_SIZE.format(table))))
