"""Runs the benchmarks that are named, or all of them."""

from __future__ import annotations

import sys

from benchmarks import drain, inbox, overhead
from benchmarks.peers.__main__ import BENCHMARKS as PEERS
from benchmarks.peers.environment import PeerError
from benchmarks.results import Results
from benchmarks.stage import stage

BENCHMARKS = {"drain": drain.run, "inbox": inbox.run, "overhead": overhead.run, **PEERS}


def main(names: list[str]) -> int:
    """Run them one after the other, each on a stage of its own."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        sys.stderr.write(f"No such benchmark: {', '.join(unknown)}. There are: {', '.join(BENCHMARKS)}.\n")
        return 2
    results = Results()
    for name in names or BENCHMARKS:
        print(f"{name} …", flush=True)
        try:
            with stage() as running:
                BENCHMARKS[name](running, results)
        except PeerError as error:
            sys.stderr.write(f"{error}\n")
            return 1
        results.write()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
