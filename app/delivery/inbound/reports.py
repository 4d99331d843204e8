"""The bodies of reports: delivery status (RFC 3464) and feedback (RFC 5965), and the message that they are about."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from app.delivery.inbound.events import EventKind, address_in, message_id_in
from app.delivery.inbound.parts import Headers, Part, fields, walk

_MAX_REPORT: Final = 256 * 1024
MAX_RECIPIENTS: Final = 200
_STATUS: Final = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
# RFC 6533, 3: a character of an internationalised address, in a report for those who know ASCII alone.
_EMBEDDED: Final = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")
_XTEXT: Final = re.compile(r"\+([0-9A-F]{2})")

_ACTIONS: Final[dict[str, EventKind]] = {
    "failed": "bounced",
    "delayed": "deferred",
    "delivered": "delivered",
    "relayed": "sent",
    # Delivered to a list, which has sent it on.
    "expanded": "delivered",
}
_CLASSES: Final[dict[str, EventKind]] = {"5": "bounced", "4": "deferred", "2": "delivered"}


@dataclass(frozen=True, slots=True)
class RecipientStatus:
    """What a delivery status notification says of one recipient."""

    kind: EventKind
    recipient: str | None
    status: str | None
    diagnostic: str
    fields: Headers


@dataclass(frozen=True, slots=True)
class DeliveryStatus:
    """A delivery status notification: what it says of the message, and of each recipient."""

    fields: Headers
    recipients: tuple[RecipientStatus, ...]


def find(message: Part, *content_types: str) -> Part | None:
    """The first leaf of one of the types."""
    return next((part for part in walk(message) if part.content_type in content_types), None)


def delivery_status(message: Part) -> DeliveryStatus | None:
    """The delivery status notification in the message, if it has one that names a recipient."""
    part = find(message, "message/delivery-status", "message/global-delivery-status")
    if part is None:
        return None
    about: Headers = {}
    recipients: list[RecipientStatus] = []
    for block in _blocks(part.text()[:_MAX_REPORT]):
        if not about:
            # Some servers leave out the empty line behind the fields of the message, or those fields.
            about = block
        if "final-recipient" in block or "original-recipient" in block:
            recipients.extend(_recipient(block))
        if len(recipients) >= MAX_RECIPIENTS:
            break
    return DeliveryStatus(about, tuple(recipients)) if recipients else None


def feedback(message: Part) -> Headers | None:
    """The fields of the feedback report in the message, if it has one."""
    part = find(message, "message/feedback-report")
    return fields(part.text()[:_MAX_REPORT].lstrip("\n")) if part else None


def original_message_id(message: Part, about: Headers) -> str | None:
    """The Message-ID of the message that a report is about.

    From the returned message or its headers; if they are missing, from the envelope id, where that is a Message-ID, or
    from what the report is a reply to.
    """
    returned = original_headers(message)
    envelope_id = _XTEXT.sub(lambda found: chr(int(found[1], 16)), _first(about, "original-envelope-id"))
    candidates = (
        _first(returned, "message-id"),
        envelope_id,
        _first(about, "x-original-message-id"),
        message.header("in-reply-to"),
        message.header("references").rpartition("<")[2],
    )
    return next(filter(None, map(message_id_in, candidates)), None)


def original_headers(message: Part) -> Headers:
    """The headers of the returned message, the last of a report's parts; none if it was left out."""
    part = find(
        message,
        "message/rfc822",
        "text/rfc822-headers",
        "message/rfc822-headers",  # what some servers write for the former
        "message/global",
        "message/global-headers",
    )
    return header_block(part.content()) if part else {}


def header_block(content: bytes) -> Headers:
    """The fields of a message up to its first empty line."""
    text = content[:_MAX_REPORT].decode("utf-8", "replace").replace("\r\n", "\n").lstrip("\n")
    return fields(text.partition("\n\n")[0])


def typed_address(value: str) -> str | None:
    """The address in `rfc822; user@example.org` (RFC 3464, 2.3.2) or in `utf-8; …` (RFC 6533)."""
    kind, semicolon, address = value.partition(";")
    address = address if semicolon else kind
    return address_in(_EMBEDDED.sub(_embedded, address))


def _embedded(found: re.Match[str]) -> str:
    number = int(found[1], 16)
    return chr(number) if number <= 0x10FFFF else ""  # noqa: PLR2004 - the last character of Unicode


def _blocks(text: str) -> Iterator[Headers]:
    for block in re.split(r"\n[ \t]*\n", text.strip("\n"), maxsplit=2 * MAX_RECIPIENTS):
        found = fields(block)
        if found:
            yield found


def _recipient(block: Headers) -> Iterator[RecipientStatus]:
    """The block as a status; none if it says neither what was done nor how it ended."""
    status = _STATUS.search(_first(block, "status"))
    diagnostic = _first(block, "diagnostic-code")
    # Its first word: some servers add a comment.
    kind = _ACTIONS.get(next(iter(_first(block, "action").lower().split()), ""))
    if kind is None and status:
        kind = _CLASSES[status[1][0]]
    if kind is None:
        return
    # The address that we wrote to, before it was forwarded or rewritten.
    addresses = (typed_address(_first(block, name)) for name in ("original-recipient", "final-recipient"))
    yield RecipientStatus(kind, next(filter(None, addresses), None), status[1] if status else None, diagnostic, block)


def _first(found: Headers, name: str) -> str:
    return next(iter(found.get(name, ())), "")
