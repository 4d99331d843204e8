"""`worker_memory_growth`: resident memory of a worker's process after 100,000 mails / after 1,000."""

from __future__ import annotations

from typing import Final

import psutil

from benchmarks.peers.ours import drain, send_to
from benchmarks.peers.scale import is_quick
from benchmarks.results import Results
from benchmarks.sink import Sink
from benchmarks.stage import Stage

FIRST: Final = 1000
TOTAL: Final = 100_000
# So many are queued at a time: what the table holds is not what the worker holds.
CHUNK: Final = 11_000


def run(stage: Stage, results: Results) -> None:
    """One process of a worker sends them all; Celery replaces none of its processes."""
    total = FIRST + CHUNK if is_quick() else TOTAL
    with Sink() as sink:
        send_to(sink.port)
        stage.application.start_worker("bench-worker", processes=1)
        drain(stage, sink, FIRST, 1)
        [process] = psutil.Process(stage.stack.pid("bench-worker")).children()
        before = process.memory_info().rss
        for _ in range((total - FIRST) // CHUNK):
            drain(stage, sink, CHUNK, 1)
            print(f"  {process.memory_info().rss / 2**20:.1f} MiB", flush=True)
        after = process.memory_info().rss
        stage.stack.stop_part("bench-worker")
    results.add("worker_memory_mib", after / 2**20, "MiB", f"resident, after {total} mails by one process")
    results.add("worker_memory_growth", after / before, "x", f"resident after {total} mails / after {FIRST}")
