"""The operators of filters, and the conversion of a client's values to those of a column."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import Boolean, ColumnElement, Date, DateTime, Integer, Numeric, String
from sqlalchemy.types import TypeEngine

from app.api.jsonapi.jsontext import MAX_BIGINT, parse_id
from app.api.jsonapi.timestamps import parse_timestamp

Operator = Callable[[Any, Any], ColumnElement[bool]]

# Take one value.
COMPARISONS: Final[Mapping[str, Operator]] = MappingProxyType(
    {
        "eq": lambda column, value: column == value,
        "ne": lambda column, value: column != value,
        "gt": lambda column, value: column > value,
        "ge": lambda column, value: column >= value,
        "gte": lambda column, value: column >= value,
        "lt": lambda column, value: column < value,
        "le": lambda column, value: column <= value,
        "lte": lambda column, value: column <= value,
    }
)
# Take text, of columns of text.
PATTERNS: Final[Mapping[str, Operator]] = MappingProxyType(
    {
        "like": lambda column, value: column.like(value),
        "ilike": lambda column, value: column.ilike(value),
        "notlike": lambda column, value: column.not_like(value),
        "notilike": lambda column, value: column.not_ilike(value),
        "not_like": lambda column, value: column.not_like(value),
        "not_ilike": lambda column, value: column.not_ilike(value),
    }
)
PARTS: Final[Mapping[str, Operator]] = MappingProxyType(
    {
        "startswith": lambda column, value: column.startswith(value, autoescape=True),
        "endswith": lambda column, value: column.endswith(value, autoescape=True),
        "contains": lambda column, value: column.contains(value, autoescape=True),
    }
)
# Take a list.
LISTS: Final[Mapping[str, Operator]] = MappingProxyType(
    {
        "in": lambda column, values: column.in_(values),
        "in_": lambda column, values: column.in_(values),
        "notin": lambda column, values: column.not_in(values),
        "notin_": lambda column, values: column.not_in(values),
        "not_in": lambda column, values: column.not_in(values),
    }
)
# Take null, true or false.
IDENTITIES: Final[Mapping[str, Operator]] = MappingProxyType(
    {
        "is": lambda column, value: column.is_(value),
        "is_": lambda column, value: column.is_(value),
        "isnot": lambda column, value: column.is_not(value),
        "is_not": lambda column, value: column.is_not(value),
    }
)
RELATIONS: Final = frozenset({"has", "any"})
MAX_LIST: Final = 200
_DECIMAL: Final = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,6})?")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def convert(kind: TypeEngine[Any], value: object, *, is_text: bool) -> Any:
    """A client's value as the column compares it; with `is_text` it came as text, as `filter[name]=text` does.

    Raises:
        ValueError: it cannot be one; the message says what can.
    """
    if isinstance(kind, Boolean):
        return _boolean(value, is_text=is_text)
    if isinstance(kind, DateTime):
        if not isinstance(value, str):
            raise ValueError("the value must be a time like 2026-11-21T10:00:00Z")  # noqa: TRY004 - a client's value
        return parse_timestamp(value)
    if isinstance(kind, Date):
        return _day(value)
    if isinstance(kind, Integer):
        return _integer(value)
    if isinstance(kind, Numeric):
        return _decimal(value, is_text=is_text)
    if isinstance(kind, String):
        if not isinstance(value, str):
            raise ValueError("the value must be a text")  # noqa: TRY004 - a client's value
        return value
    raise ValueError("this attribute can only be compared with null")


def check_pattern(pattern: str) -> str:
    """The pattern, unless it ends in the middle of an escape, which PostgreSQL refuses.

    Raises:
        ValueError: it does.
    """
    if (len(pattern) - len(pattern.rstrip("\\"))) % 2:
        raise ValueError("the pattern must not end with a single backslash")
    return pattern


def _boolean(value: object, *, is_text: bool) -> bool:
    if isinstance(value, bool):
        return value
    if is_text and value in ("true", "false"):
        return value == "true"
    raise ValueError("the value must be true or false")


def _integer(value: object) -> int:
    """A number, or the text of one: ids are text in documents."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_BIGINT:
        return value
    number = parse_id(value)
    if number is None:
        raise ValueError("the value must be a whole number")
    return number


def _decimal(value: object, *, is_text: bool) -> Decimal:
    """A number of JSON, or the text of one; longer ones than any column has are refused."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    text = repr(value) if is_number else value if is_text else None
    if not isinstance(text, str) or not _DECIMAL.fullmatch(text):
        raise ValueError("the value must be a number of at most 15 digits before the point and 6 behind it")
    return Decimal(text)


def _day(value: object) -> date:
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError("the value must be a day like 2026-11-21")
    return date.fromisoformat(value)
