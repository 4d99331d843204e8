"""A page of an inbox as nearly all ask for it, newest first: one statement that is made once, without objects."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Row, TextClause, text

from app.models import db

# What a notification shows: its own columns and those of its happening.
COLUMNS: Final = """
    n.id, n.user_id, n.happening_id, n.received_at, n.is_read, n.read_at, n.deleted_at,
    h.title, h.message, h.action, h.event_type, h.link, h.data
    FROM notifications AS n JOIN happenings AS h ON h.id = n.happening_id
"""


def _statements(condition: str) -> tuple[TextClause, TextClause]:
    """The page, and the number of all."""
    where = f"n.user_id = :user_id AND n.deleted_at IS NULL {condition}"
    page = f"SELECT {COLUMNS} WHERE {where} ORDER BY n.id DESC LIMIT :limit OFFSET :offset"
    return text(page), text(f"SELECT count(*) FROM notifications AS n WHERE {where}")  # noqa: S608 - ours


# By whether they are to be read; None, all. The conditions are those of the partial indexes.
_STATEMENTS: Final = {
    None: _statements(""),
    True: _statements("AND n.is_read"),
    False: _statements("AND NOT n.is_read"),
}


def read_page(user_id: int, is_read: bool | None, limit: int, offset: int) -> list[Row[Any]]:
    """Notifications of a user that he has not removed, newest first.

    Read without a transaction, which would be two more round trips.
    """
    values = {"user_id": user_id, "limit": limit, "offset": offset}
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        return list(connection.execute(_STATEMENTS[is_read][0], values))


def count_all(user_id: int, is_read: bool | None) -> int:
    """How many there are."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        return int(connection.execute(_STATEMENTS[is_read][1], {"user_id": user_id}).scalar_one())
