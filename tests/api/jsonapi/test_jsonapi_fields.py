"""Attributes: what each kind takes, refuses, and gives back."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError
from marshmallow.fields import Field

from app.api.jsonapi.fields import (
    Choice,
    Currency,
    Day,
    DecimalNumber,
    EmailAddress,
    JsonValue,
    Language,
    StrictBoolean,
    Text,
    Timestamp,
    Timezone,
    WholeNumber,
)
from app.api.jsonapi.jsontext import JsonTextError, loads, parse_id
from app.api.jsonapi.timestamps import EARLIEST, LATEST, format_timestamp, parse_timestamp

NAME, LINES = Text(10, minimum=1), Text(10, lines=True)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (NAME, "Zoë 😀"),
        (NAME, "<b>{x}</b>"),
        (Text(10), ""),
        (LINES, "a\n\tb"),
        (StrictBoolean(), True),
        (WholeNumber(1, 65535), 25),
        (Choice(("a", "b")), "b"),
        (Timezone(), "Europe/Berlin"),
        (Language(), "en"),
        (Language(), "pt-BR"),
        (Language(), "zh_Hans_CN"),
        (EmailAddress(), "ana@example.org"),
        (EmailAddress(), "a.b+c@sub.test"),
        (JsonValue(), {"a": [1, None]}),
    ],
)
def test_a_good_value_is_taken_as_it_is(field: Field[Any], value: Any) -> None:
    assert field.deserialize(value) == value


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[(NAME, value) for value in (1, True, [], {}, "", "   ", "x" * 11)],
        *[(NAME, value) for value in ("a\nb", "a\tb", "a\x1bb", "a\x7f", "a\u2028b")],
        *[(LINES, value) for value in (1, "x" * 11, "a\x0bb", "a\rb", "a\x85b")],
        *[(StrictBoolean(), value) for value in (0, 1, "true", "", [], 1.0)],
        *[(WholeNumber(1, 65535), value) for value in (0, 65536, 1.0, "25", True, 10**30)],
        *[(Choice(("a", "b")), value) for value in ("c", "", 1, ["a"], {}, "A")],
        *[(Timezone(), value) for value in ("Europe/Atlantis", "", 1, [], "../../etc/passwd", "europe/berlin")],
        *[(Language(), value) for value in ("", "xx", "english", "en_XX_YY_ZZ_AA", 1, "e\n", "../en", "en-")],
        *[
            (EmailAddress(), value)
            for value in (
                "",
                "ana",
                "ana@",
                "@example.org",
                "ana@example.org\n",
                "ana@example.org\r\nBcc: b@example.org",
                "a@example.org,b@example.org",
                "a@example.org b@example.org",
                "Ana <ana@example.org>",
                "änne@example.org",
                "a" * 250 + "@example.org",
                "a@b@example.org",
                1,
                ["a@example.org"],
                None,
            )
        ],
    ],
)
def test_a_bad_value_is_refused(field: Field[Any], value: Any) -> None:
    with pytest.raises(ValidationError):
        field.deserialize(value)


def test_line_breaks_are_one_character() -> None:
    assert LINES.deserialize("a\r\nb") == "a\nb"


def test_null_is_taken_where_it_may_be() -> None:
    assert Text(10, allow_none=True).deserialize(None) is None
    with pytest.raises(ValidationError):
        Text(10).deserialize(None)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-21T10:00:00Z", datetime(2026, 11, 21, 10, tzinfo=UTC)),
        ("2026-11-21t10:00:00.5z", datetime(2026, 11, 21, 10, 0, 0, 500000, tzinfo=UTC)),
        ("2026-11-21 10:00:00.123456789+02:00", datetime(2026, 11, 21, 8, 0, 0, 123456, tzinfo=UTC)),
        ("2026-11-21T00:00:00-23:59", datetime(2026, 11, 21, 23, 59, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_with_its_offset(text: str, moment: datetime) -> None:
    assert parse_timestamp(text) == moment
    assert parse_timestamp(format_timestamp(moment)) == moment


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-21T10:00:00",
        "2026-11-21",
        "10:00:00Z",
        "2026-11-21T10:00Z",
        "2026-11-21T10:00:00+2:00",
        "2026-11-21T10:00:00+24:00",
        "2026-11-21T24:00:01Z",
        "2026-11-21T23:59:60Z",
        "2026-13-21T10:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+10:00",
        "9999-12-31T23:59:59-10:00",
        "٢٠٢٦-11-21T10:00:00Z",
        "2026-W01-1T10:00:00Z",
        "2026-11-21T10:00:00Z\n",
        1700000000,
        True,
        None,
        [],
    ],
)
def test_what_is_no_time_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError):
        Timestamp().deserialize(value)


@given(st.datetimes(timezones=st.timezones()))
def test_every_time_within_the_bounds_survives_being_written_and_read(moment: datetime) -> None:
    try:
        inside = EARLIEST <= moment <= LATEST
    except OverflowError:
        inside = False
    if inside:
        # In UTC: Python calls no two times equal of which one is in the hour that a clock is set back or forward.
        assert parse_timestamp(format_timestamp(moment)) == moment.astimezone(UTC)


def test_the_bounds_can_be_shown_in_any_time_zone() -> None:
    for moment in (EARLIEST, LATEST):
        for hours in (-23, 23):
            assert moment.astimezone(timezone(timedelta(hours=hours))) == moment


@given(st.text())
def test_any_text_at_all_is_a_time_or_is_refused(text: str) -> None:
    for field in (Timestamp(), EmailAddress(), Language(), Timezone(), NAME, LINES):
        try:
            field.deserialize(text)
        except ValidationError:
            continue


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("0", 0), (str(2**63 - 1), 2**63 - 1)])
def test_an_id_is_digits_within_a_bigint(text: str, number: int) -> None:
    assert parse_id(text) == number


@pytest.mark.parametrize("value", ["", "01", "-1", "+1", " 1", "1\n", "٣", "1.0", str(2**63), "9" * 30, 1, None, []])
def test_anything_else_is_no_id(value: object) -> None:
    assert parse_id(value) is None


def test_the_place_of_what_cannot_be_stored_is_told() -> None:
    with pytest.raises(JsonTextError) as raised:
        loads('{"a/b": [{"c~": "x\\u0000"}]}')
    assert raised.value.pointer == "/a~1b/0/c~0"


def test_depth_is_bounded_at_32() -> None:
    loads("[" * 32 + "]" * 32)
    with pytest.raises(JsonTextError):
        loads("[" * 33 + "]" * 33)


@given(st.integers(0, 100_000_000))
def test_an_amount_is_exact_on_its_way_through_json(cents: int) -> None:
    field, amount = DecimalNumber(0, 1_000_000), Decimal(cents) / 100
    shown = field.serialize("amount", {"amount": amount})
    assert field.deserialize(json.loads(json.dumps(shown))) == amount


@given(st.floats() | st.integers())
def test_an_amount_has_at_most_two_decimals_and_is_within_its_bounds(value: float) -> None:
    field = DecimalNumber(0, 100)
    try:
        amount = field.deserialize(value)
    except ValidationError:
        return
    assert 0 <= amount <= 100
    assert amount == round(amount, 2) == Decimal(repr(value))


def test_a_day_is_read_as_the_calendar_has_it() -> None:
    assert Day().serialize("day", {"day": date(2026, 11, 1)}) == "2026-11-01"
    assert Day().serialize("day", {"day": None}) is None


@pytest.mark.parametrize("code", ["EUR", "USD", "JPY", "KWD"])
def test_a_currency_is_one_of_iso_4217(code: str) -> None:
    assert Currency().deserialize(code) == code
