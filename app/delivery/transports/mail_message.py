"""marrow's message with its bytes as they go over the wire (RFC 2045, 2046, 5322)."""

from __future__ import annotations

import binascii
from collections.abc import Iterable
from email.policy import compat32
from typing import Any, Final

from app.delivery.transports.marrow_mailer import Message

# A line with an encoded word in it (RFC 2047, 2); others are folded there too, to be read easily.
MAX_LINE: Final = 76
_POLICY: Final = compat32.clone(linesep="\r\n", max_line_length=MAX_LINE)
_TEXT: Final = 'Content-Type: text/{}; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'
_PLAIN: Final = _TEXT.format("plain").encode()
_HTML: Final = _TEXT.format("html").encode()


class MailMessage(Message):
    """marrow's message, with bytes that a server takes as they are.

    marrow's own have bare line feeds and unfolded headers of any length, and are made by way of the email package's
    objects and their generator, which takes most of the time of a whole mail. These say the same. Only what `build`
    sets is written: author, to, reply, subject, date, headers, a text, HTML, and attachments in base64.
    """

    # marrow's own watches every change for the sake of what it keeps of the bytes; these are always made anew.
    __setattr__ = object.__setattr__

    def __str__(self) -> str:
        return bytes(self).decode("ascii")

    def __bytes__(self) -> bytes:
        """The message with CRLF at the end of every line, all of it ASCII."""
        content = _text(_PLAIN, self.plain)
        if self.rich:
            content = _multipart(b"alternative", [content, _text(_HTML, self.rich)])
        if self.attachments:
            content = _multipart(b"mixed", [content, *map(_attachment, self.attachments)])
        fields = [(name, str(value)) for name, value in self._build_header_list(self.author, self.sender) if value]
        return _headers([*fields, ("MIME-Version", "1.0")]) + content


def _text(header: bytes, text: str) -> bytes:
    """A part with this text, by the C function, which is several times as fast as the email package's own."""
    return header + binascii.b2a_qp(text.encode()).replace(b"\n", b"\r\n")


def _attachment(part: Any) -> bytes:
    content: bytes = part.get_payload().encode("ascii")
    return _headers(part.raw_items()) + b"\r\n" + content.replace(b"\n", b"\r\n")


def _multipart(subtype: bytes, parts: list[bytes]) -> bytes:
    """Parts that each begin with their own headers, behind the header that holds them together."""
    # Neither quoted-printable nor base64 can hold "=_" (RFC 2045, 6.7), so no body needs to be searched for it.
    boundary = b"=_" + subtype
    chunks = [b'Content-Type: multipart/%s; boundary="%s"\r\n' % (subtype, boundary)]
    for part in parts:
        chunks += [b"\r\n--%s\r\n" % boundary, part]
    chunks.append(b"\r\n--%s--\r\n" % boundary)
    return b"".join(chunks)


def _headers(fields: Iterable[tuple[str, str]]) -> bytes:
    return "".join([_header(name, value) for name, value in fields]).encode("ascii")


def _header(name: str, value: str) -> str:
    if len(name) + len(value) + 2 <= MAX_LINE and "\n" not in value:
        return f"{name}: {value}\r\n"
    return _POLICY.fold(name, value)
