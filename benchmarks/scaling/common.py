"""What the steps share: people with full inboxes, who ask for them."""

from __future__ import annotations

from sqlalchemy import text

from app.auth.tokens import login_token
from app.embedded.application import BIN, ROOT, Application
from app.embedded.ports import LOOPBACK, Ports
from app.models import User, db
from benchmarks.http import MEDIA_TYPE
from benchmarks.inbox import inbox_path
from benchmarks.load import request
from benchmarks.people import Heap, add_happenings, add_users, fill
from benchmarks.stage import Stage

CONNECTIONS = 16


def populate(users: int, each: int) -> None:
    """So many users, each with so many notifications."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        add_users(connection, 1, users)
        add_happenings(connection, each)
        fill(connection, (Heap((1, users), each),))
        connection.execute(text("VACUUM ANALYZE happenings, users"))


def pages(users: int, asking: int = 50) -> list[bytes]:
    """Requests for the inboxes of so many of the users."""
    found = []
    for number in range(1, asking + 1):
        user_id = number * users // asking
        headers = {"Authorization": f"JWT {login_token(db.session.get_one(User, user_id))}", "Accept": MEDIA_TYPE}
        found.append(request(inbox_path(user_id), headers))
    db.session.rollback()
    return found


def serve(stage: Stage, name: str, processes: int, **environ: str) -> int:
    """Start a web server of so many processes, and return its port."""
    port = Ports(stage.stack.data_dir).choose(f"bench-{name}")
    server = Application(stage.stack, port, stage.application.environ)
    options = ["--bind", f"{LOOPBACK}:{port}", "--workers", str(processes), "--threads", "4", "--no-control-socket"]
    stage.stack.add(name, [str(BIN / "gunicorn"), "manage:app", *options], env={**server.env, **environ}, cwd=ROOT)
    stage.stack.wait_until(server.is_ready, f"the web server {name}")
    return port


def start_worker(stage: Stage, name: str, **environ: str) -> None:
    """Start a worker of one process."""
    options = ["--concurrency", "1", "--loglevel", "WARNING", "--without-gossip", "--without-mingle"]
    argv = [str(BIN / "celery"), "-A", "celery_worker.celery", "worker", "--hostname", f"{name}@usher", *options]
    stage.stack.add(name, argv, env={**stage.application.env, **environ}, cwd=ROOT)
