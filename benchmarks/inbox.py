"""`inbox_flatness`, `unread_flatness`: a page and the count at 1,000,000 notifications / at 10,000, of 1,000 users."""

from __future__ import annotations

import random
from collections.abc import Callable
from statistics import median
from typing import Final

from sqlalchemy import create_engine, text

from app.auth.tokens import login_token
from app.embedded.application import Application
from app.embedded.ports import Ports
from app.models import User, db
from benchmarks.http import Client
from benchmarks.results import Results
from benchmarks.stage import Stage

USERS: Final = 1000
SMALL: Final = 10_000
LARGE: Final = 1_000_000
ROUNDS: Final = 15
REQUESTS: Final = 80

_USERS: Final = text("INSERT INTO users (email) SELECT 'user' || n || '@example.org' FROM generate_series(1, :count) n")
_HAPPENINGS: Final = text(
    "INSERT INTO happenings (action, title, message, link) SELECT 'New Session Proposal', 'New session proposal for "
    "event ' || n, 'A new session was proposed for <strong>event ' || n || '</strong>.', 'http://127.0.0.1/' || n "
    "FROM generate_series(1, 1000) n"
)
_NOTIFICATIONS: Final = text(
    """
    INSERT INTO notifications (happening_id, user_id, is_read, read_at)
    SELECT 1 + n / :users, 1 + n % :users, n / :users % 2 = 0, CASE WHEN n / :users % 2 = 0 THEN now() END
    FROM generate_series(0, :count - 1) AS n
    """
)


def run(stage: Stage, results: Results) -> None:
    """Two databases, each with a web server of its own; the rounds take turns between them."""
    db.session.execute(_USERS, {"count": USERS})
    db.session.execute(_HAPPENINGS)
    db.session.commit()
    tokens = [(user.id, login_token(user)) for user in _some_users()]
    _fill(SMALL)
    large_url = _copy_database(stage)
    sides = []
    for name, url in (("small", stage.stack.env["DATABASE_URL"]), ("large", large_url)):
        port = Ports(stage.stack.data_dir).choose(f"bench-{name}")
        server = Application(stage.stack, port, stage.application.environ)
        server.start_web(f"web-{name}", {"DATABASE_URL": url})
        stage.stack.wait_until(server.is_ready, f"the web server of the {name} table")
        sides.append([(user_id, Client(port, token)) for user_id, token in tokens])
    for figure, path in (("inbox", _inbox), ("unread", _count)):
        pairs = [[_measure(clients, path) for clients in sides] for _ in range(ROUNDS + 1)][1:]
        results.add(
            f"{figure}_ms", median(large for _, large in pairs), "ms", f"{LARGE} notifications of {USERS} users"
        )
        flatness = median(large / small for small, large in pairs)
        results.add(f"{figure}_flatness", flatness, "x", f"{LARGE} notifications / {SMALL}, rounds taking turns")


def _copy_database(stage: Stage) -> str:
    """A copy of the database with the rows of the large table; returns its address."""
    base, _, name = stage.stack.env["DATABASE_URL"].rpartition("/")
    db.engine.dispose()
    admin = create_engine(f"{base}/postgres", isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f'CREATE DATABASE large TEMPLATE "{name}"'))
    admin.dispose()
    engine = create_engine(f"{base}/large", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(_NOTIFICATIONS, {"users": USERS, "count": LARGE - SMALL})
        connection.execute(text("VACUUM ANALYZE notifications"))
        connection.execute(text("CHECKPOINT"))
    engine.dispose()
    return f"{base}/large"


def _inbox(user_id: int) -> str:
    return f"/v1/users/{user_id}/notifications?page[size]=20"


def _count(user_id: int) -> str:
    return f"/v1/users/{user_id}/notifications/count"


def _measure(clients: list[tuple[int, Client]], path: Callable[[int], str]) -> float:
    """The median of a round of requests by chance users."""
    chosen = [random.choice(clients) for _ in range(REQUESTS)]  # noqa: S311 - a load, not a secret
    return median(client.time("GET", path(user_id)) for user_id, client in chosen)


def _fill(count: int) -> None:
    db.session.execute(_NOTIFICATIONS, {"users": USERS, "count": count})
    db.session.commit()
    connection = db.session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})
    connection.execute(text("VACUUM ANALYZE notifications"))
    connection.execute(text("CHECKPOINT"))
    db.session.commit()


def _some_users() -> list[User]:
    """A handful, since each keeps a connection."""
    return [user for number in range(1, 9) if (user := db.session.get(User, number * USERS // 10))]
