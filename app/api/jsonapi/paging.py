"""Which part of a list a query asks for: a page by its number, rows by limit and offset, or rows beside a cursor.

Cursors are those of the profile https://jsonapi.org/profiles/ethanresnick/cursor-pagination/: a long list is read on
from where one is, without counting what came before, and what is new meanwhile moves nothing.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from app.api.jsonapi.exceptions import BadRequest
from app.api.jsonapi.jsontext import MAX_BIGINT, parse_id

PAGE_SIZE: Final = 20
MAX_PAGE_SIZE: Final = 100
NUMBER, SIZE, LIMIT, OFFSET = "page[number]", "page[size]", "limit", "offset"
AFTER, BEFORE = "page[after]", "page[before]"
PARAMETERS: Final = (NUMBER, SIZE, LIMIT, OFFSET, AFTER, BEFORE)
PROFILE: Final = "https://jsonapi.org/profiles/ethanresnick/cursor-pagination/"

Style = Literal["number", "offset", "cursor"]
_DIGITS: Final = re.compile(r"[0-9]{1,19}")


class ProfileError(BadRequest):
    """400 of a kind that the profile has given an address."""

    def __init__(self, kind: str, detail: str, *, parameter: str, meta: Mapping[str, Any] | None = None) -> None:
        super().__init__(detail, parameter=parameter)
        self.links = {"type": f"{PROFILE}{kind}"}
        self.meta = dict(meta or {})


@dataclass(frozen=True)
class Page:
    """A part of a list.

    Attributes:
        size: how many rows at most, 1 to 100.
        offset: how many rows come before it; of one beside a cursor that is not known.
        style: how the query named it, which its links go on with.
        cursor: the id beside which it begins; None for an end of the list.
        is_before: whether it ends before the cursor, rather than begins after it.
    """

    size: int = PAGE_SIZE
    offset: int = 0
    style: Style = "number"
    cursor: int | None = None
    is_before: bool = False

    @property
    def number(self) -> int:
        """Which page it is, from 1."""
        return self.offset // self.size + 1


def read_page(given: Mapping[str, str]) -> Page:
    """The page that the parameters name.

    Raises:
        BadRequest: a value cannot be, or two ways to name a page are mixed; `source.parameter` names one.
    """
    if LIMIT in given or OFFSET in given:
        _refuse(given, (NUMBER, SIZE, AFTER, BEFORE), "Name the rows either by limit and offset or by page[…].")
        size = _number(given, LIMIT, PAGE_SIZE, 1, MAX_PAGE_SIZE)
        return Page(size, _number(given, OFFSET, 0, 0, MAX_BIGINT - size), "offset")
    if AFTER in given or BEFORE in given:
        return _beside_cursor(given)
    size = _size(given)
    number = _number(given, NUMBER, 1, 1, MAX_BIGINT // size)
    return Page(size, (number - 1) * size)


def to_cursor(id_: int) -> str:
    """The cursor that falls on the row with this id."""
    return urlsafe_b64encode(f"id:{id_}".encode()).decode().rstrip("=")


def _beside_cursor(given: Mapping[str, str]) -> Page:
    """Raises BadRequest as the profile names it."""
    _refuse(given, (NUMBER,), "A page has either a number or a cursor.")
    if AFTER in given and BEFORE in given:
        detail = f"Give either {AFTER} or {BEFORE}."
        raise ProfileError("range-pagination-not-supported", detail, parameter=BEFORE)
    if "sort" in given:
        detail = "Only a list in its own order has cursors: leave sort out."
        raise ProfileError("unsupported-sort", detail, parameter="sort")
    name = AFTER if AFTER in given else BEFORE
    # The empty one is before all rows.
    cursor = None if given[name] == "" and name == AFTER else _read_cursor(given[name], name)
    return Page(_size(given), 0, "cursor", cursor, name == BEFORE)


def _read_cursor(text: str, name: str) -> int:
    try:
        decoded = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except (Base64Error, ValueError):
        decoded = ""
    id_ = parse_id(decoded.removeprefix("id:")) if decoded.startswith("id:") else None
    if id_ is None or to_cursor(id_) != text:
        raise BadRequest(
            "This is no cursor that this server gave: begin anew with an empty page[after].", parameter=name
        )
    return id_


def _size(given: Mapping[str, str]) -> int:
    text = given.get(SIZE, "")
    if _DIGITS.fullmatch(text) and int(text) > MAX_PAGE_SIZE:
        detail = f"This must be a whole number from 1 to {MAX_PAGE_SIZE}."
        meta = {"page": {"maxSize": MAX_PAGE_SIZE}}
        raise ProfileError("max-size-exceeded", detail, parameter=SIZE, meta=meta)
    return _number(given, SIZE, PAGE_SIZE, 1, MAX_PAGE_SIZE)


def _number(given: Mapping[str, str], name: str, default: int, minimum: int, maximum: int) -> int:
    if name not in given:
        return default
    number = int(given[name]) if _DIGITS.fullmatch(given[name]) else -1
    if not minimum <= number <= maximum:
        raise BadRequest(f"This must be a whole number from {minimum} to {maximum}.", parameter=name)
    return number


def _refuse(given: Mapping[str, str], names: tuple[str, ...], why: str) -> None:
    for name in names:
        if name in given:
            raise BadRequest(why, parameter=name)
