"""Two realtime gateways on one Redis: a user who is connected to both is told by both, whoever commits."""

from __future__ import annotations

import http.client
import sys
import time
from statistics import median
from typing import Final

from app.auth.tokens import login_token
from app.embedded.application import ROOT
from app.embedded.ports import LOOPBACK, Ports, is_free
from app.models import User, db
from benchmarks.people import add_users
from benchmarks.results import Results
from benchmarks.stage import Stage
from benchmarks.streams import tell

MESSAGES: Final = 50


def run(stage: Stage, results: Results) -> None:
    """One message after the other; each is waited for on both connections."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        add_users(connection, 1, 1)
    token = login_token(db.session.get_one(User, 1))
    db.session.rollback()
    streams = [_connect(_start(stage, name), token) for name in ("gateway-one", "gateway-two")]
    slower = []
    for _ in range(MESSAGES):
        begun = tell([1])
        for stream in streams:
            _next_message(stream)
        slower.append((time.monotonic_ns() - begun) / 1e6)
    results.add(
        "scaling_gateways_ms", median(slower), "ms", f"from the commit until both gateways had told it, of {MESSAGES}"
    )
    results.add("scaling_gateways_told", 2 * len(slower), "messages", f"of {2 * MESSAGES}, through two gateways")


def _start(stage: Stage, name: str) -> int:
    port = Ports(stage.stack.data_dir).choose(f"bench-{name}")
    stage.stack.add(name, [sys.executable, "-m", "app.realtime", "--port", str(port)], cwd=ROOT)
    stage.stack.wait_until(lambda: not is_free(port), name)
    return port


def _connect(port: int, token: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=30)
    headers = {"Authorization": f"JWT {token}", "Accept": "text/event-stream"}
    connection.request("GET", "/v1/users/1/notifications/stream", headers=headers)
    answer = connection.getresponse()
    if answer.status != http.client.OK:
        raise RuntimeError(f"{answer.status}: {answer.read()!r}")
    return answer


def _next_message(stream: http.client.HTTPResponse) -> None:
    """Wait for a message: what is said of the connection itself, and heartbeats, are none."""
    while line := stream.readline():
        if line.startswith(b"event: notification"):
            return
    raise RuntimeError("a gateway has ended the stream")
