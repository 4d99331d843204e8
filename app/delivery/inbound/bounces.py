"""What a mail that came to the bounce address tells: of a delivery, a complaint, or nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final, Literal

from app.delivery.inbound import reports
from app.delivery.inbound.autoreplies import is_from_a_mail_system, why_automatic
from app.delivery.inbound.events import MailEvent, address_in, one_line, storable
from app.delivery.inbound.faults import codes_in, is_address_at_fault
from app.delivery.inbound.parts import MAX_MESSAGE, Headers, Part, read
from app.delivery.inbound.plain_bounces import PlainBounce, read_plain, returned_message_id
from app.models.base import utc_now

__all__ = ["MAX_MESSAGE", "Reading", "read_bounce"]

# A server gives up after five days (RFC 5321, 4.5.4.1); a time that lies further back, or ahead, is a wrong clock's.
_OLDEST: Final = timedelta(days=30)
_MAX_DATE: Final = 100
# Reports that are no complaint: the recipient took the mail out of his spam, or a check of DKIM failed (RFC 6591).
_NO_COMPLAINT: Final = frozenset({"not-spam", "auth-failure", "dmarc"})


@dataclass(frozen=True, slots=True)
class Reading:
    """What a mail told.

    Attributes:
        verdict: `report`, and there are events; `ignored`, and nobody needs to look; `unknown`, and somebody should.
        events: one for each recipient it is about.
        reason: why there are none; empty if there are.
    """

    verdict: Literal["report", "ignored", "unknown"]
    events: tuple[MailEvent, ...] = ()
    reason: str = ""


def read_bounce(raw: bytes, now: datetime | None = None) -> Reading:
    """Read a message, of which the first `MAX_MESSAGE` bytes count. Raises nothing, whatever the bytes are.

    Args:
        raw: the message as it came.
        now: the moment to write down where the message names none that can be; None for the present one.
    """
    now = now or utc_now()
    message = read(raw)
    status = reports.delivery_status(message)
    if status is not None:
        return _reading(_delivery(message, status, now))
    about = reports.feedback(message)
    if about is not None:
        return _complaint(message, about, now)
    bounces, returned = read_plain(message)
    if bounces:
        return _reading(_plain(message, bounces, returned, now))
    if is_from_a_mail_system(message):
        return Reading(
            "unknown", reason="a mail server wrote it, but not in a form that is known: no recipient is named"
        )
    automatic = why_automatic(message)
    if automatic:
        return Reading("ignored", reason=automatic)
    return Reading("unknown", reason="it is no report, and no automatic reply: a person may have written it")


def _reading(events: Iterator[MailEvent]) -> Reading:
    """The events with their ids; one that is told twice in a message counts once."""
    return Reading("report", tuple({event.provider_event_id: event for event in map(_with_id, events)}.values()))


def _delivery(message: Part, status: reports.DeliveryStatus, now: datetime) -> Iterator[MailEvent]:
    message_id = reports.original_message_id(message, status.fields)
    for item in status.recipients:
        # `smtp; 550 5.1.1 …`: the type of the diagnostic says nothing that its text does not.
        diagnostic = item.diagnostic.partition(";")[2].strip() or item.diagnostic
        code, enhanced = codes_in(diagnostic)
        # 5.0.0 is what a server writes that knows no better; the text of the other server may.
        if item.status and (enhanced is None or not item.status.endswith(".0.0")):
            enhanced = item.status
        text = one_line(diagnostic)
        yield MailEvent(
            kind=item.kind,
            at=_time(_first(item.fields, "last-attempt-date") or message.header("date"), now),
            recipient=item.recipient,
            provider="dsn",
            provider_event_id=_told_in(message),
            message_id=message_id,
            code=code,
            enhanced=enhanced,
            text=text,
            is_permanent=item.kind == "bounced" and is_address_at_fault(enhanced, code, text),
            raw={"message": storable(status.fields), "recipient": storable(item.fields)},
        )


def _complaint(message: Part, about: Headers, now: datetime) -> Reading:
    kind = _first(about, "feedback-type").partition(";")[0].strip().lower()
    if kind in _NO_COMPLAINT or not kind:
        return Reading("ignored", reason=f"it is a feedback report of type {kind[:40] or 'unknown'}, and no complaint")
    named = [address_in(value) for value in about.get("original-rcpt-to", [])[: reports.MAX_RECIPIENTS]]
    # Most providers hide the address; then only the Message-ID says whose complaint it is.
    recipients: list[str | None] = [*dict.fromkeys(filter(None, named))] or [None]
    event = MailEvent(
        kind="complained",
        at=_time(_first(about, "arrival-date") or _first(about, "received-date") or message.header("date"), now),
        recipient=None,
        provider="arf",
        provider_event_id=_told_in(message),
        message_id=reports.original_message_id(message, about),
        text=one_line(f"{kind} {_first(about, 'user-agent')}"),
        is_permanent=True,
        raw={"report": storable(about)},
    )
    return _reading(replace(event, recipient=recipient) for recipient in recipients)


def _plain(message: Part, bounces: tuple[PlainBounce, ...], returned: Headers, now: datetime) -> Iterator[MailEvent]:
    for item in bounces:
        code, enhanced = codes_in(item.diagnostic)
        text = one_line(item.diagnostic)
        yield MailEvent(
            kind="bounced",
            at=_time(message.header("date"), now),
            recipient=item.recipient,
            provider="bounce",
            provider_event_id=_told_in(message),
            message_id=returned_message_id(message, returned),
            code=code,
            enhanced=enhanced,
            text=text,
            # These servers answer for themselves without a code: "Unrouteable address" is Exim's own.
            is_permanent=is_address_at_fault(enhanced, 550 if code is None else code, text),
            raw={"from": storable(message.header("from")), "said": storable(item.diagnostic)},
        )


def _told_in(message: Part) -> str:
    return message.header("message-id")


def _with_id(event: MailEvent) -> MailEvent:
    """The event with an id made of what it says and of the report's own Message-ID.

    The same report comes again by another way (a pipe and a maildir) with other headers of transport, but with these. A
    forged one with the id of another is, all in all, the same event.
    """
    said = (
        event.provider,
        event.provider_event_id,
        event.message_id,
        event.recipient,
        event.kind,
        event.enhanced,
        event.code,
        event.text,
    )
    digest = hashlib.sha256(repr(said).encode("utf-8", "backslashreplace")).hexdigest()
    return replace(event, provider_event_id=f"{event.provider}-{digest[:40]}")


def _time(value: str, now: datetime) -> datetime:
    try:
        moment = parsedate_to_datetime(value[:_MAX_DATE])
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):  # what the parser is known to raise for odd dates
        return now
    return moment if now - _OLDEST <= moment <= now else now


def _first(found: Headers, name: str) -> str:
    return next(iter(found.get(name, ())), "")
