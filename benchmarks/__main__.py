"""Runs the benchmarks that are named, or all of them, each on a stage of its own.

With BENCH_QUICK=1 those against a peer only rehearse with small counts, and `results.json` and the documents that
quote it stay as they are.
"""

from __future__ import annotations

import os
import sys
import time

from benchmarks import drain, inbox, memory, million, overhead, streams
from benchmarks.peers import claiming, draining, fanout, handover, inboxes, queueing
from benchmarks.peers.environment import PeerError
from benchmarks.peers.scale import is_quick
from benchmarks.quote import quote
from benchmarks.results import Results
from benchmarks.stage import stage

BENCHMARKS = {
    "drain": drain.run,
    "queueing": queueing.run,
    "draining": draining.run,
    "handover": handover.run,
    "claiming": claiming.run,
    "memory": memory.run,
    "inbox": inbox.run,
    "inboxes": inboxes.run,
    "overhead": overhead.run,
    "fanout": fanout.run,
    "streams": streams.run,
    "million": million.run,
}


def main(names: list[str]) -> int:
    """Run them one after the other; 1 if one could not be run, 2 if there is none of that name."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        sys.stderr.write(f"No such benchmark: {', '.join(unknown)}. There are: {', '.join(BENCHMARKS)}.\n")
        return 2
    results, code = Results(), 0
    for name in names or BENCHMARKS:
        # Others at work on the machine are the first thing to know about a figure that surprises.
        print(f"{name} … (load {os.getloadavg()[0]:.1f})", flush=True)
        begun = time.monotonic()
        try:
            with stage() as running:
                BENCHMARKS[name](running, results)
        except PeerError as error:
            sys.stderr.write(f"{error}\n")
            code = 1
        print(f"  {time.monotonic() - begun:.0f} s", flush=True)
        if not is_quick():
            results.write()
            quote()
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
