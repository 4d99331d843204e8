"""A user's clock: the end of the quiet hours that it is within, and when the next digest is made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import RowMapping

from app.models.preference import HOURLY, WEEKLY

DIGEST_HOUR: Final = 8
MONDAY: Final = 0


@dataclass(frozen=True)
class Hours:
    """What a user said of his day, in his timezone."""

    timezone: str = "UTC"
    quiet_from: time | None = None
    quiet_until: time | None = None
    digest_hour: int = DIGEST_HOUR
    digest_weekday: int = MONDAY

    def end_of_quiet(self, now: datetime) -> datetime | None:
        """When the quiet hours end that `now` is within; None outside of them."""
        if self.quiet_from is None or self.quiet_until is None or self.quiet_from == self.quiet_until:
            return None
        here = now.astimezone(zone_of(self.timezone))
        # Those of today, or, over midnight, those that began yesterday.
        for day in (here.date() - timedelta(days=1), here.date()):
            begins = datetime.combine(day, self.quiet_from, here.tzinfo).astimezone(UTC)
            last = day if self.quiet_until > self.quiet_from else day + timedelta(days=1)
            # Where clocks are set back an end may come twice: as long as they show quiet hours, it is quiet.
            end = datetime.combine(last, self.quiet_until, here.tzinfo)
            ends = max(end.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
            if begins <= now < ends:
                return ends
        return None

    def next_digest(self, mode: str, now: datetime) -> datetime:
        """The next full hour, or the next day or week's `digest_hour`, after `now`; within quiet hours, their end."""
        due = self._next(mode, now)
        return self.end_of_quiet(due) or due

    def _next(self, mode: str, now: datetime) -> datetime:
        here = now.astimezone(zone_of(self.timezone))
        if mode == HOURLY:
            # From UTC, since an hour on the wall may come twice; in some zones its full hours are UTC's half ones.
            since = timedelta(minutes=here.minute, seconds=here.second, microseconds=here.microsecond)
            return (here.astimezone(UTC) - since) + timedelta(hours=1)
        day = here.date()
        while True:
            due = datetime.combine(day, time(self.digest_hour), here.tzinfo).astimezone(UTC)
            if due > now and (mode != WEEKLY or day.weekday() == self.digest_weekday):
                return due
            day += timedelta(days=1)


def hours_of(row: RowMapping) -> Hours:
    """Those of a user, from columns of `users` and of `delivery_hours`, which are null where nothing was said."""
    hour, weekday = row["digest_hour"], row["digest_weekday"]
    return Hours(
        row["timezone"],
        row["quiet_from"],
        row["quiet_until"],
        DIGEST_HOUR if hour is None else hour,
        MONDAY if weekday is None else weekday,
    )


def zone_of(name: str) -> ZoneInfo:
    """A time zone by name; UTC, if it is gone from the database of them."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
