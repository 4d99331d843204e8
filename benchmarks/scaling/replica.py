"""A read replica: made with pg_basebackup, and read by a web server; how far it is behind."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from statistics import median
from typing import Final

from sqlalchemy import URL, Engine, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from app.embedded.ports import LOOPBACK, Ports
from app.embedded.postgres import binary
from app.embedded.privileges import popen_account, server_account, wrap
from app.happenings.declared import PLATFORM_BROADCAST
from app.models import db
from benchmarks.load import hammer, percentile
from benchmarks.peers.fanout import tell_everyone
from benchmarks.results import Results
from benchmarks.scaling.common import CONNECTIONS, pages, populate, serve
from benchmarks.stage import Stage

USERS: Final = 50_000
PATIENCE: Final = 60.0
_MARK: Final = text("UPDATE users SET last_name = :mark WHERE id = 1")
_SEEN: Final = text("SELECT last_name FROM users WHERE id = 1")


def run(stage: Stage, results: Results) -> None:
    """Copy, follow, measure the lag when idle and after a fan-out, and read inboxes from it."""
    populate(1000, 200)
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(
            text(
                "INSERT INTO users (email, is_verified) "
                "SELECT 'more' || n || '@example.org', true FROM generate_series(1001, :last) AS n"
            ),
            {"last": USERS},
        )
    url = stage.stack.env["DATABASE_URL"]
    replica_url = _start(stage, url)
    engine = create_engine(replica_url, isolation_level="AUTOCOMMIT")
    lags = [_lag(engine, str(number)) for number in range(100)]
    results.add("scaling_replica_lag_p50_ms", median(lags), "ms", "from a commit until the replica shows it, idle")
    results.add("scaling_replica_lag_p99_ms", percentile(lags, 0.99), "ms", "the same: 99 of 100 within")
    behind = []
    for number in range(3):
        tell_everyone(PLATFORM_BROADCAST, USERS)
        behind.append(_lag(engine, f"after {number}"))
    results.add("scaling_replica_behind_ms", median(behind), "ms", f"the same, at once after {USERS:,} were told")
    requests = pages(1000)
    ports = [serve(stage, "web-primary", 1), serve(stage, "web-replica", 1, DATABASE_URL=replica_url)]
    for port in ports:
        hammer(port, requests, CONNECTIONS, 1)
    pairs = [[hammer(port, requests, CONNECTIONS, 2).rate for port in ports] for _ in range(5)]
    results.add(
        "scaling_replica_reads",
        median(copy / first for first, copy in pairs),
        "x",
        "pages of the inbox per second read from the replica / from the primary",
    )
    engine.dispose()
    for part in ("web-replica", "replica"):
        stage.stack.stop_part(part)


def _start(stage: Stage, url: str) -> str:
    """Make a copy that follows, and return its address."""
    parts = make_url(url)
    folder = stage.stack.data_dir / "replica"
    account = server_account(stage.stack.data_dir / "postgres")
    environ = {**os.environ, "PGPASSWORD": parts.password or ""}
    command = [
        *(str(binary("pg_basebackup")), "--pgdata", str(folder), "--write-recovery-conf", "--checkpoint", "fast"),
        *("--host", LOOPBACK, "--port", str(parts.port), "--username", parts.username or ""),
    ]
    folder.mkdir(mode=0o700)
    if account:
        os.chown(folder, account.uid, account.gid)
    subprocess.run(wrap(command, signal.SIGINT, account), check=True, env=environ, cwd="/", **popen_account(account))
    port = Ports(stage.stack.data_dir).choose("bench-replica")
    options = [word for option in (f"port={port}", f"listen_addresses={LOOPBACK}") for word in ("-c", option)]
    server = [str(binary("postgres")), "-D", str(folder), *options, "-c", "unix_socket_directories="]
    stage.stack.add("replica", wrap(server, signal.SIGINT, account), cwd="/")
    stage.stack.wait_until(lambda: _is_ready(parts.set(port=port)), "the replica")
    return parts.set(port=port).render_as_string(hide_password=False)


def _is_ready(url: URL) -> bool:
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return bool(connection.scalar(text("SELECT pg_is_in_recovery()")))
    except OperationalError:
        return False
    finally:
        engine.dispose()


def _lag(engine: Engine, mark: str) -> float:
    """Milliseconds from a commit on the primary until the replica shows it."""
    db.session.execute(_MARK, {"mark": mark})
    db.session.commit()
    begun = time.perf_counter()
    with engine.connect() as connection:
        while connection.scalar(_SEEN) != mark:
            if time.perf_counter() - begun > PATIENCE:
                raise RuntimeError(f"the replica is more than {PATIENCE:.0f} s behind")
    return 1000 * (time.perf_counter() - begun)
