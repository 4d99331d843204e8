"""Takes a message that came to the bounce address: reads it, and writes down what it tells."""

from __future__ import annotations

import logging

from app.delivery.inbound.bounces import read_bounce
from app.delivery.inbound.record import record
from app.models import db

log = logging.getLogger(__name__)


def take_message(raw: bytes) -> bool:
    """Read a message and commit what it tells; False if a person should look at it.

    A message may be taken twice: what it tells is written once. The log has neither addresses nor contents.

    Raises:
        sqlalchemy.exc.OperationalError: the database is away; nothing was written.
    """
    reading = read_bounce(raw)
    if reading.verdict != "report":
        log.log(
            logging.WARNING if reading.verdict == "unknown" else logging.INFO,
            *("A message at the bounce address tells of no mail: %s", reading.reason),
        )
        return reading.verdict == "ignored"
    with db.engine.begin() as connection:
        recorded = record(connection, reading.events)
    log.info(
        "A report of %s told of %d events: %d new, %d of unknown mails; %d mails have another status.",
        *(reading.events[0].provider, len(reading.events), recorded.new, recorded.unknown, recorded.moved),
    )
    return True
