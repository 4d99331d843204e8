"""`inbox_flatness`, `unread_flatness`: a page and the count at 1,000,000 notifications / at 10,000, of 1,000 users."""

from __future__ import annotations

import random
from collections.abc import Callable
from statistics import median
from typing import Final

from sqlalchemy import text

from app.auth.tokens import login_token
from app.models import User, db
from benchmarks.http import Client
from benchmarks.results import Results
from benchmarks.stage import Stage

USERS: Final = 1000
SMALL: Final = 10_000
LARGE: Final = 1_000_000
ROUNDS: Final = 5
REQUESTS: Final = 200

_USERS: Final = text("INSERT INTO users (email) SELECT 'user' || n || '@example.org' FROM generate_series(1, :count) n")
_HAPPENINGS: Final = text(
    "INSERT INTO happenings (action, title, message, link) SELECT 'New Session Proposal', 'New session proposal for "
    "event ' || n, 'A new session was proposed for <strong>event ' || n || '</strong>.', 'http://127.0.0.1/' || n "
    "FROM generate_series(1, 1000) n"
)
_NOTIFICATIONS: Final = text(
    """
    INSERT INTO notifications (happening_id, user_id, is_read, read_at)
    SELECT 1 + n % 1000, 1 + n % :users, n / :users % 2 = 0, CASE WHEN n / :users % 2 = 0 THEN now() END
    FROM generate_series(0, :count - 1) AS n
    """
)


def run(stage: Stage, results: Results) -> None:
    """Measure at the small table, grow it, measure again."""
    db.session.execute(_USERS, {"count": USERS})
    db.session.execute(_HAPPENINGS)
    db.session.commit()
    stage.application.start()
    clients = [(user.id, Client(stage.application.port, login_token(user))) for user in _some_users()]
    db.session.commit()
    _fill(SMALL)
    small_inbox, small_unread = _measure(clients, _inbox), _measure(clients, _count)
    _fill(LARGE - SMALL)
    large_inbox, large_unread = _measure(clients, _inbox), _measure(clients, _count)
    results.add("inbox_ms", large_inbox, "ms", f"page of 20 at {LARGE} notifications over {USERS} users")
    results.add("unread_ms", large_unread, "ms", f"the count at {LARGE} notifications over {USERS} users")
    results.add("inbox_flatness", large_inbox / small_inbox, "x", f"the same at {SMALL} notifications")
    results.add("unread_flatness", large_unread / small_unread, "x", f"the same at {SMALL} notifications")


def _inbox(user_id: int) -> str:
    return f"/v1/users/{user_id}/notifications?page[size]=20"


def _count(user_id: int) -> str:
    return f"/v1/users/{user_id}/notifications/count"


def _measure(clients: list[tuple[int, Client]], path: Callable[[int], str]) -> float:
    medians = []
    for number in range(ROUNDS + 1):
        chosen = [random.choice(clients) for _ in range(REQUESTS)]  # noqa: S311 - a load, not a secret
        times = [client.time("GET", path(user_id)) for user_id, client in chosen]
        if number:
            medians.append(median(times))
    return median(medians)


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
