"""A message from anybody, cut into its parts (RFC 5322, RFC 2046) in time and memory that its size bounds.

The email package's parser is not used: it calls itself for each level of nesting, compares each line with the boundary
of every level, and raises on headers that are wrong enough. Reports need little: the headers, and the parts of a
multipart.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

# What lies behind is not looked at: a bounce says what it has to say before the returned message's attachments.
MAX_MESSAGE: Final = 1024 * 1024
_MAX_HEADER_BLOCK: Final = 64 * 1024
_MAX_HEADERS: Final = 500
_MAX_VALUE: Final = 4_000
_MAX_PARTS: Final = 50
# A report within the mixed part that a gateway put around it, and one more.
_MAX_DEPTH: Final = 3
_MAX_BOUNDARY: Final = 200

_BLANK_LINE: Final = re.compile(rb"\r?\n\r?\n")
_FIELD: Final = re.compile(r"([!-9;-~]{1,100})[ \t]*:(.*)", re.DOTALL)
_PARAMETER: Final = re.compile(r';[ \t]{0,20}([\w*-]{1,50})[ \t]{0,20}=[ \t]{0,20}(?:"([^"]*)"|([^;\s]*))')
# Python has codecs that are no charset, and some that take the square of the time.
_CHARSET: Final = re.compile(
    r"(?:us-)?ascii|iso-8859-\d{1,2}|(?:windows-|cp)\d{3,4}|koi8-[ru]|gb\d{4,5}|gbk|big5|euc-(?:jp|kr)|shift_jis|"
    r"iso-2022-(?:jp|kr)|utf-16"
)

Headers = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Part:
    """A message, or one part of it: its headers by their names in small letters, and its body, still encoded."""

    headers: Headers
    body: bytes

    def header(self, name: str) -> str:
        """The first header of the name, unfolded; empty if there is none."""
        return next(iter(self.headers.get(name, ())), "")

    @property
    def content_type(self) -> str:
        """The media type in small letters, without parameters; `text/plain` if none is given (RFC 2045, 5.2)."""
        return self.header("content-type").partition(";")[0].strip().lower() or "text/plain"

    def parameter(self, name: str) -> str:
        """A parameter of the content type; empty if there is none."""
        for found in _PARAMETER.finditer(self.header("content-type")):
            if found[1].lower() == name:
                return found[2] if found[2] is not None else found[3]
        return ""

    def content(self) -> bytes:
        """The body without its transfer encoding; what does not keep to it is left as it is."""
        encoding = self.header("content-transfer-encoding").strip().lower()
        if encoding == "base64":
            try:
                return binascii.a2b_base64(self.body)
            except binascii.Error:
                return self.body
        return binascii.a2b_qp(self.body) if encoding == "quoted-printable" else self.body

    def text(self) -> str:
        """The content as text in its charset, or in UTF-8 if that is unknown; always some text, with LF alone."""
        charset = self.parameter("charset").lower()
        try:
            text = self.content().decode(charset if _CHARSET.fullmatch(charset) else "utf-8", "replace")
        except LookupError:
            text = self.content().decode("utf-8", "replace")
        return text.replace("\r\n", "\n").replace("\r", "\n")


def read(raw: bytes) -> Part:
    """The message with its headers."""
    raw = raw[:MAX_MESSAGE]
    if raw.startswith(b"From "):  # the line that mbox and some pipes put in front
        raw = raw.partition(b"\n")[2]
    return _part(raw)


def walk(message: Part) -> Iterator[Part]:
    """The leaves of the message in their order; a message within it is a leaf."""
    open_parts = [(message, 0)]
    count = 0
    while open_parts and count < _MAX_PARTS:
        part, depth = open_parts.pop()
        count += 1
        if part.content_type.startswith("multipart/") and depth < _MAX_DEPTH:
            open_parts.extend((child, depth + 1) for child in reversed(_children(part)))
        else:
            yield part


def fields(text: str) -> Headers:
    """The fields of a block of headers, unfolded (RFC 5322, 2.2.3); a line that is no field is passed over."""
    lines: list[str] = []
    for line in text.replace("\r\n", "\n").split("\n", _MAX_HEADERS * 4)[: _MAX_HEADERS * 4]:
        if line[:1] in (" ", "\t") and lines:
            lines[-1] = f"{lines[-1]} {line.strip()}"[:_MAX_VALUE] if len(lines[-1]) < _MAX_VALUE else lines[-1]
        elif len(lines) < _MAX_HEADERS:
            lines.append(line[:_MAX_VALUE])
    found: Headers = {}
    for match in filter(None, map(_FIELD.fullmatch, lines)):
        found.setdefault(match[1].lower(), []).append(match[2].strip())
    return found


def _part(raw: bytes) -> Part:
    if raw[:1] == b"\n" or raw[:2] == b"\r\n":  # a part without headers
        return Part({}, raw.partition(b"\n")[2])
    end = _BLANK_LINE.search(raw, 0, _MAX_HEADER_BLOCK)
    if end is None:
        return Part(fields(raw[:_MAX_HEADER_BLOCK].decode("utf-8", "replace")), b"")
    return Part(fields(raw[: end.start()].decode("utf-8", "replace")), raw[end.end() :])


def _children(part: Part) -> list[Part]:
    """The parts between the boundaries (RFC 2046, 5.1.1); the last one may lack its end, where the message was cut."""
    boundary = part.parameter("boundary")
    if not boundary or len(boundary) > _MAX_BOUNDARY:
        return []
    line = re.compile(rb"(?:^|\r?\n)--" + re.escape(boundary.encode("utf-8", "replace")) + rb"(--)?[ \t]*(?=\r?\n|\Z)")
    children: list[Part] = []
    start: int | None = None
    for found in line.finditer(part.body):
        if start is not None:
            children.append(_part(part.body[start : found.start()]))
        start = None if found[1] else _after_line(part.body, found.end())
        if start is None or len(children) >= _MAX_PARTS:
            return children
    if start is not None:
        children.append(_part(part.body[start:]))
    return children


def _after_line(body: bytes, end: int) -> int:
    if body.startswith(b"\r\n", end):
        return end + 2
    return end + 1 if body.startswith(b"\n", end) else end
