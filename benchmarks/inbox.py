"""`inbox_flatness`, `unread_flatness` and the rest of the inbox, at 10,000,000 notifications and at 10,000.

Two databases, each with a web server of its own; the rounds take turns between them.
"""

from __future__ import annotations

import http.client
import random
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Final

from sqlalchemy import create_engine, text

from app.auth.tokens import login_token
from app.embedded.application import Application
from app.embedded.ports import Ports
from app.models import User, db
from benchmarks.http import MEDIA_TYPE, Client
from benchmarks.load import hammer, percentile, request
from benchmarks.peers.scale import is_quick
from benchmarks.people import Heap, add_happenings, add_users, fill, tell_size
from benchmarks.results import Results
from benchmarks.stage import Stage

USERS: Final = 500
# Users who ask: a handful, since each keeps a connection.
ASKING: Final = 8
# What each of them has got: a full page in the small table too.
FEW, MANY = 20, 20_000
# Two more users of the large table: one with very many, and one whose are all unread.
HEAVY: Final = USERS + 1
HEAVY_HAS: Final = 100_000
UNREAD: Final = USERS + 2
UNREAD_HAS: Final = 10_000
ROUNDS: Final = 15
REQUESTS: Final = 60
# Connections and seconds of a round that compares requests per second.
CONNECTIONS: Final = 8
SECONDS: Final = 2.0


@dataclass(frozen=True)
class Side:
    """A database with its web server.

    Attributes:
        port: of the server.
        clients: by the ids of their users.
    """

    port: int
    clients: list[tuple[int, Client]]


