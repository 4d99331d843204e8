"""Times in a file: with the offset of the event's timezone when written, with any or none when read."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from app.api.jsonapi.timestamps import EARLIEST, LATEST, parse_timestamp

_OFFSET: Final = re.compile(r"(?:[Zz]|[+-][0-9]{2}:[0-9]{2})\Z")


def read_time(text: str, zone: ZoneInfo) -> datetime:
    """The moment, in UTC. One without an offset is what the clocks of `zone` show; of two such moments the first.

    Raises:
        ValueError: it is not RFC 3339, with or without the offset; or the clocks of the zone never show it.
    """
    if _OFFSET.search(text):
        return parse_timestamp(text)
    try:
        shown = parse_timestamp(f"{text}Z").replace(tzinfo=None)
    except ValueError as error:
        raise ValueError("not a time like 2026-11-21T10:00:00+01:00") from error
    moment = shown.replace(tzinfo=zone).astimezone(UTC)
    if not EARLIEST <= moment <= LATEST:
        raise ValueError("too early or too late")
    if moment.astimezone(zone).replace(tzinfo=None) != shown:
        raise ValueError(f"not a time that the clocks of {zone.key} show: they are put forward there")
    return moment


def write_time(moment: datetime | None, zone: ZoneInfo) -> str | None:
    """The moment as RFC 3339 with the zone's offset, in UTC where the zone's offset has seconds (RFC 3339 has none)."""
    if moment is None:
        return None
    local = moment.astimezone(zone)
    offset = local.utcoffset() or timedelta()
    return (moment.astimezone(UTC) if offset.total_seconds() % 60 else local).isoformat()
