"""What is looked for every minute is found by an index, also where there is much of it."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from app.models import db
from app.models.base import utc_now
from app.periodic.run import run_periodic
from tests.conftest import People
from tests.support.plans import assert_no_table_is_read_whole, statements_about

TABLES = ("events", "orders", "event_invoices", "reminders", "users_events_roles", "speakers", "users")

# Twenty thousand events over thirty years, the orders of one year; what is due is a handful of each kind.
_FILL = """
INSERT INTO users (email) SELECT 'many' || n || '@example.org' FROM generate_series(1, 2000) AS n;
INSERT INTO events (identifier, name, state, starts_at, ends_at)
    SELECT 'e' || n, 'Event ' || n, CASE WHEN n % 5 = 0 THEN 'draft' ELSE 'published' END, at, at + interval '1 day'
    FROM generate_series(1, 20000) AS n, LATERAL (SELECT now() + (n - 15000) * interval '13 hours' AS at) AS times;
INSERT INTO users_events_roles (user_id, event_id, role) SELECT 1 + id % 2000, id, 'owner' FROM events;
INSERT INTO speakers (name, email, event_id) SELECT 'Ana', 'many' || 1 + id % 2000 || '@example.org', id FROM events;
INSERT INTO orders (identifier, status, amount, event_id, user_id, changed_at, completed_at)
    SELECT 'o' || n, CASE WHEN n % 1000 = 0 THEN 'pending' ELSE 'completed' END, n % 30 / 29, 1 + n % 20000,
        1 + n % 2000, at, at
    FROM generate_series(1, 10000) AS n, LATERAL (SELECT now() - (n % 9000) * interval '1 hour' AS at) AS times;
INSERT INTO event_invoices (identifier, month, amount, currency, event_id, status, issued_at)
    SELECT 'i' || n, date '1990-01-01' + n % 420 * interval '1 month', 1, 'EUR', n,
        CASE WHEN n % 500 = 0 THEN 'due' ELSE 'paid' END, now() - interval '10 years'
    FROM generate_series(1, 8000) AS n;
INSERT INTO reminders (event_id, kind) SELECT id, kind FROM events, unnest(ARRAY['next-event', 'after-event']) AS kind
    WHERE ends_at < now() - interval '10 days';
UPDATE settings SET service_fee = 5;
"""


@pytest.fixture
def much(people: People) -> None:
    db.session.execute(text(_FILL))
    db.session.commit()
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))


def test_a_run_and_one_that_finds_nothing_left_read_no_table_whole(much: None) -> None:
    now = utc_now()
    with statements_about(*TABLES) as seen:
        first = run_periodic(now)
    assert len({each.action for each in first}) == 5
    assert {each.error for each in first} == {None}
    with statements_about(*TABLES) as later:
        assert run_periodic(now) == []
    distinct = {statement: (statement, parameters) for statement, parameters in [*seen, *later]}
    assert_no_table_is_read_whole(list(distinct.values()), *TABLES)
