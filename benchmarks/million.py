"""`fanout_million_mib`, `fanout_web_p95_ratio`: a worker tells 1,000,000 users while others read their inboxes."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Final

import psutil
from sqlalchemy import text

from app.api.helpers.happenings import notify_happening
from app.auth.tokens import login_token
from app.happenings.audience import everyone
from app.happenings.types import EventType, declare
from app.models import Fanout, User, db
from app.models.fanout import TOLD
from benchmarks.http import MEDIA_TYPE
from benchmarks.inbox import inbox_path
from benchmarks.load import paced, percentile, request
from benchmarks.peers.scale import is_quick
from benchmarks.people import Heap, add_happenings, add_users, fill
from benchmarks.results import Results
from benchmarks.stage import Stage

USERS: Final = 1_000_000
ASKING: Final = 50
HAVE: Final = 200
# Requests per second for pages of the inbox, over so many connections: a load that leaves the machine room to work.
RATE: Final = 40.0
CONNECTIONS: Final = 8
SECONDS: Final = 15.0
# Seconds that all may take.
PATIENCE: Final = 900.0


@dataclass
class Peak:
    """The most memory that a worker had, in bytes, looked at four times a second.

    Attributes:
        pid: of its main process, which takes the tasks; its child does the work.
        child: resident memory of the child, with what it shares.
        all: of both; what they share is counted once.
    """

    pid: int
    child: int = 0
    all: int = 0
    _is_over: Event = field(default_factory=Event)

    def watch(self) -> Thread:
        """Look from now on, in a thread, until `end`."""
        thread = Thread(target=self._look, daemon=True)
        thread.start()
        return thread

    def end(self) -> None:
        """Look no more."""
        self._is_over.set()

    def _look(self) -> None:
        process = psutil.Process(self.pid)
        while not self._is_over.wait(0.25):
            children = process.children(recursive=True)
            self.child = max([self.child, *(each.memory_info().rss for each in children)])
            self.all = max(self.all, sum(each.memory_full_info().pss for each in (process, *children)))


def run(stage: Stage, results: Results) -> None:
    """Load before, load meanwhile; the worker's memory all the time."""
    users = 20_000 if is_quick() else USERS
    in_app = declare(EventType("benchmarks.million.app", "Closed")).name
    _prepare(users)
    stage.application.start_web()
    stage.stack.wait_until(stage.application.is_ready, "the web server")
    stage.application.start_worker("bench-worker")
    stage.application.start_beat()
    requests = [_request(number * users // ASKING) for number in range(1, ASKING + 1)]
    port = stage.application.port
    paced(port, requests, CONNECTIONS, 3, RATE)
    before = paced(port, requests, CONNECTIONS, SECONDS, RATE).latencies
    peak = Peak(stage.stack.pid("bench-worker"))
    watcher = peak.watch()
    begun = time.monotonic()
    happening = notify_happening(in_app, "Closed", "<p>The harbour is closed.</p>", users=everyone())
    db.session.commit()
    happening_id, during = happening.id, list[float]()
    while _progress(happening_id) != TOLD:
        during += paced(port, requests, CONNECTIONS, 2, RATE).latencies
        if time.monotonic() - begun > PATIENCE:
            raise RuntimeError(f"{users} users were not told within {PATIENCE:.0f} s")
    seconds = _seconds(happening_id)
    peak.end()
    watcher.join()
    stage.stack.stop_part("bench-worker")
    whom = f"{users:,} users told in the app by one worker process"
    load = f"{RATE:.0f} inbox pages a second meanwhile, gunicorn with two workers on the same machine"
    results.add("fanout_million_s", seconds, "s", f"{whom}, from the commit to the last; {load}")
    results.add("fanout_million_mib", peak.child / 2**20, "MiB", f"the most that its process had resident: {whom}")
    results.add("fanout_million_all_mib", peak.all / 2**20, "MiB", f"the same with Celery's main process: {whom}")
    p95_before, p95_during = percentile(before, 0.95), percentile(during, 0.95)
    results.add("fanout_web_p95_ms", p95_during, "ms", f"pages of the inbox: {load}")
    results.add("fanout_web_p95_ratio", p95_during / p95_before, "x", f"before, {p95_before:.1f} ms; {load}")


def _prepare(users: int) -> None:
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        add_users(connection, 1, users)
        add_happenings(connection, HAVE)
        heaps = [Heap((number * users // ASKING,) * 2, HAVE) for number in range(1, ASKING + 1)]
        fill(connection, tuple(heaps), steps=1)
        connection.execute(text("VACUUM ANALYZE happenings, users"))


def _request(user_id: int) -> bytes:
    token = login_token(db.session.get_one(User, user_id))
    db.session.rollback()
    return request(inbox_path(user_id), {"Authorization": f"JWT {token}", "Accept": MEDIA_TYPE})


def _progress(happening_id: int) -> str:
    """How far it has come, which is printed."""
    fanout = db.session.get_one(Fanout, happening_id)
    state = fanout.state
    print(f"  {state}: {fanout.done:,} of {fanout.recipients or 0:,}", flush=True)
    db.session.rollback()
    return state


def _seconds(happening_id: int) -> float:
    fanout = db.session.get_one(Fanout, happening_id)
    if fanout.finished_at is None or fanout.notifications != fanout.recipients:
        raise RuntimeError(f"{fanout.notifications} of {fanout.recipients} were told")
    seconds = (fanout.finished_at - fanout.created_at).total_seconds()
    db.session.rollback()
    return seconds
