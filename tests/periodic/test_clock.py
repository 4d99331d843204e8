from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest

from app.periodic.clock import beginning, days_later, month_after, month_before, month_of
from tests.support.calendar import at


@pytest.mark.parametrize(
    ("moment", "days", "expected"),
    [
        # An hour more lies between, since the clocks go back on the last Sunday of October.
        (at("Europe/Berlin", 2026, 10, 28, 9, 0), -7, "2026-10-21T07:00:00+00:00"),
        # An hour less.
        (at("Europe/Berlin", 2026, 3, 31, 9, 0), -7, "2026-03-24T08:00:00+00:00"),
        # 02:30 is left out on that day, so it is half past three.
        (at("Europe/Berlin", 2026, 4, 5, 2, 30), -7, "2026-03-29T01:30:00+00:00"),
        # 02:30 comes twice on that day: the first one.
        (at("Europe/Berlin", 2026, 11, 1, 2, 30), -7, "2026-10-25T00:30:00+00:00"),
        (at("Asia/Kathmandu", 2026, 5, 8, 10, 0), -7, "2026-05-01T04:15:00+00:00"),
        (at("Pacific/Kiritimati", 2026, 1, 8, 0, 30), -7, "2025-12-31T10:30:00+00:00"),
        # Samoa had no 30 December 2011: a week on its calendar is six days.
        (at("Pacific/Apia", 2012, 1, 2, 9, 0), -7, "2011-12-26T19:00:00+00:00"),
        (at("Pacific/Apia", 2011, 12, 29, 9, 0), 8, "2012-01-05T19:00:00+00:00"),
        (at("UTC", 2026, 2, 28, 23, 59), 1, "2026-03-01T23:59:00+00:00"),
    ],
)
def test_so_many_days_away_the_clocks_of_the_place_show_the_same_time(
    moment: datetime, days: int, expected: str
) -> None:
    assert days_later(moment.astimezone(UTC), days, str(moment.tzinfo)).isoformat() == expected


def test_a_month_is_that_of_the_place() -> None:
    moment = datetime(2026, 1, 31, 11, 0, tzinfo=UTC)
    assert month_of(moment, "Pacific/Kiritimati") == date(2026, 2, 1)
    assert month_of(moment, "Asia/Kathmandu") == date(2026, 1, 1)
    assert month_of(moment - timedelta(days=30), "Pacific/Pago_Pago") == date(2026, 1, 1)


def test_months_follow_each_other() -> None:
    month = date(2023, 12, 1)
    for _ in range(30):
        assert month_before(month_after(month)) == month
        assert (month_after(month) - timedelta(days=1)).month == month.month
        month = month_after(month)
    assert month == date(2026, 6, 1)


def test_a_day_begins_when_its_place_says_so() -> None:
    assert beginning(date(2026, 11, 1), "Asia/Kathmandu").isoformat() == "2026-10-31T18:15:00+00:00"
    # Midnight itself was left out there on that day.
    began = beginning(date(2023, 4, 28), "Africa/Cairo")
    assert began.astimezone(ZoneInfo("Africa/Cairo")).isoformat() == "2023-04-28T01:00:00+03:00"


def test_a_place_that_nobody_knows_is_an_error() -> None:
    with pytest.raises(ZoneInfoNotFoundError):
        days_later(datetime(2026, 1, 1, tzinfo=UTC), 7, "Europe/Atlantis")
