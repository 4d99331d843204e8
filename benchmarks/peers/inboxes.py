"""`inbox_vs_peer`, `unread_vs_peer`: requests per second for the unread list of 20 and for the unread count.

The same rows, gunicorn with two workers of four threads, and the same load, in turns.
"""

from __future__ import annotations

from statistics import median
from typing import Final

from sqlalchemy import text

from app.auth.tokens import login_token
from app.embedded.application import Application
from app.embedded.ports import LOOPBACK, Ports, is_free
from app.models import User, db
from benchmarks.http import MEDIA_TYPE
from benchmarks.load import hammer, request
from benchmarks.peers.peer import FOLDER, Community
from benchmarks.peers.scale import is_quick
from benchmarks.people import Heap, add_happenings, add_users, fill
from benchmarks.pictures import bars, save
from benchmarks.results import Results
from benchmarks.stage import Stage

USERS: Final = 1000
ASKING: Final = 50
CONNECTIONS: Final = 8
ROUNDS: Final = 7
SECONDS: Final = 2.0
OUR_PATHS: Final = {
    "inbox": "/v1/users/{}/notifications?filter[is-read]=false&page[size]=20",
    "unread": "/v1/users/{}/notifications/count",
}
PEER_PATHS: Final = {"inbox": "/api/unread_list/?max=20", "unread": "/api/unread_count/"}


def run(stage: Stage, results: Results) -> None:
    """Fill both tables, start both servers, and take turns."""
    each = 50 if is_quick() else 1000
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        add_users(connection, 1, USERS)
        add_happenings(connection, each)
        fill(connection, (Heap((1, USERS), each),))
        connection.execute(text("VACUUM ANALYZE happenings, users"))
    ids = [number * USERS // ASKING for number in range(1, ASKING + 1)]
    stage.application.start_web()
    stage.stack.wait_until(stage.application.is_ready, "the web server")
    with Community(stage) as peer:
        peer.ask("users", count=USERS)
        peer.ask("fill", count=USERS * each, users=USERS)
        cookies = peer.ask("cookies", ids=ids)["cookies"]
        port = _serve(stage, peer)
        for figure in OUR_PATHS:
            ours = [
                request(OUR_PATHS[figure].format(id_), {"Authorization": f"JWT {_token(id_)}", "Accept": MEDIA_TYPE})
                for id_ in ids
            ]
            theirs = [request(PEER_PATHS[figure], {"Cookie": cookie}) for cookie in cookies]
            _measure(results, figure, (stage.application.port, ours), (port, theirs), USERS * each)
        stage.stack.stop_part("web-peer")


def _token(user_id: int) -> str:
    token = login_token(db.session.get_one(User, user_id))
    db.session.rollback()
    return token


def _serve(stage: Stage, peer: Community) -> int:
    """Start the peer's web server with the options of ours, and return its port."""
    port = Ports(stage.stack.data_dir).choose("bench-peer")
    ours = Application(stage.stack, port, {})
    options = ["--bind", f"{LOOPBACK}:{port}", "--workers", "2", "--threads", "4", "--no-control-socket"]
    argv = [str(peer.python.parent / "gunicorn"), "community_side:make_application()", *options]
    stage.stack.add("web-peer", argv, env={**ours.env, **peer.environ}, cwd=FOLDER)
    stage.stack.wait_until(lambda: not is_free(port), "the peer's web server")
    return port


def _measure(
    results: Results, figure: str, ours: tuple[int, list[bytes]], theirs: tuple[int, list[bytes]], rows: int
) -> None:
    rounds = 2 if is_quick() else ROUNDS
    seconds = 0.5 if is_quick() else SECONDS
    pairs = []
    for number in range(rounds + 1):
        pair = tuple(hammer(port, requests, CONNECTIONS, seconds).rate for port, requests in (ours, theirs))
        print(f"  {figure}: Usher {pair[0]:.0f}/s, {Community.name} {pair[1]:.0f}/s", flush=True)
        if number:  # the first round warms up
            pairs.append(pair)
    what = {"inbox": "the unread list of 20", "unread": "the unread count"}[figure]
    of = f"{what}, {rows:,} notifications of {USERS:,} users, gunicorn with two workers, {CONNECTIONS} connections"
    our, their = (median(pair[side] for pair in pairs) for side in (0, 1))
    results.add(f"{figure}_rate", our, "requests/s", of)
    results.add(
        f"{figure}_vs_peer", median(pair[0] / pair[1] for pair in pairs), "x", f"{Community.name}, {their:.0f}/s; {of}"
    )
    title = f"Requests per second: {what}"
    save(f"{figure}-rate", bars(title, [("Usher", our), (Community.name, their)], "requests/s"))
