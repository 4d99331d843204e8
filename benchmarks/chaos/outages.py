"""What the workers need goes away in the middle: the broker, the database, the mail server. And a crowd of workers."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Final

import redis

from benchmarks.chaos.report import Outcome, Report
from benchmarks.chaos.scene import LEASE, Scene

MAILS: Final = 2000
CROWD: Final = 8
WORKERS: Final = {"worker": 2}
# Where a worker is when it falls asleep is chance: it is tried more than once.
FREEZES: Final = 3


def crowd(scene: Scene, report: Report, count: int) -> None:
    """Eight processes send side by side."""
    with scene.workers({"crowd": CROWD}):
        scene.begin()
        scene.queue(count)
        scene.wait_until_over()
        report.add(Outcome(f"{CROWD} processes at once", scene.account(), 0, (), may_double=False))


def broker(scene: Scene, report: Report) -> None:
    """Valkey is emptied, and later ended and started."""
    with scene.workers(WORKERS):
        during(scene, report, "Valkey emptied", lambda: empty_broker(scene), may_double=False)
        during(scene, report, "Valkey restarted", lambda: restart_broker(scene), may_double=False)


def database(scene: Scene, report: Report) -> None:
    """PostgreSQL is ended as an operator does, and in another run killed."""
    with scene.workers(WORKERS):
        during(scene, report, "PostgreSQL restarted", lambda: restart_database(scene))
        during(scene, report, "PostgreSQL killed and started", lambda: kill_database(scene))


def mail_server(scene: Scene, report: Report, seconds: float) -> None:
    """The mail server dies, and is away for a while."""
    with scene.workers(WORKERS):
        during(scene, report, f"mail server away for {seconds:.0f} s", lambda: away(scene, seconds))


def frozen(scene: Scene, report: Report) -> None:
    """A worker is stopped in the middle for longer than its lease, as with a virtual machine, and wakes up again."""
    with scene.workers({"worker": 1, "frozen": 1}):
        for number in range(FREEZES):
            during(
                scene, report, f"a worker asleep past its lease ({number + 1})", lambda: freeze(scene), mails=MAILS // 2
            )


def freeze(scene: Scene) -> None:
    """Stop all processes of a worker, until others have taken over."""
    family = scene.stage.stack.pid("frozen")
    os.killpg(family, signal.SIGSTOP)
    time.sleep(LEASE + 2.0)
    os.killpg(family, signal.SIGCONT)


def empty_broker(scene: Scene) -> None:
    """FLUSHALL."""
    with redis.Redis.from_url(scene.stage.stack.env["REDIS_URL"]) as client:
        client.flushall()


def restart_broker(scene: Scene) -> None:
    """Empty it, end it and start it."""
    empty_broker(scene)
    scene.stage.stack.stop_part("valkey")
    scene.restart_server("valkey")


def restart_database(scene: Scene) -> None:
    """End it fast, as an operator does, and start it."""
    scene.stage.stack.stop_part("postgres")
    scene.restart_server("postgres")


def kill_database(scene: Scene) -> None:
    """SIGKILL to PostgreSQL's first process, and start it."""
    os.kill(scene.stage.stack.pid("postgres"), signal.SIGKILL)
    scene.stage.stack.stop_part("postgres")
    scene.restart_server("postgres")


def away(scene: Scene, seconds: float) -> None:
    """The mail server is away for so long."""
    scene.stage.stack.stop_part("recorder")
    time.sleep(seconds)
    scene.start_recorder()


def during(
    scene: Scene,
    report: Report,
    name: str,
    harm: Callable[[], None],
    *,
    mails: int = MAILS,
    may_double: bool = True,
) -> None:
    """Do the harm when a quarter has arrived, and wait for the end of all mails."""
    scene.begin()
    scene.queue(mails)
    scene.wait_for_arrivals(mails // 4)
    harm()
    well_at = time.monotonic()
    scene.wait_until_over()
    report.add(Outcome(name, scene.account(), 0, (time.monotonic() - well_at,), may_double))
