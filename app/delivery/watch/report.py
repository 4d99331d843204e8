"""What a worker tells of its sends: a line in its log, the counts of the metrics, and how many ended how."""

from __future__ import annotations

import logging
import time
from collections import Counter
from typing import Final

from sqlalchemy import Connection

from app.delivery.claims import ClaimedMail
from app.delivery.outcomes import write_rerouted
from app.delivery.transports.base import TransportError
from app.delivery.watch.telemetry import Telemetry
from app.logs_json import mail_fields
from app.models.mail import GIVE_UP_AFTER

log = logging.getLogger(__name__)

_GIVE_UP_AFTER: Final = GIVE_UP_AFTER.total_seconds()


class Report:
    """Of one batch.

    Attributes:
        tally: how many mails got which status.
        telemetry: the counts that are still to be written.
    """

    def __init__(self, telemetry: Telemetry) -> None:
        self.tally: Counter[str] = Counter()
        self.telemetry = telemetry

    def begins(self, mail: ClaimedMail) -> None:
        """The mail is about to be handed over to a transport."""
        if mail.attempts == 0:
            # It is given up so long after it was due.
            self.telemetry.handed_over(time.time() - (mail.give_up_at.timestamp() - _GIVE_UP_AFTER))

    def sent(self, mail: ClaimedMail, service: str) -> None:
        """A service has taken the mail. A line for each is for those who look for something: there are many."""
        self._ended("sent", service)
        if log.isEnabledFor(logging.DEBUG):
            fields = mail_fields(mail.id, mail.action, mail.attempts + 1, status="sent", service=service)
            log.debug("Mail %d was sent.", mail.id, extra=fields | {"lane": mail.lane})

    def failed(self, mail: ClaimedMail, status: str, error: TransportError) -> None:
        """The try of the mail failed, with the status that it has now."""
        service = error.service or error.provider
        self._ended(status, service)
        self.telemetry.failed(service, error.kind)
        fields = mail_fields(mail.id, mail.action, mail.attempts + 1, status=status, service=service)
        fields |= {"error_class": error.kind, "code": error.code, "lane": mail.lane}
        log.warning(
            *("Mail %d (%s), try %d: %s: %s", mail.id, mail.action, mail.attempts + 1, status, error), extra=fields
        )

    def stopped(self, mails: int, error: TransportError) -> None:
        """No service can be used: none of so many mails was tried."""
        service = error.service or error.provider
        self.telemetry.failed(service, error.kind)
        fields = {"service": service, "error_class": error.kind, "mails": mails}
        log.warning("%d mails wait: %s", mails, error, extra=fields)

    def suppressed(self, mail: ClaimedMail, reason: str) -> None:
        """The mail does not leave, for this reason."""
        self._ended("suppressed", None)
        if log.isEnabledFor(logging.DEBUG):
            fields = mail_fields(mail.id, mail.action, mail.attempts, status="suppressed", lane=mail.lane)
            log.debug("Mail %d was suppressed: %s", mail.id, reason, extra=fields)

    def _ended(self, status: str, service: str | None) -> None:
        self.tally[status] += 1
        self.telemetry.ended(service, status)


def note_detour(connection: Connection, telemetry: Telemetry, mail_id: int, error: TransportError) -> None:
    """A service has failed, and the next is tried at once: for the timeline, the counts and the log."""
    write_rerouted(connection, mail_id, error)
    service = error.service or error.provider
    telemetry.failed(service, error.kind)
    fields = mail_fields(mail_id, service=service, error_class=error.kind, code=error.code)
    log.warning("Mail %d goes on to the next service: %s", mail_id, error, extra=fields)
