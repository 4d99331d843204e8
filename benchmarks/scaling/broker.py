"""RabbitMQ in place of Redis as Celery's broker: from the commit to the mail server with each of them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from typing import Final

from app.embedded.ports import LOOPBACK, Ports
from benchmarks.peers.clocked_sink import ClockedSink
from benchmarks.peers.handover import WARM_UP, milliseconds
from benchmarks.peers.ours import send_to
from benchmarks.results import Results
from benchmarks.scaling.common import start_worker
from benchmarks.stage import Stage
from benchmarks.stage import stage as make_stage

MAILS: Final = 100
# Debian's wrapper changes to an account that owns other folders than ours.
PROGRAM: Final = "/usr/lib/rabbitmq/bin/rabbitmq-server"


def run(stage: Stage, results: Results) -> None:
    """First Redis, then RabbitMQ on the same database."""
    with ClockedSink() as sink:
        send_to(sink.port)
        _measure(stage, results, sink, "redis")
        with _rabbitmq(stage) as url, make_stage(BROKER_URL=url) as other:
            _measure(other, results, sink, "rabbitmq")


def _measure(stage: Stage, results: Results, sink: ClockedSink, name: str) -> None:
    start_worker(stage, f"worker-{name}")
    for _ in range(WARM_UP):
        milliseconds(sink)
    cuts = quantiles([milliseconds(sink) for _ in range(MAILS)], n=100, method="inclusive")
    of = f"{MAILS} mails, one at a time: from calling commit to MAIL FROM at the sink"
    results.add(f"scaling_broker_{name}_p50_ms", cuts[49], "ms", of)
    results.add(f"scaling_broker_{name}_p99_ms", cuts[98], "ms", of)
    stage.stack.stop_part(f"worker-{name}")


@contextmanager
def _rabbitmq(stage: Stage) -> Iterator[str]:
    """One node of its own, on this host only; its address."""
    folder = stage.stack.data_dir / "rabbitmq"
    folder.mkdir()
    ports = Ports(stage.stack.data_dir)
    port, distribution, mapper = (ports.choose(f"bench-rabbit-{name}") for name in ("amqp", "dist", "epmd"))
    environ = {
        "HOME": str(folder),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_NODENAME": f"bench{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": LOOPBACK,
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "ERL_EPMD_PORT": str(mapper),
        "ERL_EPMD_ADDRESS": LOOPBACK,
    }
    stage.stack.add("rabbitmq", [PROGRAM], env=environ, cwd=folder)
    stage.stack.wait_until(lambda: _answers(port), "RabbitMQ", 120)
    try:
        yield f"amqp://guest:guest@{LOOPBACK}:{port}//"
    finally:
        stage.stack.stop_part("rabbitmq")
        # The node leaves Erlang's port mapper behind, which it has started.
        subprocess.run(
            [_epmd(), "-port", str(mapper), "-kill"], env={**os.environ, **environ}, check=False, capture_output=True
        )


def _answers(port: int) -> bool:
    """Whether it speaks AMQP: it says which version when it is greeted with none."""
    try:
        with socket.create_connection((LOOPBACK, port), 1) as connection:
            connection.sendall(b"AMQP\x00\x00\x00\x00")
            return connection.recv(4) == b"AMQP"
    except OSError:
        return False


def _epmd() -> str:
    found = shutil.which("epmd") or next(map(str, Path("/usr/lib/erlang").glob("erts-*/bin/epmd")))
    return str(found)
