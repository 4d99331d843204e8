"""`claim_slowdown`: claiming the next batch out of 1,000,000 queued mails / out of 1,000, of both lanes."""

from __future__ import annotations

import time
from statistics import median
from typing import Final

from sqlalchemy import Connection, Engine, create_engine, text

from app.delivery.claims import BATCH, claim_batch
from app.models import db
from app.models.mail import BULK, NEW_SESSION, TRANSACTIONAL
from benchmarks.peers.scale import scale
from benchmarks.results import Results
from benchmarks.stage import Stage

WARM_UP: Final = 6
# Mails that somebody waits for, before every second claim: they overtake all that is queued for thousands.
URGENT: Final = BATCH // 2

# Short messages: a claim reads those of its own batch only, whatever the table holds.
_QUEUE: Final = text(
    """
    INSERT INTO mails (recipient, action, subject, message, text, message_id, lane, next_attempt_at)
    SELECT 'user' || n || '@example.org', :action, 'New session proposal', '<p>A new session was proposed.</p>',
        'A new session was proposed.', gen_random_uuid() || '@example.org', :lane, now() - make_interval(secs => :age)
    FROM generate_series(1, :count) AS n
    """
)
_SENT: Final = text(
    "UPDATE mails SET status = 'sent', sent_at = now(), claim = NULL, lease_until = NULL WHERE claim = :claim"
)
# Seconds that those at the head of the queue have been due, and those that come behind them.
_HEAD, _TAIL = 3600, 60


def run(stage: Stage, results: Results) -> None:
    """Two databases; the claims take turns, and each batch is sent and followed by as many new mails."""
    few, many = scale().few, scale().many
    large_url = _copy_database(stage)
    engines = [create_engine(url) for url in (stage.stack.env["DATABASE_URL"], large_url)]
    for engine, count in zip(engines, (few, many), strict=True):
        _fill(engine, count)
    small, large = (engine.connect().execution_options(isolation_level="AUTOCOMMIT") for engine in engines)
    with small, large:
        for connection in (small, large):
            # The disk's part is the same for both, and would hide a difference.
            connection.execute(text("SET synchronous_commit = off"))
        pairs = []
        for number in range(scale().claims + WARM_UP):
            urgent = URGENT * (number % 2)
            pairs.append((_milliseconds(small, urgent), _milliseconds(large, urgent)))
    for engine in engines:
        engine.dispose()
    measured = pairs[WARM_UP:]
    slowdown = median(after / before for before, after in measured)
    results.add("claim_ms", median(after for _, after in measured), "ms", f"{BATCH} of {many} queued mails")
    results.add(
        "claim_slowdown",
        slowdown,
        "x",
        f"{many} queued mails / {few}, {len(measured)} claims taking turns; half of every second one overtakes",
    )


def _milliseconds(connection: Connection, urgent: int) -> float:
    """Claim a batch, of which so many have just overtaken the others; then, unmeasured, send it and queue as many.

    Raises:
        RuntimeError: the batch was not full.
    """
    if urgent:
        _queue(connection, urgent, TRANSACTIONAL, _TAIL)
    begun = time.perf_counter()
    claim, mails = claim_batch(connection)
    milliseconds = 1000 * (time.perf_counter() - begun)
    if (len(mails), sum(mail.lane == TRANSACTIONAL for mail in mails)) != (BATCH, urgent):
        raise RuntimeError(f"{len(mails)} mails were claimed, of {BATCH}, and not the {urgent} urgent ones among them")
    connection.execute(_SENT, {"claim": claim})
    _queue(connection, BATCH - urgent, BULK, _TAIL)
    return milliseconds


def _queue(connection: Connection, count: int, lane: int, age: int) -> None:
    connection.execute(_QUEUE, {"action": NEW_SESSION, "count": count, "lane": lane, "age": age})


def _copy_database(stage: Stage) -> str:
    """A second database with the same schema; returns its address."""
    base, _, name = stage.stack.env["DATABASE_URL"].rpartition("/")
    db.engine.dispose()
    admin = create_engine(f"{base}/postgres", isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f'CREATE DATABASE large TEMPLATE "{name}"'))
    admin.dispose()
    return f"{base}/large"


def _fill(engine: Engine, count: int) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        _queue(connection, count, BULK, _HEAD)
        connection.execute(text("VACUUM ANALYZE mails"))
        connection.execute(text("CHECKPOINT"))
