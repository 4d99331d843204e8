"""Runs the benchmarks of this package that are named, or all: `python -m benchmarks.peers [NAME…]`.

With BENCH_QUICK=1 they only rehearse: small counts, and `results.json` stays as it is.
"""

from __future__ import annotations

import os
import sys

from benchmarks.peers import claiming, draining, handover, queueing
from benchmarks.peers.environment import PeerError
from benchmarks.peers.scale import is_quick
from benchmarks.results import Results
from benchmarks.stage import stage

BENCHMARKS = {"queueing": queueing.run, "draining": draining.run, "handover": handover.run, "claiming": claiming.run}


def main(names: list[str]) -> int:
    """Run them one after the other, each on a stage of its own."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        sys.stderr.write(f"No such benchmark: {', '.join(unknown)}. There are: {', '.join(BENCHMARKS)}.\n")
        return 2
    results = Results()
    for name in names or BENCHMARKS:
        print(f"{name} … (load {os.getloadavg()[0]:.1f})", flush=True)
        try:
            with stage() as running:
                BENCHMARKS[name](running, results)
        except PeerError as error:
            sys.stderr.write(f"{error}\n")
            return 1
        if not is_quick():
            results.write()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
