"""Bounces in no standard form: Exim's of old and qmail's, which people still get, and which say enough.

What other servers write in plain words is left for a person to read: to guess an address out of prose is to suppress
somebody who did nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import Final

from app.delivery.inbound.events import address_in, message_id_in
from app.delivery.inbound.parts import Headers, Part, walk
from app.delivery.inbound.reports import MAX_RECIPIENTS, header_block

_MAX_TEXT: Final = 256 * 1024
# Exim: "------ This is a copy of the message, including all the headers. ------"; qmail: "--- Below this line is a copy
# of the message."
_COPY: Final = re.compile(
    r"^-{3,}[ \t]*(?:This is a copy of (?:the|your) message|The body of the message is|Below this line is).*$",
    re.MULTILINE | re.IGNORECASE,
)
# QSBMF (D. J. Bernstein): each paragraph that begins with an address in angle brackets and a colon is about it.
_QMAIL_PARAGRAPH: Final = re.compile(r"^<([^<>\s]{3,254})>:[ \t]*\n((?:.+\n?)*)", re.MULTILINE)
_QMAIL_BEGINS: Final = "Hi. This is the"


@dataclass(frozen=True, slots=True)
class PlainBounce:
    """A recipient that a bounce names, and what it says of him."""

    recipient: str
    diagnostic: str


def read_plain(message: Part) -> tuple[tuple[PlainBounce, ...], Headers]:
    """What the bounce says of each recipient, and the headers of the message that it returns; nothing if it is none."""
    text = next((part.text()[:_MAX_TEXT] for part in walk(message) if part.content_type == "text/plain"), "")
    copy = _COPY.search(text)
    said = text[: copy.start()] if copy else text
    returned = header_block(text[copy.end() :].encode()) if copy else {}
    failed = message.headers.get("x-failed-recipients", [])
    if failed:
        return _exim(",".join(failed), said), returned
    if said.lstrip().startswith(_QMAIL_BEGINS) and "qmail-send" in said[:200]:
        found = _QMAIL_PARAGRAPH.finditer(said)
        bounces = (PlainBounce(item[1], item[2].strip()) for item in found if address_in(item[1]))
        return tuple(islice(bounces, MAX_RECIPIENTS)), returned
    return (), {}


def returned_message_id(message: Part, returned: Headers) -> str | None:
    """The Message-ID of the message that a plain bounce returns, or that it is a reply to."""
    candidates = (*returned.get("message-id", ())[:1], message.header("in-reply-to"))
    return next(filter(None, map(message_id_in, candidates)), None)


def _exim(failed: str, said: str) -> tuple[PlainBounce, ...]:
    """Exim names the recipients in a header, and says of each in a paragraph that begins with the address."""
    addresses = dict.fromkeys(filter(None, map(address_in, failed.split(",", MAX_RECIPIENTS)[:MAX_RECIPIENTS])))
    paragraphs = [paragraph.strip() for paragraph in said.split("\n\n")]
    return tuple(PlainBounce(address, _about(address, paragraphs)) for address in addresses)


def _about(address: str, paragraphs: list[str]) -> str:
    found = next((text for text in paragraphs if text.lower().startswith(address.lower())), "")
    return " ".join(found[len(address) :].split())
