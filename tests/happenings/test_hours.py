"""A user's clock: quiet hours over midnight, where clocks change, and in zones of odd minutes; digests at his hour."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.happenings.deciding.hours import Hours
from app.models.preference import DAILY, DIGESTS, HOURLY, WEEKLY

ZONES = ("UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia")
CHAT = "Pacific/Chatham"
NIGHT = (time(22), time(7))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def local(text: str, zone: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.parametrize(
    ("zone", "quiet", "now", "ends"),
    [
        ("UTC", NIGHT, at("2026-11-21T21:59:59"), None),
        ("UTC", NIGHT, at("2026-11-21T22:00:00"), at("2026-11-22T07:00:00")),
        ("UTC", NIGHT, at("2026-11-22T06:59:59"), at("2026-11-22T07:00:00")),
        ("UTC", NIGHT, at("2026-11-22T07:00:00"), None),
        ("UTC", (time(12), time(13, 30)), at("2026-11-21T13:00:00"), at("2026-11-21T13:30:00")),
        ("UTC", (time(12), time(12)), at("2026-11-21T12:00:00"), None),
        (
            "Asia/Kathmandu",
            NIGHT,
            local("2026-11-21T23:00", "Asia/Kathmandu"),
            local("2026-11-22T07:00", "Asia/Kathmandu"),
        ),
        (CHAT, NIGHT, local("2026-11-21T06:00", CHAT), local("2026-11-21T07:00", CHAT)),
        # Clocks go from 2:00 to 3:00: the night is an hour shorter, and a quiet end that is left out comes after it.
        ("Europe/Berlin", NIGHT, at("2026-03-28T22:00:00"), at("2026-03-29T05:00:00")),
        ("Europe/Berlin", (time(22), time(2, 30)), at("2026-03-28T22:00:00"), at("2026-03-29T01:30:00")),
        # Clocks go from 3:00 to 2:00: an hour longer, also where it is the end that comes twice.
        ("Europe/Berlin", NIGHT, at("2026-10-24T21:00:00"), at("2026-10-25T06:00:00")),
        ("Europe/Berlin", (time(22), time(2, 30)), at("2026-10-24T21:00:00"), at("2026-10-25T01:30:00")),
        ("Europe/Berlin", (time(22), time(2, 30)), at("2026-10-25T01:10:00"), at("2026-10-25T01:30:00")),
        # A zone that is gone from the database is UTC.
        ("Mars/Olympus", NIGHT, at("2026-11-21T23:00:00"), at("2026-11-22T07:00:00")),
    ],
)
def test_quiet_hours_end_when_the_users_clock_says_so(
    zone: str, quiet: tuple[time, time], now: datetime, ends: datetime | None
) -> None:
    assert Hours(zone, *quiet).end_of_quiet(now) == ends


@pytest.mark.parametrize(
    ("mode", "hours", "now", "due"),
    [
        (HOURLY, Hours(), at("2026-11-21T10:00:00"), at("2026-11-21T11:00:00")),
        (HOURLY, Hours(), at("2026-11-21T10:59:59"), at("2026-11-21T11:00:00")),
        # Full hours of this zone are a quarter past those of UTC.
        (HOURLY, Hours("Asia/Kathmandu"), at("2026-11-21T10:00:00"), at("2026-11-21T10:15:00")),
        (HOURLY, Hours("Asia/Kathmandu"), at("2026-11-21T10:15:00"), at("2026-11-21T11:15:00")),
        (DAILY, Hours(digest_hour=8), at("2026-11-21T07:59:59"), at("2026-11-21T08:00:00")),
        (DAILY, Hours(digest_hour=8), at("2026-11-21T08:00:00"), at("2026-11-22T08:00:00")),
        (DAILY, Hours("Asia/Tokyo", digest_hour=8), at("2026-11-21T08:00:00"), at("2026-11-21T23:00:00")),
        # 2:00 is left out on this day: it is 3:00.
        (DAILY, Hours("Europe/Berlin", digest_hour=2), at("2026-03-28T12:00:00"), at("2026-03-29T01:00:00")),
        # The 21st is a Saturday.
        (WEEKLY, Hours(digest_weekday=0), at("2026-11-21T12:00:00"), at("2026-11-23T08:00:00")),
        (WEEKLY, Hours(digest_weekday=5), at("2026-11-21T08:00:00"), at("2026-11-28T08:00:00")),
        # Within quiet hours it waits for their end.
        (HOURLY, Hours("UTC", *NIGHT), at("2026-11-21T22:10:00"), at("2026-11-22T07:00:00")),
        (DAILY, Hours("UTC", *NIGHT, digest_hour=6), at("2026-11-21T12:00:00"), at("2026-11-22T07:00:00")),
    ],
)
def test_a_digest_comes_at_the_users_hour(mode: str, hours: Hours, now: datetime, due: datetime) -> None:
    assert hours.next_digest(mode, now) == due


moments = st.datetimes(datetime(2011, 12, 1), datetime(2027, 12, 31)).map(lambda moment: moment.replace(tzinfo=UTC))  # noqa: DTZ001 - UTC is put in
clocks = st.integers(0, 1439).map(lambda minute: time(minute // 60, minute % 60))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(ZONES), clocks, clocks, moments)
def test_quiet_hours_are_over_within_a_day_and_what_waits_for_them_is_outside(
    zone: str, begins: time, ends: time, now: datetime
) -> None:
    hours = Hours(zone, begins, ends)
    end = hours.end_of_quiet(now)
    if end is not None:
        assert now < end <= now + timedelta(hours=49)
        assert hours.end_of_quiet(end) is None or zone == "Pacific/Apia"
    shift = {now.astimezone(ZoneInfo(zone)).utcoffset()}
    shift |= {(now + timedelta(hours=hour)).astimezone(ZoneInfo(zone)).utcoffset() for hour in (-30, 30)}
    if len(shift) == 1:
        clock = now.astimezone(ZoneInfo(zone)).time()
        within = begins <= clock < ends if begins < ends else (clock >= begins or clock < ends) and begins != ends
        assert (end is not None) == within
        if end is not None:
            assert end.astimezone(ZoneInfo(zone)).time() == ends


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(ZONES), st.sampled_from(DIGESTS), st.integers(0, 23), st.integers(0, 6), moments)
def test_a_digest_comes_after_now_and_within_its_time(
    zone: str, mode: str, hour: int, weekday: int, now: datetime
) -> None:
    due = Hours(zone, digest_hour=hour, digest_weekday=weekday).next_digest(mode, now)
    longest = {HOURLY: timedelta(hours=1), DAILY: timedelta(hours=51), WEEKLY: timedelta(days=15)}[mode]
    assert now < due <= now + longest
