"""Content negotiation as JSON:API 1.1 has it: which media types a client may send and must accept."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from flask import Request
from werkzeug.http import parse_options_header

from app.api.jsonapi.exceptions import NotAcceptable, UnsupportedMediaType
from app.api.jsonapi.response import MEDIA_TYPE

# The parts between commas; a comma within quotes is part of a value (RFC 9110, 5.6.4).
_ENTRY: Final = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*"?)+')
_RANGES: Final = {MEDIA_TYPE: 3, "application/*": 2, "*/*": 1}


def check(request: Request) -> None:
    """Refuse a body or an `Accept` header that is not JSON:API.

    Raises:
        UnsupportedMediaType: the body's type is another, or has parameters other than `profile`.
        NotAcceptable: the `Accept` header excludes JSON:API without extensions.
    """
    if request.method in ("POST", "PATCH") or (request.method == "DELETE" and _has_body(request)):
        _check_content_type(request.headers.get("Content-Type", ""))
    check_accept(request)


def check_accept(request: Request) -> None:
    """Refuse an `Accept` header that excludes JSON:API.

    Raises:
        NotAcceptable: it does.
    """
    if "Accept" in request.headers and not accepts(request.headers["Accept"]):
        raise NotAcceptable(f"This address answers with {MEDIA_TYPE}: accept that.", header="Accept")


def _has_body(request: Request) -> bool:
    return bool(request.content_length) or "Transfer-Encoding" in request.headers


def _check_content_type(value: str) -> None:
    media_type, parameters = parse_options_header(value)
    if media_type.lower() != MEDIA_TYPE:
        raise UnsupportedMediaType(f"Send the body with Content-Type: {MEDIA_TYPE}.", header="Content-Type")
    if set(parameters) - {"profile"}:
        raise UnsupportedMediaType(
            f"{MEDIA_TYPE} takes no parameter but profile; this server knows no extension.", header="Content-Type"
        )


def accepts(header: str) -> bool:
    """Whether an `Accept` header allows `application/vnd.api+json` (the most specific range decides; RFC 9110, 12.5.1).

    An entry of our media type with a parameter other than `profile` (and the weight `q`) does not count.
    """
    best, allowed = 0, not header.strip()
    for media_range, quality in _ranges(header):
        rank = _RANGES[media_range]
        if rank > best:
            best, allowed = rank, quality > 0
        elif rank == best:
            allowed = allowed or quality > 0
    return allowed


def _ranges(header: str) -> Iterator[tuple[str, float]]:
    for entry in _ENTRY.findall(header):
        media_range, parameters = parse_options_header(entry.strip())
        media_range = media_range.lower()
        quality = _quality(parameters.pop("q", "1"))
        if media_range in _RANGES and not set(parameters) - {"profile"}:
            yield media_range, quality


def _quality(value: str) -> float:
    """The weight; one that is none counts as 0."""
    return float(value) if re.fullmatch(r"(0(\.[0-9]{0,3})?|1(\.0{0,3})?)", value) else 0.0
