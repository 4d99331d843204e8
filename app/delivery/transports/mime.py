"""The MIME message (RFC 2045, 5322), built with marrow.mailer's `Message`."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime
from email import charset
from email.header import Header
from email.message import EmailMessage
from email.message import Message as MimePart
from email.mime.base import MIMEBase
from email.policy import compat32
from email.utils import format_datetime
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any, Final

import idna

from app.delivery.transports.base import Attachment, Envelope
from app.delivery.transports.marrow_mailer import Address, AddressList, Message

# Longer words are cut into several encoded words, since a line has at most 998 octets (RFC 5322, 2.1.1).
_MAX_PLAIN_HEADER: Final = 60
# A line with an encoded word in it (RFC 2047, 2).
_MAX_LINE: Final = 76
_BREAKS: Final = re.compile(r"[\r\n\0]")
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_POLICY: Final = compat32.clone(linesep="\r\n", max_line_length=_MAX_LINE)


class _QuotedPrintable(charset.Charset):
    """UTF-8 in quoted-printable by the C function, several times as fast as the email package's own."""

    def __init__(self) -> None:
        super().__init__("utf-8")
        self.body_encoding = charset.QP

    def body_encode(self, string: Any) -> Any:
        data = string if isinstance(string, bytes) else string.encode()
        return binascii.b2a_qp(data).decode("ascii")


_UTF_8: Final = _QuotedPrintable()


class MailMessage(Message):
    """marrow's message, with its bytes as they go over the wire.

    marrow's own bytes have bare line feeds, unfolded headers of any length, and pass through the email package's
    generator, which takes each line of the body by itself.
    """

    def __bytes__(self) -> bytes:
        """The message with CRLF at the end of every line, all of it ASCII."""
        chunks: list[bytes] = []
        _write(self.mime, chunks, depth=0)
        return b"".join(chunks)


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
        date=format_datetime(datetime.now(UTC)),
        encoding=_UTF_8,
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
    if not (local and at and domain) or re.search(r"[\s<>,;\x00-\x20\x7f]", address):
        raise ValueError(f"{address!r} is not one e-mail address")
    if not local.isascii():
        raise ValueError(f"{address!r} has characters outside ASCII before the @, which are not supported")
    return address if domain.isascii() else f"{local}@{idna.encode(domain, uts46=True).decode()}"


def _addresses(addresses: tuple[str, ...]) -> AddressList:
    return AddressList([Address("", ascii_address(address)) for address in addresses])


@lru_cache(maxsize=16)
def _author(name: str, address: str) -> AddressList:
    return AddressList([Address(name, ascii_address(address))])


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
    return Header(text, "utf-8", maxlinelen=_MAX_LINE, header_name=what).encode(linesep="")


def body_text(text: str) -> str:
    """The text with each line ended by a line feed alone.

    Raises:
        ValueError: it is no Unicode.
    """
    text.encode()  # raises for what is no Unicode, which the email package would pass on
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _attachment(attachment: Attachment) -> MIMEBase:
    """A file in base64: marrow's own `attach` needs a function that Python 3.9 dropped."""
    parsed = EmailMessage()
    parsed["Content-Type"] = one_line("content type", attachment.content_type)
    header = parsed["Content-Type"]
    part = MIMEBase(header.maintype, header.subtype)
    for key, value in header.params.items():
        part.set_param(key, value, charset="" if value.isascii() else "utf-8")
    part["Content-Transfer-Encoding"] = "base64"
    name = file_name(attachment.name)
    part.add_header("Content-Disposition", "attachment", filename=name if name.isascii() else ("utf-8", "", name))
    part.set_payload(base64.encodebytes(attachment.content).decode("ascii"))
    return part


def file_name(name: str) -> str:
    """The last part of a path, short enough that its encoded form fits into one line."""
    path = PurePosixPath(one_line("attachment's name", name).replace("\\", "/").strip("/ ") or "file")
    return path.stem[:50] + path.suffix[:10]


def _write(part: MimePart[Any, Any], chunks: list[bytes], depth: int) -> None:
    """Append the part's lines. Only what `build` makes is written: multiparts, and leaves that are ASCII."""
    # Neither quoted-printable nor base64 can hold "=_" (RFC 2045, 6.7), so no body needs to be searched for it.
    boundary = f"=_part_{depth}"
    if part.is_multipart():
        part.replace_header("Content-Type", f'{part.get_content_type()}; boundary="{boundary}"')
    chunks.extend(_header(name, value) for name, value in part.raw_items())
    payload: Any = part.get_payload()
    if isinstance(payload, str):
        chunks.append(b"\r\n" + payload.replace("\n", "\r\n").encode("ascii"))
        return
    for child in payload:
        chunks.append(f"\r\n--{boundary}\r\n".encode())
        _write(child, chunks, depth + 1)
    chunks.append(f"\r\n--{boundary}--\r\n".encode())


def _header(name: str, value: str) -> bytes:
    if len(name) + len(value) + 2 <= _MAX_LINE and "\n" not in value:
        return f"{name}: {value}\r\n".encode("ascii")
    return _POLICY.fold_binary(name, value)
