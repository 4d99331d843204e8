"""The fields of a file's objects: taken out by name and checked by the rules of the API."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from marshmallow import ValidationError
from marshmallow.fields import Field

from app.api.jsonapi.jsontext import is_storable
from app.transfers.errors import FileError
from app.transfers.times import read_time

# A tab, a line break or the like, and the white space behind it, is one space in a text of one line.
_BREAKS: Final = "\t\n\v\f\r\x1c\x1d\x1e\x1f\x85\u2028\u2029"
_BREAK: Final = re.compile(f"[{_BREAKS}][\\s]*")
# Characters of a wrong value that are shown.
_SHOWN: Final = 40
_KINDS: Final = {dict: "an object", list: "a list", bool: "true or false", type(None): "null"}


class Fields:
    """The fields of one JSON object; whatever is wrong is a FileError that names the place."""

    def __init__(self, value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise FileError(f"{where or 'the whole'} must be a JSON object")
        self._value: Mapping[str, Any] = value
        self._where = where

    def where(self, name: str) -> str:
        """The path of a field, as in `sessions[3].title`."""
        return f"{self._where}.{name}" if self._where else name

    def text(self, name: str, field: Field[Any] | None = None) -> str | None:
        """A text that passes the check of `field`; None where it is null or is not there."""
        value = self._value.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise FileError(f"{self.where(name)} must be a text or null")
        if not is_storable(value):
            raise self._wrong(name, value, "it has a character that cannot be stored (U+0000 or half a surrogate)")
        return self._checked(name, value, field)

    def line(self, name: str, field: Field[Any]) -> str | None:
        """The same as one line: a break in it, such as the tab of a real speaker's name, is a space."""
        value = self.text(name)
        return None if value is None else self._checked(name, _BREAK.sub(" ", value.strip(_BREAKS)), field)

    def needed(self, name: str, field: Field[Any]) -> str:
        """The same where it may not be missing."""
        if not (self.text(name) or "").strip():
            raise FileError(f"{self.where(name)} is missing or empty")
        return self.line(name, field) or ""

    def time(self, name: str, zone: ZoneInfo) -> datetime | None:
        """A time; see `read_time`."""
        value = self.text(name)
        if value is None:
            return None
        try:
            return read_time(value, zone)
        except ValueError as error:
            raise self._wrong(name, value, f"it is {error}") from error

    def period(self, zone: ZoneInfo) -> tuple[datetime | None, datetime | None]:
        """`starts-at` and `ends-at`, the second not before the first."""
        starts_at, ends_at = self.time("starts-at", zone), self.time("ends-at", zone)
        if starts_at is not None and ends_at is not None and ends_at < starts_at:
            raise FileError(f"{self.where('ends-at')} is before {self.where('starts-at')}")
        return starts_at, ends_at

    def several(self, name: str, at_most: int) -> Sequence[Any]:
        """A list."""
        value = self._value.get(name)
        if not isinstance(value, list):
            raise FileError(f"{self.where(name)} must be a list")
        if len(value) > at_most:
            raise FileError(f"{self.where(name)} has {len(value)} entries: at most {at_most:,} are taken")
        return value

    def one(self, name: str) -> Fields:
        """An object."""
        return Fields(self._value.get(name), self.where(name))

    def _checked(self, name: str, value: str, field: Field[Any] | None) -> str:
        if field is None:
            return value
        try:
            checked: str = field.deserialize(value)
        except ValidationError as error:
            said = str(error.messages[0])
            raise self._wrong(name, value, said[:1].lower() + said[1:].rstrip(".")) from error
        return checked

    def _wrong(self, name: str, value: str, said: str) -> FileError:
        return FileError(f"{self.where(name)} is {shown(value)}: {said}")


def shown(value: object) -> str:
    """A value of the file as a message may repeat it: short, on one line, of characters that can be stored."""
    if not isinstance(value, str):
        return _KINDS.get(type(value), "a number")
    return repr(value if len(value) <= _SHOWN else f"{value[:_SHOWN]}…")
