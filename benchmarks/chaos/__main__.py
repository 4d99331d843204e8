"""Runs the scenarios that are named, or all: `python -m benchmarks.chaos [--rounds N] [--full] [--seed N] [NAME…]`.

Ends with 1 if a promise was broken: a mail lost, or doubled without an `uncertain` entry in its timeline.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.chaos import answers, deaths, outages, story
from benchmarks.chaos.report import PATH, Report
from benchmarks.chaos.scene import Scene, scene
from benchmarks.quote import quote

CROWD: Final = 10_000
# Rounds in which all workers die and are started anew: each takes long, and shows less than one at a fault point.
HOST_ROUNDS: Final = 10
# Seconds without a mail server, in full and otherwise.
AWAY: Final = {True: 60.0, False: 10.0}
# The rehearsal: few mails, and a lease that soon runs out.
FEW: Final = 300
SHORT_LEASE: Final = 2.0
Scenario = Callable[[Scene, Report], None]


def scenarios(rounds: int, chance: random.Random, *, is_full: bool) -> dict[str, Scenario]:
    """What can be played, by name."""
    return {
        "everything": story.everything,
        "timeline": story.one_mail,
        "points": partial(deaths.at_every_point, rounds=rounds, chance=chance),
        "hosts": partial(deaths.all_at_once, rounds=min(max(rounds // 4, 1), HOST_ROUNDS), chance=chance),
        "crowd": partial(outages.crowd, count=CROWD),
        "frozen": outages.frozen,
        "broker": outages.broker,
        "database": outages.database,
        "answers": answers.answers,
        "mailserver": partial(outages.mail_server, seconds=AWAY[is_full]),
    }


def play_all(names: list[str], known: dict[str, Scenario], report: Report) -> None:
    """Play them one after the other, each on a scene of its own."""
    for name in names or known:
        print(f"{name} … (load {os.getloadavg()[0]:.1f})", flush=True)
        begun = time.monotonic()
        with scene() as set_up:
            known[name](set_up, report)
        print(f"  {time.monotonic() - begun:.0f} s", flush=True)


def rehearse(report: Report) -> None:
    """A little of everything in half a minute, as the tests want it."""
    with scene(lease=SHORT_LEASE) as set_up:
        set_up.start_workers(deaths.WORKERS)  # the scene's end is theirs
        deaths.once_at_each(set_up, report)
        restart, kill = partial(outages.restart_broker, set_up), partial(outages.kill_database, set_up)
        outages.during(set_up, report, "Valkey restarted", restart, mails=FEW, may_double=False)
        outages.during(set_up, report, "PostgreSQL killed and started", kill, mails=FEW)


def main(argv: list[str]) -> int:
    """Play what is wanted, and report."""
    options = _options(argv)
    chance = random.Random(options.seed)  # noqa: S311 - moments, not secrets
    known = scenarios(options.rounds, chance, is_full=options.full)
    unknown = [name for name in options.names if name not in known]
    if unknown:
        sys.stderr.write(f"No such scenario: {', '.join(unknown)}. There are: {', '.join(known)}.\n")
        return 2
    report = Report()
    if options.rehearse:
        rehearse(report)
    else:
        play_all(options.names, known, report)
    report.tell()
    if options.report:
        report.write(options.report)
    elif not (options.names or options.rehearse):
        report.write(PATH)
        quote()
    return int(report.is_broken)


def _options(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="of the deaths at fault points (default: 20)")
    parser.add_argument("--full", action="store_true", help="take the mail server away for a minute")
    parser.add_argument("--seed", type=int, default=None, help="of the moments at which something dies")
    parser.add_argument("--rehearse", action="store_true", help="only a little of everything, in half a minute")
    parser.add_argument("--report", type=Path, default=None, help="where to write the report")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these scenarios")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
