"""`mail_drain_ratio`: one worker process draining the queue / the bare loop, into the same sink."""

from __future__ import annotations

import subprocess
import sys
import time
from statistics import median
from typing import Final

from sqlalchemy import select, text

from app.embedded.application import ROOT
from app.models import Mail, Setting, db
from benchmarks.mails import queue
from benchmarks.results import Results
from benchmarks.sink import Sink
from benchmarks.stage import Stage

MAILS: Final = 5000
ROUNDS: Final = 5


def run(stage: Stage, results: Results) -> None:
    """Alternate the bare loop and the drain, and take the median of the ratios."""
    with Sink() as sink:
        _send_to(sink.port)
        stage.application.start_worker("bench-worker", processes=1)
        _drain(stage, sink, 200)  # the worker is up, its modules are loaded, its connections are open
        bare, drained = [], []
        for _ in range(ROUNDS):
            bare.append(MAILS / _bare_loop(sink, MAILS))
            drained.append(MAILS / _drain(stage, sink, MAILS))
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


def _send_to(port: int) -> None:
    setting = db.session.scalars(select(Setting)).one()
    setting.email_service, setting.smtp_host, setting.smtp_port = "smtp", "127.0.0.1", port
    setting.smtp_encryption = "none"
    db.session.commit()


def _bare_loop(sink: Sink, count: int) -> float:
    sink.reset()
    command = [sys.executable, "-m", "benchmarks.bare_loop", str(sink.port), str(count)]
    output = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    if sink.count() != count:
        raise RuntimeError(f"the sink has {sink.count()} of {count} mails")
    return float(output)


def _drain(stage: Stage, sink: Sink, count: int) -> float:
    """Seconds from handing over the drain to the last outcome in the table."""
    sink.reset()  # before they are queued: a task that is left of the drain before may begin at once
    queue(count)
    begun = time.perf_counter()
    stage.app.extensions["celery"].send_task("usher.drain", queue="usher")
    while _is_waiting():
        if time.perf_counter() - begun > 40:  # noqa: PLR2004 - seconds
            rows = db.session.execute(text("SELECT status, last_error, count(*) FROM mails GROUP BY 1, 2")).all()
            raise RuntimeError(f"mails are not sent: {rows}")
        time.sleep(0.02)
    seconds = time.perf_counter() - begun
    sent = db.session.scalar(text("SELECT count(*) FROM mails WHERE status = 'sent'"))
    db.session.rollback()
    if (sent, sink.count()) != (count, count):
        raise RuntimeError(f"{sent} sent, {sink.count()} in the sink, of {count}")
    return seconds


def _is_waiting() -> bool:
    statement = select(Mail.id).where(Mail.status.in_(("queued", "deferred", "sending"))).limit(1)
    waiting = db.session.scalar(statement) is not None
    db.session.rollback()
    return waiting