def run(stage: Stage, results: Results) -> None:
    """Make both tables; measure pages and counts, marking all, and answers of 304."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        add_users(connection, 1, UNREAD)
    asking = [_token(number * USERS // ASKING) for number in range(1, ASKING + 1)]
    heavy, unread = _token(HEAVY), _token(UNREAD)
    large_url = _copy_database(stage)
    _fill(stage.stack.env["DATABASE_URL"], FEW, (Heap((1, USERS), FEW),))
    sizes = (200, 1000, 1000) if is_quick() else (MANY, HEAVY_HAS, UNREAD_HAS)
    heaps = (
        Heap((1, USERS), sizes[0]),
        Heap((HEAVY, HEAVY), sizes[1]),
        Heap((UNREAD, UNREAD), sizes[2], reads=False),
    )
    _fill(large_url, max(sizes), heaps, results)
    small = _serve(stage, "small", stage.stack.env["DATABASE_URL"], asking)
    large = _serve(stage, "large", large_url, asking)
    heavies = Side(large.port, [(HEAVY, Client(large.port, heavy[1]))])
    count = sum(heap.count for heap in heaps)
    _measure_flatness(results, (small, large, heavies), count, sizes[1])
    _measure_marking(results, Client(large.port, unread[1]), sizes[2])
    _measure_not_modified(results, large.port, asking)


def _token(user_id: int) -> tuple[int, str]:
    user = db.session.get_one(User, user_id)
    token = login_token(user)
    db.session.rollback()
    return user_id, token


def _copy_database(stage: Stage) -> str:
    """A second database with the same schema and users; returns its address."""
    base, _, name = stage.stack.env["DATABASE_URL"].rpartition("/")
    db.engine.dispose()
    admin = create_engine(f"{base}/postgres", isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f'CREATE DATABASE large TEMPLATE "{name}"'))
    admin.dispose()
    return f"{base}/large"


def _fill(url: str, happenings: int, heaps: tuple[Heap, ...], results: Results | None = None) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        add_happenings(connection, happenings)
        fill(connection, heaps)
        connection.execute(text("VACUUM ANALYZE happenings, users"))
        if results:
            tell_size(connection, results)
    engine.dispose()


def _serve(stage: Stage, name: str, url: str, asking: list[tuple[int, str]]) -> Side:
    port = Ports(stage.stack.data_dir).choose(f"bench-{name}")
    server = Application(stage.stack, port, stage.application.environ)
    # A Redis of its own number, since both have users of the same ids.
    redis_url = stage.stack.env["REDIS_URL"].rpartition("/")[0] + ("/1" if name == "large" else "/0")
    server.start_web(f"web-{name}", {"DATABASE_URL": url, "REDIS_URL": redis_url})
    stage.stack.wait_until(server.is_ready, f"the web server of the {name} table")
    return Side(port, [(user_id, Client(port, token)) for user_id, token in asking])


def inbox_path(user_id: int) -> str:
    """A page of the inbox."""
    return f"/v1/users/{user_id}/notifications?page[size]=20"


def count_path(user_id: int) -> str:
    """The count for the badge."""
    return f"/v1/users/{user_id}/notifications/count"


def _measure_flatness(results: Results, sides: tuple[Side, Side, Side], count: int, heavy_has: int) -> None:
    """Median and p95 of each round; a ratio is the median of those of the rounds."""
    rounds = 3 if is_quick() else ROUNDS
    turns = f"{count:,} notifications / {USERS * FEW:,}, {rounds} rounds of {REQUESTS} requests taking turns"
    for figure, path in (("inbox", inbox_path), ("unread", count_path)):
        measured = [[_round(side, path) for side in sides] for _ in range(rounds + 1)][1:]
        results.add(
            f"{figure}_ms", median(large for _, (large, _), _ in measured), "ms", f"{count:,} notifications: median"
        )
        for name, which, part, whose in (
            ("flatness", 1, 0, "median"),
            ("flatness_p95", 1, 1, "p95"),
            ("flatness_heavy", 2, 0, f"median of a user with {heavy_has:,}"),
            ("flatness_heavy_p95", 2, 1, f"p95 of a user with {heavy_has:,}"),
        ):
            ratio = median(each[which][part] / each[0][part] for each in measured)
            results.add(f"{figure}_{name}", ratio, "x", f"{whose}; {turns}")


def _round(side: Side, path: Callable[[int], str]) -> tuple[float, float]:
    """Median and p95 of a round of requests by chance users."""
    chosen = [random.choice(side.clients) for _ in range(REQUESTS)]  # noqa: S311 - a load, not a secret
    times = [client.time("GET", path(user_id)) for user_id, client in chosen]
    return median(times), percentile(times, 0.95)


def _measure_marking(results: Results, client: Client, count: int) -> None:
    """All read, and all unread again, in turn; only the first is told."""
    path = f"/v1/users/{UNREAD}/notifications"
    times = []
    for _ in range(3 if is_quick() else 9):
        times.append(client.time("PATCH", path, {"meta": {"is-read": True}}))
        client.time("PATCH", path, {"meta": {"is-read": False}})
    results.add("mark_all_ms", median(times), "ms", f"PATCH that marks {count:,} read, in the large table")


def _measure_not_modified(results: Results, port: int, asking: list[tuple[int, str]]) -> None:
    """Requests per second with the ETag that is still true, and without one."""
    plain, known = [], []
    for user_id, token in asking:
        headers = {"Authorization": f"JWT {token}", "Accept": MEDIA_TYPE}
        path = inbox_path(user_id)
        plain.append(request(path, headers))
        known.append(request(path, {**headers, "If-None-Match": _etag(port, path, headers)}))
    pairs = []
    for _ in range(3 if is_quick() else 6):
        fresh = hammer(port, plain, CONNECTIONS, SECONDS)
        same = hammer(port, known, CONNECTIONS, SECONDS, status=304)
        pairs.append((same.rate, fresh.rate))
    results.add("not_modified_rate", median(same for same, _ in pairs[1:]), "requests/s", "pages answered with 304")
    ratio = median(same / fresh for same, fresh in pairs[1:])
    results.add("not_modified_ratio", ratio, "x", f"the same pages answered with 200; {CONNECTIONS} connections")


def _etag(port: int, path: str, headers: dict[str, str]) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    etag = answer.getheader("ETag")
    if etag is None:
        raise RuntimeError(f"{path} has no ETag")
    return etag
