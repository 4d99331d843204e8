"""What the workers need goes away in the middle: the broker, the database, the mail server. And a crowd of workers."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Final

import redis

from benchmarks.chaos.report import Outcome, Report
from benchmarks.chaos.scene import Scene

MAILS: Final = 2000
# When the harm is done: so many mails have arrived.
MIDDLE: Final = 500
CROWD: Final = 8
WORKER: Final = "worker"


def crowd(scene: Scene, report: Report, count: int) -> None:
    """Eight processes send side by side."""
    scene.begin()
    scene.start_worker(WORKER, CROWD)
    scene.queue(count)
    scene.wait_until_over()
    scene.stage.stack.stop_part(WORKER)
    report.add(Outcome(f"{CROWD} processes at once", scene.account(), 0, (), may_double=False))


def broker(scene: Scene, report: Report) -> None:
    """Valkey is emptied, and a little later ended and started."""

    def harm() -> None:
        with redis.Redis.from_url(scene.stage.stack.env["REDIS_URL"]) as client:
            client.flushall()
        scene.wait_for_arrivals(2 * MIDDLE)
        scene.stage.stack.stop_part("valkey")
        scene.restart_server("valkey")

    _during(scene, report, "Valkey emptied, then restarted", harm, may_double=False)


def database(scene: Scene, report: Report) -> None:
    """PostgreSQL is ended as an operator does, and in another run killed."""

    def restart() -> None:
        scene.stage.stack.stop_part("postgres")
        scene.restart_server("postgres")

    def kill() -> None:
        os.kill(scene.stage.stack.pid("postgres"), signal.SIGKILL)
        scene.stage.stack.stop_part("postgres")
        scene.restart_server("postgres")

    _during(scene, report, "PostgreSQL restarted", restart)
    _during(scene, report, "PostgreSQL killed and started", kill)


def mail_server(scene: Scene, report: Report, seconds: float) -> None:
    """The mail server dies, and is away for a while."""

    def harm() -> None:
        scene.stage.stack.stop_part("recorder")
        time.sleep(seconds)
        scene.start_recorder()

    _during(scene, report, f"mail server away for {seconds:.0f} s", harm)


def _during(scene: Scene, report: Report, name: str, harm: Callable[[], None], *, may_double: bool = True) -> None:
    """Do the harm while two processes send, and wait for the end of all mails."""
    scene.begin()
    scene.start_worker(WORKER, 2)
    scene.queue(MAILS)
    scene.wait_for_arrivals(MIDDLE)
    harm()
    well_at = time.monotonic()
    scene.wait_until_over()
    seconds = time.monotonic() - well_at
    scene.stage.stack.stop_part(WORKER)
    report.add(Outcome(name, scene.account(), 0, (seconds,), may_double))
