"""Usher's side of the draining benchmarks: where its mail goes, and draining with one or two processes."""

from __future__ import annotations

import time
from typing import Final

from sqlalchemy import select, text

from app.models import Mail, Setting, db
from benchmarks.mails import queue
from benchmarks.sink import Sink
from benchmarks.stage import Stage

# Seconds that a drain may take before it is given up.
PATIENCE: Final = 120.0


def send_to(port: int) -> None:
    """Send all mail to a server on this machine."""
    setting = db.session.scalars(select(Setting)).one()
    setting.email_service, setting.smtp_host, setting.smtp_port = "smtp", "127.0.0.1", port
    setting.smtp_encryption = "none"
    db.session.commit()


def drain(stage: Stage, sink: Sink, count: int, processes: int) -> float:
    """Seconds from asking so many processes to drain, to the last outcome in the table.

    Raises:
        RuntimeError: a mail was lost, doubled or not sent.
    """
    sink.reset()  # before they are queued: a task that is left of the drain before may begin at once
    queue(count)
    begun = time.perf_counter()
    for _ in range(processes):
        stage.app.extensions["celery"].send_task("usher.drain", queue="usher")
    # The sink is asked first: the table would charge each look to the side that is measured.
    while sink.count() < count or _is_waiting():
        if time.perf_counter() - begun > PATIENCE:
            rows = db.session.execute(text("SELECT status, last_error, count(*) FROM mails GROUP BY 1, 2")).all()
            raise RuntimeError(f"mails are not sent: {rows}")
        time.sleep(0.01)
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
