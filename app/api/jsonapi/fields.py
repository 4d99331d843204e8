"""Attributes of schemas: strict in what they take, since the database would be."""

from __future__ import annotations

import re
import unicodedata
import zoneinfo
from collections.abc import Collection
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any, Final

from babel import Locale, UnknownLocaleError
from babel.numbers import list_currencies
from marshmallow import ValidationError, fields

from app.api.helpers.addresses import AddressError, check_address
from app.api.jsonapi.jsontext import MAX_BIGINT
from app.api.jsonapi.timestamps import format_timestamp, parse_timestamp

MAX_EMAIL: Final = 254
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,3}")
_LINE_SEPARATORS: Final = ("Zl", "Zp")


class Id(fields.Field[Any]):
    """A row's id: text in documents, a number in the database; never written."""

    def __init__(self) -> None:
        super().__init__(dump_only=True)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str:  # noqa: ARG002 - marshmallow's
        return str(value)


class Text(fields.Field[str]):
    """Text of at most `maximum` characters.

    Args:
        maximum: the largest number of characters.
        minimum: the smallest number of characters, not counting white space at the ends.
        lines: whether line breaks and tabs are allowed; other control characters never are.
        options: those of every marshmallow field.
    """

    def __init__(self, maximum: int, *, minimum: int = 0, lines: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.maximum, self.minimum, self.lines = maximum, minimum, lines

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:  # noqa: ARG002 - marshmallow's
        if not isinstance(value, str):
            raise ValidationError("This must be a text.")
        text = value.replace("\r\n", "\n") if self.lines else value
        if len(text) > self.maximum:
            raise ValidationError(f"At most {self.maximum} characters.")
        if len(text.strip()) < self.minimum:
            raise ValidationError(
                "This must not be empty." if self.minimum == 1 else f"At least {self.minimum} characters."
            )
        if any(_is_control(character, lines=self.lines) for character in text):
            raise ValidationError("No control characters." if self.lines else "No control characters or line breaks.")
        return text


def _is_control(character: str, *, lines: bool) -> bool:
    if character in "\n\t":
        return not lines
    category = unicodedata.category(character)
    return category == "Cc" or (not lines and category in _LINE_SEPARATORS)


class StrictBoolean(fields.Field[bool]):
    """`true` or `false`; no number and no text stands for one."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:  # noqa: ARG002 - marshmallow's
        if not isinstance(value, bool):
            raise ValidationError("This must be true or false.")
        return value


class WholeNumber(fields.Field[int]):
    """A JSON number without a fraction, from `minimum` to `maximum`."""

    def __init__(self, minimum: int = 0, maximum: int = MAX_BIGINT, **options: Any) -> None:
        super().__init__(**options)
        self.minimum, self.maximum = minimum, maximum

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:  # noqa: ARG002 - marshmallow's
        if not isinstance(value, int) or isinstance(value, bool) or not self.minimum <= value <= self.maximum:
            raise ValidationError(f"This must be a whole number from {self.minimum} to {self.maximum}.")
        return value


class DecimalNumber(fields.Field[Decimal]):
    """A JSON number with at most two decimals, from `minimum` to `maximum`; exact in between, as an amount must be.

    Python writes a float in the shortest digits that stand for it, so that 12.34 comes in as 12.34, not as the binary
    number next to it.
    """

    def __init__(self, minimum: int, maximum: int, **options: Any) -> None:
        super().__init__(**options)
        self.minimum, self.maximum = minimum, maximum

    def _serialize(self, value: Decimal | None, attr: str | None, obj: Any, **kwargs: Any) -> float | None:  # noqa: ARG002 - marshmallow's
        return None if value is None else float(value)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Decimal:  # noqa: ARG002 - marshmallow's
        allowed = f"This must be a number from {self.minimum} to {self.maximum} with at most two decimals."
        if not isinstance(value, int | float) or isinstance(value, bool) or not self.minimum <= value <= self.maximum:
            raise ValidationError(allowed)
        number = Decimal(repr(value))
        if number != round(number, 2):
            raise ValidationError(allowed)
        return abs(number)


class Day(fields.Field[date]):
    """A day of the calendar, like `2026-11-21`; read-only."""

    def __init__(self) -> None:
        super().__init__(dump_only=True)

    def _serialize(self, value: date | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:  # noqa: ARG002 - marshmallow's
        return None if value is None else value.isoformat()


class Currency(fields.Field[str]):
    """The code of a currency (ISO 4217), for example `EUR`."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:  # noqa: ARG002 - marshmallow's
        if not isinstance(value, str) or value not in _currencies():
            raise ValidationError("This must be the code of a currency, for example EUR.")
        return value


@cache
def _currencies() -> frozenset[str]:
    return frozenset(list_currencies())


class Timestamp(fields.Field[datetime]):
    """A time: RFC 3339 with an offset when written, UTC with microseconds when read."""

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:  # noqa: ARG002 - marshmallow's
        return None if value is None else format_timestamp(value)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:  # noqa: ARG002 - marshmallow's
        if not isinstance(value, str):
            raise ValidationError("This must be a time like 2026-11-21T10:00:00Z.")
        try:
            return parse_timestamp(value)
        except ValueError as error:
            raise ValidationError(f"This is {error}.") from error


class EmailAddress(Text):
    """One e-mail address (RFC 5321), its local part in ASCII; nothing is looked up in DNS."""

    def __init__(self, **options: Any) -> None:
        super().__init__(MAX_EMAIL, minimum=1, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            return check_address(text)
        except AddressError as error:
            raise ValidationError("This is not one e-mail address.") from error


class Choice(fields.Field[str]):
    """One of a few texts."""

    def __init__(self, values: Collection[str], **options: Any) -> None:
        super().__init__(**options)
        self.values = tuple(values)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:  # noqa: ARG002 - marshmallow's
        if not isinstance(value, str) or value not in self.values:
            raise ValidationError(f"This must be one of: {', '.join(self.values)}.")
        return value


class Choices(fields.Field[list[str]]):
    """A list of some of a few texts, each once."""

    def __init__(self, values: Collection[str], **options: Any) -> None:
        super().__init__(**options)
        self.values = tuple(values)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[str]:  # noqa: ARG002 - marshmallow's
        if not isinstance(value, list) or not all(isinstance(each, str) and each in self.values for each in value):
            raise ValidationError(f"This must be a list of some of: {', '.join(self.values)}.")
        return list(dict.fromkeys(value))


class Timezone(fields.Field[str]):
    """The name of a time zone in the IANA database, for example `Europe/Berlin`."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:  # noqa: ARG002 - marshmallow's
        if not isinstance(value, str) or value not in _timezones():
            raise ValidationError("This must be the name of a time zone, for example Europe/Berlin.")
        return value


@cache
def _timezones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


class Language(fields.Field[str]):
    """A language that Babel knows, for example `en` or `pt-BR`."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:  # noqa: ARG002 - marshmallow's
        if not isinstance(value, str) or not _LANGUAGE.fullmatch(value):
            raise ValidationError("This must be a language, for example en or pt-BR.")
        try:
            Locale.parse(value.replace("-", "_"))
        except (ValueError, UnknownLocaleError) as error:
            raise ValidationError("This is not a language that is known here.") from error
        return value


class JsonValue(fields.Field[Any]):
    """Any JSON value, as it is."""
