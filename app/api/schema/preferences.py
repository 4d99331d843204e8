"""What users say of how they want to be told: read from a document, with a pointer to whatever cannot be."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import time
from typing import Any, Final, NamedTuple

from app.api.jsonapi.errors import Unprocessable
from app.api.jsonapi.fields import JsonValue
from app.api.jsonapi.jsontext import escape
from app.api.jsonapi.schema import Schema
from app.happenings.deciding.hours import DIGEST_HOUR, MONDAY
from app.happenings.types import EVERYTHING, EventTypeError, check_pattern
from app.models.event_type import CHANNELS, MAIL
from app.models.preference import MAX_MINUTES, MODES, OFF, ON, UNREAD

MAX_TYPES: Final = 200
WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)
_ATTRIBUTES: Final = "/data/attributes"
_LAST_HOUR: Final = 23


class PreferencesSchema(Schema):
    """The attributes that there are; what is within them is read by the functions below."""

    class Meta:
        type_ = "preferences"

    channels = JsonValue()
    types = JsonValue()
    quiet_hours = JsonValue(allow_none=True)
    digest = JsonValue()
    timezone = JsonValue(dump_only=True)
    available_channels = JsonValue(dump_only=True)


class Wanted(NamedTuple):
    """One wish: how a channel is to tell of the types of a pattern."""

    pattern: str
    channel: str
    mode: str
    minutes: int | None


class Quiet(NamedTuple):
    """The hours of the day when a user wants to be left alone."""

    begins: time
    ends: time


class Digest(NamedTuple):
    """When a user's digests come: an hour, and the day of the weekly ones, of which 0 is Monday."""

    hour: int = DIGEST_HOUR
    weekday: int = MONDAY


def read_channels(value: Any) -> list[Wanted]:
    """`{"mail": {"mode": "unread", "minutes": 30}, …}`; a channel that is not there, or null, is left to the types.

    Raises:
        Unprocessable: it is something else.
    """
    pointer = f"{_ATTRIBUTES}/channels"
    given = _object(value, pointer)
    wanted = []
    for channel, wish in given.items():
        where = f"{pointer}/{escape(channel)}"
        _choice(channel, CHANNELS, where)
        if wish is not None:
            wanted.append(Wanted(EVERYTHING, channel, *_mode(_object(wish, where, "mode", "minutes"), channel, where)))
    return wanted


def read_types(value: Any, known: Collection[str]) -> list[Wanted]:
    """`[{"type": pattern, "channel": …, "mode": …, "minutes": …}, …]`.

    Args:
        value: what was given.
        known: the patterns that match a declared type.

    Raises:
        Unprocessable: it is something else, a pattern matches no type, or two are of the same pattern and channel.
    """
    pointer = f"{_ATTRIBUTES}/types"
    if not isinstance(value, list) or len(value) > MAX_TYPES:
        raise Unprocessable(f"This must be a list of at most {MAX_TYPES} wishes.", pointer=pointer)
    found: dict[tuple[str, str], Wanted] = {}
    for index, item in enumerate(value):
        where = f"{pointer}/{index}"
        wish = _object(item, where, "type", "channel", "mode", "minutes")
        pattern = _pattern(wish.get("type"), known, f"{where}/type")
        channel = _choice(wish.get("channel"), CHANNELS, f"{where}/channel")
        if (pattern, channel) in found:
            raise Unprocessable("There is a wish for this type and channel already.", pointer=where)
        found[pattern, channel] = Wanted(pattern, channel, *_mode(wish, channel, where))
    return list(found.values())


def read_quiet(value: Any) -> Quiet | None:
    """`{"from": "22:00", "until": "07:00"}`, or null.

    Raises:
        Unprocessable: it is something else.
    """
    if value is None:
        return None
    pointer = f"{_ATTRIBUTES}/quiet-hours"
    given = _object(value, pointer, "from", "until")
    quiet = Quiet(*(_clock(given.get(name), f"{pointer}/{name}") for name in ("from", "until")))
    if quiet.begins == quiet.ends:
        raise Unprocessable("Quiet hours end at another time than they begin.", pointer=f"{pointer}/until")
    return quiet


def read_digest(value: Any) -> Digest:
    """`{"hour": 8, "weekday": "monday"}`; what is left out is as it is by default.

    Raises:
        Unprocessable: it is something else.
    """
    pointer = f"{_ATTRIBUTES}/digest"
    given = _object(value, pointer, "hour", "weekday")
    hour = given.get("hour", DIGEST_HOUR)
    if not isinstance(hour, int) or isinstance(hour, bool) or not 0 <= hour <= _LAST_HOUR:
        raise Unprocessable(f"This must be an hour from 0 to {_LAST_HOUR}.", pointer=f"{pointer}/hour")
    weekday = _choice(given.get("weekday", WEEKDAYS[MONDAY]), WEEKDAYS, f"{pointer}/weekday")
    return Digest(hour, WEEKDAYS.index(weekday))


def _object(value: Any, pointer: str, *members: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Unprocessable("This must be an object.", pointer=pointer)
    for name in value:
        if members and name not in members:
            raise Unprocessable(f"There are only: {', '.join(members)}.", pointer=f"{pointer}/{escape(name)}")
    return value


def _choice(value: Any, values: tuple[str, ...], pointer: str) -> str:
    if not isinstance(value, str) or value not in values:
        raise Unprocessable(f"This must be one of: {', '.join(values)}.", pointer=pointer)
    return value


def _mode(wish: Mapping[str, Any], channel: str, pointer: str) -> tuple[str, int | None]:
    mode = _choice(wish.get("mode"), MODES, f"{pointer}/mode")
    if channel != MAIL and mode not in (ON, OFF):
        raise Unprocessable("Only a mail can wait: this must be on or off.", pointer=f"{pointer}/mode")
    minutes = wish.get("minutes")
    if mode != UNREAD:
        if minutes is not None:
            raise Unprocessable("Only the mode unread has minutes.", pointer=f"{pointer}/minutes")
        return mode, None
    if not isinstance(minutes, int) or isinstance(minutes, bool) or not 1 <= minutes <= MAX_MINUTES:
        raise Unprocessable(f"This must be a number of minutes from 1 to {MAX_MINUTES}.", pointer=f"{pointer}/minutes")
    return mode, minutes


def _pattern(value: Any, known: Collection[str], pointer: str) -> str:
    try:
        pattern = check_pattern(value)
    except EventTypeError as error:
        raise Unprocessable(str(error), pointer=pointer) from error
    if pattern == EVERYTHING:
        raise Unprocessable("For all types say it of the channel, in channels.", pointer=pointer)
    if pattern not in known:
        raise Unprocessable("This matches no type that is declared.", pointer=pointer)
    return pattern


def _clock(value: Any, pointer: str) -> time:
    if not isinstance(value, str) or not _CLOCK.fullmatch(value):
        raise Unprocessable("This must be a time of the day like 22:00.", pointer=pointer)
    return time.fromisoformat(value)
