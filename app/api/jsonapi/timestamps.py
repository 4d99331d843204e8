"""Times as RFC 3339 has them, within what Python and PostgreSQL can both hold in any time zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

_RFC3339: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)
# A day from the ends of what Python can hold: a database session in another time zone reads it back without overflow.
EARLIEST: Final = datetime(1, 1, 2, tzinfo=UTC)
LATEST: Final = datetime(9999, 12, 30, tzinfo=UTC)


def parse_timestamp(text: str) -> datetime:
    """The moment that an RFC 3339 timestamp names, in UTC, to the microsecond.

    Raises:
        ValueError: it is none, has no offset, or is outside the years 1 to 9999 (less a day at either end).
    """
    if not _RFC3339.fullmatch(text):
        raise ValueError("not a time like 2026-11-21T10:00:00Z; the offset is needed")
    try:
        moment = datetime.fromisoformat(text.upper().replace(" ", "T")).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError("not a time that exists") from error
    if not EARLIEST <= moment <= LATEST:
        raise ValueError("too early or too late")
    return moment


def format_timestamp(moment: datetime) -> str:
    """The moment in UTC, like `2026-11-21T10:00:00.123456Z`."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
