"""PgBouncer before PostgreSQL, by session and by transaction: what it costs, and that a worker sends through it."""

from __future__ import annotations

import os
import signal
from statistics import median
from typing import Final

from sqlalchemy import URL, make_url, text

from app.embedded.ports import LOOPBACK, Ports
from app.embedded.privileges import server_account, wrap
from app.models import db
from benchmarks.load import hammer
from benchmarks.mails import queue
from benchmarks.peers.ours import send_to
from benchmarks.results import Results
from benchmarks.scaling.common import CONNECTIONS, pages, populate, serve, start_worker
from benchmarks.sink import Sink
from benchmarks.stage import Stage

ROUNDS: Final = 5
MAILS: Final = 500
# Connections to PostgreSQL that all processes share.
POOL: Final = 8
PATIENCE: Final = 60.0


def run(stage: Stage, results: Results) -> None:
    """Direct, by session and by transaction take turns; then a worker drains through each."""
    populate(1000, 200)
    requests = pages(1000)
    url = make_url(stage.stack.env["DATABASE_URL"])
    urls = {"direct": url} | {mode: _start(stage, url, mode) for mode in ("session", "transaction")}
    ports = {
        name: serve(stage, f"web-{name}", 1, DATABASE_URL=each.render_as_string(hide_password=False))
        for name, each in urls.items()
    }
    for port in ports.values():
        hammer(port, requests, CONNECTIONS, 1)
    rounds = [
        {name: hammer(port, requests, CONNECTIONS, 2).rate for name, port in ports.items()} for _ in range(ROUNDS)
    ]
    for mode in ("session", "transaction"):
        ratio = median(each[mode] / each["direct"] for each in rounds)
        of = "pages of the inbox per second, of one web process / without PgBouncer"
        results.add(f"scaling_pooler_{mode}", ratio, "x", of)
    for name in ports:
        stage.stack.stop_part(f"web-{name}")
    with Sink() as sink:
        send_to(sink.port)
        for mode in ("session", "transaction"):
            sent = _drain(stage, sink, urls[mode], mode)
            results.add(f"scaling_pooler_{mode}_mails", sent, "mails", f"sent of {MAILS} by a worker: pool_mode {mode}")


def _start(stage: Stage, url: URL, mode: str) -> URL:
    """Start a PgBouncer before the database, and return its address."""
    folder = stage.stack.data_dir / f"pgbouncer-{mode}"
    folder.mkdir()
    port = Ports(stage.stack.data_dir).choose(f"bench-{mode}")
    (folder / "users.txt").write_text(f'"{url.username}" "{url.password}"\n', encoding="utf-8")
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n* = host={LOOPBACK} port={url.port}\n[pgbouncer]\nlisten_addr = {LOOPBACK}\n"
        f"listen_port = {port}\nunix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {folder}/users.txt\n"
        f"pool_mode = {mode}\ndefault_pool_size = {POOL}\nmax_client_conn = 500\n",
        encoding="utf-8",
    )
    account = server_account(stage.stack.data_dir / "postgres")
    for path in (folder, *folder.iterdir()):
        path.chmod(0o700 if path.is_dir() else 0o600)
        if account:
            os.chown(path, account.uid, account.gid)
    command = ["pgbouncer", str(folder / "pgbouncer.ini")]
    stage.stack.add(f"pgbouncer-{mode}", wrap(command, signal.SIGTERM, account), cwd="/")
    return url.set(port=port)


def _drain(stage: Stage, sink: Sink, url: URL, mode: str) -> int:
    """How many of the mails a worker sends through it, and writes the outcomes of."""
    sink.reset()
    queue(MAILS)
    name = f"worker-{mode}"
    start_worker(stage, name, DATABASE_URL=url.render_as_string(hide_password=False))
    stage.app.extensions["celery"].send_task("usher.drain", queue="usher")
    stage.stack.wait_until(lambda: _sent() == MAILS, f"{MAILS} mails through PgBouncer ({mode})", PATIENCE)
    stage.stack.stop_part(name)
    return _sent()


def _sent() -> int:
    count = db.session.scalar(text("SELECT count(*) FROM mails WHERE status = 'sent'"))
    db.session.rollback()
    return int(count or 0)
