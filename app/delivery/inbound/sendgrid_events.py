"""SendGrid's event webhook: what a verified body tells, event by event, in our words."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

from app.delivery.inbound.events import EventKind, MailEvent, address_in, message_id_in, one_line, storable
from app.delivery.inbound.faults import codes_in, is_address_at_fault

PROVIDER: Final = "sendgrid"
# SendGrid posts at least every 768 kB.
MAX_BODY: Final = 2 * 1024 * 1024
MAX_EVENTS: Final = 10_000
_MAX_ID: Final = 255
_MAX_SKIPPED: Final = 100
_MAX_BIGINT: Final = 2**63 - 1
# The first second of 2009, the year of SendGrid, and of 2100: what lies outside is no moment of an event.
_EARLIEST, _LATEST = 1_230_768_000, 4_102_444_800

_KINDS: Final[Mapping[str, EventKind]] = {
    "processed": "sent",
    "deferred": "deferred",
    "delivered": "delivered",
    "bounce": "bounced",
    "dropped": "rejected",
    "spamreport": "complained",
    "unsubscribe": "unsubscribed",
    "group_unsubscribe": "unsubscribed",
    "group_resubscribe": "resubscribed",
}
# See `events.EventKind` for why these are kept out; the last is about the account and no mail.
_LEFT_OUT: Final = frozenset({"open", "click", "account_status_change"})
# Why SendGrid drops a mail unsent; the other reasons are about this mail (spam, a virus, a quota).
_DROPPED_FOR_ADDRESS: Final = re.compile(r"bounced address|spam reporting address|invalid\b(?! smtpapi)", re.IGNORECASE)
# What follows the id of the mail in the id of the message: `<id>.filterdrecv-…`, `<id>.recvd-…`, `<id>.filter0001.…`.
_MESSAGE_ID_TAIL: Final = re.compile(r"\.(?:filter|recvd)")
_STATUS: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")


class PayloadError(ValueError):
    """The body as a whole cannot be read. Its text may be shown."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """An event that was not taken: its place in the list, and why."""

    index: int
    reason: str


@dataclass(frozen=True, slots=True)
class Batch:
    """What one request told.

    Attributes:
        events: in the order of the list, which need not be that of time.
        skipped: the first hundred that were not taken.
        skipped_count: how many were not taken.
    """

    events: tuple[MailEvent, ...]
    skipped: tuple[Skipped, ...]
    skipped_count: int


def parse(body: bytes) -> Batch:
    """The events of a body whose signature was verified. One that is malformed takes no other down with it.

    Raises:
        PayloadError: the body is no list of events, or too large.
    """
    events: dict[str, MailEvent] = {}
    skipped: list[Skipped] = []
    count = 0
    for index, item in enumerate(_items(body)):
        try:
            event = normalise(item)
        except ValueError as error:
            count += 1
            if len(skipped) < _MAX_SKIPPED:
                skipped.append(Skipped(index, one_line(str(error))))
            continue
        events.setdefault(event.provider_event_id, event)
    return Batch(tuple(events.values()), tuple(skipped), count)


def normalise(item: Any) -> MailEvent:
    """One event of SendGrid's as ours.

    Raises:
        ValueError: it is malformed, or of a kind that is left out; the text says which.
    """
    if not isinstance(item, dict):
        raise ValueError("is no object")  # noqa: TRY004 - one error for whatever is wrong with an event
    name = item.get("event")
    if isinstance(name, str) and name in _LEFT_OUT:
        raise ValueError(f"{name} says nothing of the mail's delivery and is not kept")
    kind = _KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise ValueError(f"event is {name!r:.60}, which is none of SendGrid's that are known")
    text = one_line(_text(item, "reason") or _text(item, "response"))
    code, enhanced = _codes(item, text)
    return MailEvent(
        kind=kind,
        at=_time(item.get("timestamp")),
        recipient=_recipient(item),
        provider=PROVIDER,
        provider_event_id=_event_id(item),
        provider_message_id=_message_id(item),
        mail_id=_mail_id(item),
        # Our own word for it, which went along as a custom argument; `smtp-id` may be one of SendGrid's making.
        message_id=message_id_in(_text(item, "message_id") or _text(item, "smtp-id")),
        code=code,
        enhanced=enhanced,
        text=text,
        is_permanent=_is_permanent(kind, item, text),
        raw=storable(item),
    )


def _items(body: bytes) -> list[Any]:
    if len(body) > MAX_BODY:
        raise PayloadError(f"The body has {len(body)} bytes; {MAX_BODY} are taken.")
    try:
        items = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise PayloadError("The body is not UTF-8.") from error
    except (ValueError, RecursionError) as error:
        raise PayloadError("The body is not JSON.") from error
    if not isinstance(items, list):
        raise PayloadError("The body is not a list of events.")
    if len(items) > MAX_EVENTS:
        raise PayloadError(f"The body has {len(items)} events; {MAX_EVENTS} are taken.")
    return items


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _text(item: dict[str, Any], key: str) -> str:
    value = item.get(key)
    return value if isinstance(value, str) else ""


def _recipient(item: dict[str, Any]) -> str:
    address = address_in(_text(item, "email"))
    if address is None:
        raise ValueError("email is not one address")
    return address


def _event_id(item: dict[str, Any]) -> str:
    value = _text(item, "sg_event_id")
    if not value or len(value) > _MAX_ID or not (value.isascii() and value.isprintable()):
        raise ValueError("sg_event_id is missing or not an id: it could not be told from its repetition")
    return value


def _message_id(item: dict[str, Any]) -> str | None:
    """The id with which the mail was taken (X-Message-Id): the first part of the message's."""
    value = _text(item, "sg_message_id")
    start = _MESSAGE_ID_TAIL.split(value, maxsplit=1)[0]
    # An unknown tail: today's ids have no dot in them.
    start = value.split(".", 1)[0] if start == value else start
    return start if start and len(start) <= _MAX_ID and start.isascii() and start.isprintable() else None


def _mail_id(item: dict[str, Any]) -> int | None:
    """Our own id, which went along as a custom argument: beside the other keys, or in `unique_args`."""
    nested = item.get("unique_args")
    value = item.get("mail_id", nested.get("mail_id") if isinstance(nested, dict) else None)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 19:  # noqa: PLR2004 - of a bigint
        value = int(value)
    is_id = isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _MAX_BIGINT
    return value if is_id else None


def _time(value: Any) -> datetime:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 12:  # noqa: PLR2004 - of seconds
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not _EARLIEST <= value < _LATEST:
        raise ValueError("timestamp is not a time in Unix seconds")
    return datetime.fromtimestamp(value, UTC)


def _codes(item: dict[str, Any], text: str) -> tuple[int | None, str | None]:
    """The codes: `status` has the enhanced one, if the server gave any; the text has both."""
    code, enhanced = codes_in(text)
    status = _text(item, "status")
    if _STATUS.fullmatch(status):
        return code, status
    return code, enhanced


def _is_permanent(kind: EventKind, item: dict[str, Any], text: str) -> bool:
    if kind == "bounced":
        return _is_hard(item, text)
    return kind == "complained" or (kind == "rejected" and _DROPPED_FOR_ADDRESS.search(text) is not None)


def _is_hard(item: dict[str, Any], text: str) -> bool:
    """A `bounce` goes onto SendGrid's own list, so no later mail would arrive; `blocked` is not its address's fault."""
    name = _text(item, "type")
    if name in ("bounce", "blocked"):
        return name == "bounce"
    code, enhanced = _codes(item, text)
    return is_address_at_fault(enhanced, code, text)
