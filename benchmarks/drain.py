"""`mail_drain_ratio`: one worker process draining the queue / the bare loop, into the same sink."""

from __future__ import annotations

import subprocess
import sys
from statistics import median
from typing import Final

from app.embedded.application import ROOT
from benchmarks.peers.ours import drain, send_to
from benchmarks.results import Results
from benchmarks.sink import Sink
from benchmarks.stage import Stage

MAILS: Final = 5000
ROUNDS: Final = 5


def run(stage: Stage, results: Results) -> None:
    """Alternate the bare loop and the drain, and take the median of the ratios."""
    with Sink() as sink:
        send_to(sink.port)
        stage.application.start_worker("bench-worker", processes=1)
        drain(stage, sink, 200, 1)  # the worker is up, its modules are loaded, its connections are open
        bare, drained = [], []
        for _ in range(ROUNDS):
            bare.append(MAILS / _bare_loop(sink, MAILS))
            drained.append(MAILS / drain(stage, sink, MAILS, 1))
            print(f"  bare loop {bare[-1]:.0f} mails/s, one worker {drained[-1]:.0f} mails/s", flush=True)
        stage.stack.stop_part("bench-worker")
    ratio = median(ours / theirs for ours, theirs in zip(drained, bare, strict=True))
    results.add("mail_drain_rate", median(drained), "mails/s", f"{MAILS} queued mails, one worker process, local sink")
    results.add(
        "mail_bare_loop_rate", median(bare), "mails/s", "marrow Message + smtplib, one kept connection, same sink"
    )
    results.add(
        "mail_drain_ratio", ratio, "x", f"the bare loop, median of {ROUNDS} alternating rounds of {MAILS} mails"
    )


def _bare_loop(sink: Sink, count: int) -> float:
    sink.reset()
    command = [sys.executable, "-m", "benchmarks.bare_loop", str(sink.port), str(count)]
    output = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    if sink.count() != count:
        raise RuntimeError(f"the sink has {sink.count()} of {count} mails")
    return float(output)
