"""Runs the steps that are named, or all of them, each on a stage of its own; figures go to `scaling.json`."""

from __future__ import annotations

import shutil
import sys

from benchmarks.quote import SCALING, quote
from benchmarks.results import Results
from benchmarks.scaling import broker, cluster, gateways, partitions, pooler, replica, shards, sizes, webs
from benchmarks.stage import stage

STEPS = {
    "sizes": sizes.run,
    "webs": webs.run,
    "gateways": gateways.run,
    "pooler": pooler.run,
    "replica": replica.run,
    "partitions": partitions.run,
    "broker": broker.run,
    "cluster": cluster.run,
    "shards": shards.run,
}
# What a step needs besides ours.
NEEDED = {"pooler": "pgbouncer", "broker": "rabbitmq-server"}


def main(names: list[str]) -> int:
    """Run them one after the other; 1 if one could not be run, 2 if there is none of that name."""
    unknown = [name for name in names if name not in STEPS]
    if unknown:
        sys.stderr.write(f"No such step: {', '.join(unknown)}. There are: {', '.join(STEPS)}.\n")
        return 2
    results, code = Results(), 0
    for name in names or STEPS:
        print(f"{name} …", flush=True)
        program = NEEDED.get(name)
        if program and not shutil.which(program):
            sys.stderr.write(f"{name} needs {program} (Debian: apt install {program}).\n")
            code = 1
            continue
        with stage() as running:
            STEPS[name](running, results)
        results.write(SCALING)
        quote()
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
