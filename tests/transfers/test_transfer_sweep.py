"""The sweep of exports and imports costs the same however many there were."""

from __future__ import annotations

from typing import Any

from sqlalchemy import TextClause, text

from app.models import User, db
from app.transfers import tasks
from tests.conftest import People

_FILL = """
INSERT INTO transfers (kind, state, user_id, finished_at)
SELECT 'import', CASE WHEN n % 1000 = 0 THEN 'queued' ELSE 'succeeded' END, :user, now()
FROM generate_series(1, 20000) AS n
"""


def plan(statement: TextClause, **values: Any) -> str:
    """How PostgreSQL does it when there are many rows and few that wait."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE transfers"))
        return "\n".join(connection.execute(text(f"EXPLAIN {statement.text}"), values).scalars())


def test_the_sweep_reads_by_its_indexes(people: People) -> None:
    user: User = people.user()
    db.session.execute(text(_FILL), {"user": user.id})
    db.session.commit()
    assert "ix_transfers_open" in plan(tasks._OPEN, age=2, limit=20)  # noqa: SLF001 - the statement itself
    assert "ix_transfers_finished_at" in plan(tasks._FORGET, kept=604_800)  # noqa: SLF001 - as above
