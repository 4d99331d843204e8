"""Workers that die: at every fault point, and all at once at any moment."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import Final

from app.delivery.faults import AFTER_DATA_ACCEPTED, BEFORE_WRITE, FAULT_POINTS
from benchmarks.chaos.accounts import Account
from benchmarks.chaos.report import Outcome, Report
from benchmarks.chaos.scene import Scene

MAILS: Final = 200
# Deaths in one round at a fault point, one after the other.
DEATHS: Final = 2
WORKERS: Final = {"worker-1": 1, "worker-2": 1}
# Points before which the mail server has surely taken nothing, so that nothing can be doubled.
_SAFE: Final = frozenset(FAULT_POINTS) - {AFTER_DATA_ACCEPTED, BEFORE_WRITE}


@dataclass
class _Sum:
    """The rounds of one kind so far."""

    account: Account = field(default_factory=Account)
    deaths: int = 0
    recovery: list[float] = field(default_factory=list)

    def outcome(self, name: str, *, may_double: bool) -> Outcome:
        return Outcome(name, self.account, self.deaths, tuple(self.recovery), may_double)


def at_every_point(scene: Scene, report: Report, rounds: int, chance: random.Random) -> None:
    """Rounds of 200 mails and two workers; in each, two processes die at one fault point, at chance moments."""
    sums = {point: _Sum() for point in FAULT_POINTS}
    with scene.workers(WORKERS):
        for number in range(rounds):
            point = FAULT_POINTS[number % len(FAULT_POINTS)]
            moments = sorted(chance.randrange(MAILS * 3 // 4) for _ in range(DEATHS))
            _round(scene, [(moment, point) for moment in moments], sums[point])
    for point, total in sums.items():
        if total.account.mails:
            report.add(total.outcome(f"killed {point}", may_double=point not in _SAFE))


def once_at_each(scene: Scene, report: Report) -> None:
    """One round in which a process dies at each fault point, one after the other."""
    total = _Sum()
    _round(scene, [(10 + 25 * number, point) for number, point in enumerate(FAULT_POINTS)], total)
    report.add(total.outcome("killed once at each point", may_double=True))


def _round(scene: Scene, plan: list[tuple[int, str]], total: _Sum) -> None:
    """Let a process die at each of the points, when so many mails have arrived."""
    scene.begin()
    scene.queue(MAILS)
    died_at = time.monotonic()
    for moment, point in plan:
        scene.wait_for_arrivals(moment)
        order = scene.arm(point)
        scene.wait(lambda order=order: not order.exists() or scene.is_over(), f"a death {point}")  # type: ignore[misc]
        if not order.exists():
            total.deaths += 1
            died_at = time.monotonic()
        order.unlink(missing_ok=True)
    scene.wait_until_over()
    total.recovery.append(time.monotonic() - died_at)
    total.account += scene.account()


def all_at_once(scene: Scene, report: Report, rounds: int, chance: random.Random) -> None:
    """Rounds in which the machine with the workers dies at a chance moment, and comes up again."""
    total = _Sum()
    for _ in range(rounds):
        scene.begin()
        for name, processes in WORKERS.items():
            scene.start_worker(name, processes)
        scene.queue(MAILS)
        scene.wait_for_arrivals(chance.randrange(MAILS * 3 // 4))
        for name in WORKERS:
            scene.kill_worker(name)
        died_at = time.monotonic()
        for name, processes in WORKERS.items():
            scene.start_worker(name, processes)
        scene.wait_until_over()
        total.recovery.append(time.monotonic() - died_at)
        total.deaths += len(WORKERS)
        total.account += scene.account()
        for name in WORKERS:
            scene.stage.stack.stop_part(name)
    report.add(total.outcome("both workers killed and started again", may_double=True))
