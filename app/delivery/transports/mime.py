"""The MIME message (RFC 2045, 5322), built with marrow.mailer's `Message`."""

from __future__ import annotations

import base64
import re
import time
from datetime import UTC, datetime
from email.header import Header
from email.message import EmailMessage
from email.mime.base import MIMEBase
from email.utils import format_datetime
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Final

import idna

from app.delivery.transports.base import Attachment, Envelope
from app.delivery.transports.mail_message import MAX_LINE, MailMessage
from app.delivery.transports.marrow_mailer import Address, AddressList

# Longer words are cut into several encoded words, since a line has at most 998 octets (RFC 5322, 2.1.1).
_MAX_PLAIN_HEADER: Final = 60
_NO_ADDRESS: Final = re.compile(r"[\s<>,;\x00-\x20\x7f]")
_BREAKS: Final = re.compile(r"[\r\n\0]")
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def build(envelope: Envelope) -> MailMessage:
    """The message of an envelope: text and HTML as alternatives, attachments behind them.

    Raises:
        ValueError: an address is none, or a name or the subject would break out of its header.
    """
    return MailMessage(
        author=_author(_phrase("sender's name", envelope.sender_name), envelope.sender),
        to=_addresses((envelope.recipient,)),
        bcc=_addresses(envelope.bcc),
        reply=_addresses(envelope.reply_to),
        subject=_phrase("subject", envelope.subject) or "(no subject)",
        plain=body_text(envelope.text) or "\n",
        rich=body_text(envelope.html),
        attachments=[_attachment(attachment) for attachment in envelope.attachments],
        headers=[
            ("Auto-Submitted", "auto-generated"),  # RFC 3834: no out-of-office reply, please
            ("X-Auto-Response-Suppress", "All"),  # the same for Exchange
        ],
        date=_date(int(time.time())),
        brand=False,
        # Given as the id and not as a header: for a message without one marrow asks the name server for our host name.
        _id=f"<{one_line('Message-ID', envelope.message_id)}>",
    )


def ascii_address(address: str) -> str:
    """The address as it goes to a server that knows no SMTPUTF8 (RFC 6531): the domain in its ASCII form (RFC 5891).

    Raises:
        ValueError: it is no address, or its local part is not ASCII.
    """
    local, at, domain = address.rpartition("@")
    if not (local and at and domain) or _NO_ADDRESS.search(address):
        raise ValueError(f"{address!r} is not one e-mail address")
    if not local.isascii():
        raise ValueError(f"{address!r} has characters outside ASCII before the @, which are not supported")
    return address if domain.isascii() else f"{local}@{_ascii_domain(domain)}"


@lru_cache(maxsize=256)
def _ascii_domain(domain: str) -> str:
    return idna.encode(domain, uts46=True).decode()


def _addresses(addresses: tuple[str, ...]) -> AddressList:
    return AddressList([Address("", ascii_address(address)) for address in addresses])


@lru_cache(maxsize=16)
def _author(name: str, address: str) -> AddressList:
    return AddressList([Address(name, ascii_address(address))])


@lru_cache(maxsize=1)
def _date(seconds: int) -> str:
    """A time since 1970, as a header says it (RFC 5322, 3.3); hundreds of mails have the same."""
    return format_datetime(datetime.fromtimestamp(seconds, UTC))


def one_line(what: str, text: str) -> str:
    """The text with spaces in place of its control characters.

    Raises:
        ValueError: it has a line break, as whoever wants to add a header puts there.
    """
    if _BREAKS.search(text):
        raise ValueError(f"the {what} has a line break in it: {text[:80]!r}")
    return _CONTROLS.sub(" ", text)


def _phrase(what: str, text: str) -> str:
    """The text as it stands in a header: encoded words (RFC 2047) where it is long, not ASCII, or looks like one."""
    text = one_line(what, text).strip()
    if text.isascii() and len(text) <= _MAX_PLAIN_HEADER and "=?" not in text:
        return text
    return Header(text, "utf-8", maxlinelen=MAX_LINE, header_name=what).encode(linesep="")


def body_text(text: str) -> str:
    """The text with each line ended by a line feed alone.

    Raises:
        ValueError: it is no Unicode.
    """
    text.encode()  # raises for what is no Unicode, which the email package would pass on
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _attachment(attachment: Attachment) -> MIMEBase:
    """A file in base64: marrow's own `attach` needs a function that Python 3.9 dropped."""
    maintype, subtype, params = _media_type(attachment.content_type)
    part = MIMEBase(maintype, subtype)
    for key, value in params:
        part.set_param(key, value, charset="" if value.isascii() else "utf-8")
    part["Content-Transfer-Encoding"] = "base64"
    name = file_name(attachment.name)
    part.add_header("Content-Disposition", "attachment", filename=name if name.isascii() else ("utf-8", "", name))
    part.set_payload(base64.encodebytes(attachment.content).decode("ascii"))
    return part


@lru_cache(maxsize=64)
def _media_type(content_type: str) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    """The type, the subtype and the parameters (RFC 2045, 5)."""
    parsed = EmailMessage()
    parsed["Content-Type"] = one_line("content type", content_type)
    header = parsed["Content-Type"]
    if header.maintype in ("message", "multipart"):
        return "application", "octet-stream", ()  # these may not be in base64 (RFC 2046, 5.1 and 5.2)
    return header.maintype, header.subtype, tuple(header.params.items())


def file_name(name: str) -> str:
    """The last part of a path, short enough that its encoded form fits into one line."""
    path = PurePosixPath(one_line("attachment's name", name).replace("\\", "/").strip("/ ") or "file")
    return path.stem[:50] + path.suffix[:10]
