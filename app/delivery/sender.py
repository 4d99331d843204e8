"""The worker's loop: claim a batch, send each mail, write each outcome."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import psycopg2
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from app.delivery.attachments import read_files
from app.delivery.claims import ClaimedMail, claim_batch
from app.delivery.faults import AFTER_CLAIM, BEFORE_CLAIM, BEFORE_WRITE, reach
from app.delivery.lease import Lease
from app.delivery.outage import is_lost, write_when_back
from app.delivery.outcomes import SENT, check, release, values_of_sent, write_error, write_sent, write_suppressed
from app.delivery.pace import ENOUGH, Pace
from app.delivery.recipients.playpen import refused
from app.delivery.recipients.simulator import is_simulated, simulate, tell
from app.delivery.recipients.suppressed import (
    Suppressed,
    note_refusal,
    spare_copies,
    suppressed_among,
    why_not,
    with_note,
)
from app.delivery.render import to_envelope
from app.delivery.services.failover import Route, counters
from app.delivery.services.registry import Sender, Services, close_transport, read_services
from app.delivery.services.shared_redis import shared_redis
from app.delivery.transports.base import Receipt, TransportError
from app.delivery.watch.report import Report, note_detour
from app.delivery.watch.telemetry import Telemetry
from app.delivery.writer import Writer, writer_for
from config import Config

log = logging.getLogger(__name__)

# Seconds that a worker which was to send certain mails, and met a rate, sends whatever is due.
QUEUEING: Final = 5.0


class LeaseLostError(Exception):
    """Others may have the mails of the claim by now: none of them is given any more."""


@dataclass
class Batch:
    """A claimed batch on its way, and how many of it ended how."""

    connection: Connection
    claim: str
    mails: list[ClaimedMail]
    lease: Lease
    report: Report
    writer: Writer
    # The mail that was taken last, while its outcome is on its way into the database.
    taken: tuple[ClaimedMail, Receipt] | None = None
    # Those of the recipients that are on the suppression list.
    suppressed: Suppressed = field(default_factory=dict)
    # Whether something is in the way that stops every mail, of this batch and of the next.
    is_stopped: bool = False
    begun_at: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.monotonic() - self.begun_at


def drain(engine: Engine, config: Config, ids: Sequence[int] | None = None, seconds: float = 60.0) -> Counter[str]:
    """Send what is due, batch after batch, until nothing is, the time is over, or the server or the settings forbid it.

    Args:
        engine: the database; outcomes are committed one by one, on a connection of their own.
        config: the application's configuration.
        ids: only these mails, as long as no rate is in the way; None for all that are due.
        seconds: no new batch is claimed after this time, so that a worker can be stopped.

    Returns:
        How many mails got which status.
    """
    tally: Counter[str] = Counter()
    stop_at = time.monotonic() + seconds
    pace = Pace()
    known = counters(config.redis_url)
    telemetry = Telemetry()
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while (left := stop_at - time.monotonic()) > 0:
            services = read_services(connection, config)
            with Route(services, known, pace.limit, partial(note_detour, connection, telemetry)) as route:
                if services.usable and not route.room:
                    # What waits for a quota or a server is not claimed; the next sweep asks again.
                    if route.wait is None:
                        break
                    if ids is not None:
                        # They are not the only ones that wait for the rate: from here on in the order of the lanes.
                        ids, stop_at = None, min(stop_at, time.monotonic() + QUEUEING)
                    time.sleep(min(route.wait, left))
                    continue
                reach(BEFORE_CLAIM)
                limit = route.room or pace.limit
                claim, mails = claim_batch(connection, ids, limit, config.mail_lease_seconds)
                if not mails:
                    break
                reach(AFTER_CLAIM)
                with Lease(engine, claim, config.mail_lease_seconds) as lease:
                    batch = Batch(connection, claim, mails, lease, Report(telemetry), writer_for(engine))
                    _send_batch(batch, services, route, config)
                    _settle(batch)
            tally += batch.report.tally
            pace.learn(batch.report.tally.total(), batch.seconds)
            telemetry.write(shared_redis(config.redis_url))
            if batch.is_stopped:
                break  # the next sweep asks again: not this loop, which would do nothing but ask
    return tally


def _send_batch(batch: Batch, services: Services, route: Route, config: Config) -> None:
    if services.is_disabled:
        _suppress_all(batch, "Mail is switched off: email-service is 'disable' in the settings.")
        return
    if not services.usable:
        error = next(iter(services.wrong.values()))
        batch.report.stopped(len(batch.mails), error)
        _defer_rest(batch, 0, error)
        return
    batch.suppressed = suppressed_among(batch.connection, batch.mails)
    route.begin(len(batch.mails))
    for position, mail in enumerate(batch.mails):
        if batch.seconds > ENOUGH:
            release(batch.connection, batch.claim, batch.mails[position:])
            return
        try:
            _check_lease(batch)
            _send_one(batch, mail, services.sender, route, config)
        except LeaseLostError:
            _leave_to_others(batch, len(batch.mails) - position)
            return
        if not route.is_open:
            # What stopped this mail stops the others too: do not wait for the same answer a hundred times.
            _defer_rest(batch, position + 1, route.obstacle)
            return


def _leave_to_others(batch: Batch, mails: int) -> None:
    close_transport()
    fields = {"claim": batch.claim, "mails": mails}
    log.error("The lease on %d mails ran out: they are left to others.", mails, extra=fields)


def _send_one(batch: Batch, mail: ClaimedMail, sender: Sender, route: Route, config: Config) -> None:
    """Send one mail and write its outcome."""
    reason = _why_not(batch, mail, config)
    if reason:
        write_suppressed(batch.connection, batch.claim, mail, reason)
        batch.report.suppressed(mail, reason)
        return
    leaving, note = spare_copies(mail, batch.suppressed)
    try:
        files = read_files(batch.connection, mail)
        envelope = to_envelope(leaving, sender, files.found, gate=partial(_pass_gate, batch))
        is_played = is_simulated(mail.recipient, config)
        batch.report.begins(mail)
        receipt = files.noted(simulate(envelope, mail.attempts) if is_played else route.send(envelope))
    except TransportError as error:
        status = write_error(batch.connection, batch.claim, mail, error)
        note_refusal(batch.connection, mail, error)
        batch.report.failed(mail, status, error)
        return
    reach(BEFORE_WRITE)
    _begin_to_write(batch, mail, with_note(receipt, note))
    if is_played:
        _settle(batch)
        tell(batch.connection.engine, mail)


def _why_not(batch: Batch, mail: ClaimedMail, config: Config) -> str | None:
    """Why the mail is not to leave: it would leave the playpen, or its recipient is on the suppression list."""
    outside = refused((mail.recipient, *mail.bcc), config)
    if outside:
        return f"{config.environment} is not production, and MAIL_ALLOWED_RECIPIENTS does not have {outside[0]}."
    return why_not(mail, batch.suppressed)


def _check_lease(batch: Batch) -> None:
    if not batch.lease.holds:
        raise LeaseLostError


def _pass_gate(batch: Batch) -> None:
    """Before a mail is given for good: the outcome of the one before is written, and this one is still ours.

    To wait for a database that is slow, or away for a while, may have taken longer than the lease.
    """
    _settle(batch)
    _check_lease(batch)


def _begin_to_write(batch: Batch, mail: ClaimedMail, receipt: Receipt) -> None:
    """Send the outcome to the database; it is waited for before the next mail is given for good."""
    _settle(batch)
    batch.taken = mail, receipt
    with suppress(psycopg2.Error):  # `_settle` finds that it was not written
        batch.writer.begin(SENT, values_of_sent(batch.claim, mail, receipt))


def _settle(batch: Batch) -> None:
    """Wait until the outcome of the mail that was taken last is written."""
    if batch.taken is None:
        return
    (mail, receipt), batch.taken = batch.taken, None
    try:
        check(batch.writer.finish(), mail, "sent")
    except psycopg2.Error:
        batch.writer.close()
        _write_sent(batch, mail, receipt)
    batch.report.sent(mail, receipt.provider)


def _write_sent(batch: Batch, mail: ClaimedMail, receipt: Receipt) -> None:
    """Write that it was sent, if need be when the database is back; then the rest of the batch is given back."""
    try:
        write_sent(batch.connection, batch.claim, mail, receipt)
    except DBAPIError as error:
        if is_lost(error):
            rest = batch.mails[batch.mails.index(mail) + 1 :]

            def write(connection: Connection) -> None:
                write_sent(connection, batch.claim, mail, receipt)
                release(connection, batch.claim, rest)

            write_when_back(batch.connection.engine, batch.lease, write)
        raise


def _suppress_all(batch: Batch, reason: str) -> None:
    for mail in batch.mails:
        write_suppressed(batch.connection, batch.claim, mail, reason)
        batch.report.suppressed(mail, reason)


def _defer_rest(batch: Batch, start: int, error: TransportError | None) -> None:
    """Let the mails wait that were not tried: for the server or the settings, or, if it was one mail's, for nothing."""
    rest = batch.mails[start:]
    batch.is_stopped = error is not None and error.kind in ("connection", "configuration", "throttled")
    if error is not None and batch.is_stopped:
        for mail in rest:
            batch.report.tally[write_error(batch.connection, batch.claim, mail, error, tried=False)] += 1
    else:
        release(batch.connection, batch.claim, rest)
