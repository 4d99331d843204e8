"""The clocks of the places where events are: days and months as people there count them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def days_later(moment: datetime, days: int, timezone: str) -> datetime:
    """The moment, in UTC, at which the clocks of a place show the same time so many days later (or earlier, below 0).

    A time that the clocks leave out is the one after the change; of one that they show twice it is the first.

    Raises:
        ZoneInfoNotFoundError: there is no such place.
    """
    # Arithmetic with a time that knows its zone is that of the wall clock: a day may have 23, 24 or 25 hours.
    return (moment.astimezone(ZoneInfo(timezone)) + timedelta(days=days)).astimezone(UTC)


def is_place(timezone: str) -> bool:
    """Whether there is a place with these clocks: a time zone may be gone from a newer database of them."""
    try:
        ZoneInfo(timezone)
    except ZoneInfoNotFoundError:
        return False
    return True


def month_of(moment: datetime, timezone: str) -> date:
    """The first day of the month that the clocks of a place show.

    Raises:
        ZoneInfoNotFoundError: there is no such place.
    """
    return moment.astimezone(ZoneInfo(timezone)).date().replace(day=1)


def month_before(month: date) -> date:
    """The first day of the month before."""
    return (month - timedelta(days=1)).replace(day=1)


def month_after(month: date) -> date:
    """The first day of the next month."""
    return (month + timedelta(days=31)).replace(day=1)


def beginning(day: date, timezone: str) -> datetime:
    """The moment, in UTC, at which a day begins in a place.

    Raises:
        ZoneInfoNotFoundError: there is no such place.
    """
    return datetime.combine(day, time(), ZoneInfo(timezone)).astimezone(UTC)
