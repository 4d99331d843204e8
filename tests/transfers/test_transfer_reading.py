"""Reading the file of an event: what is taken, and what is refused in one line that names the place."""

from __future__ import annotations

import json
import tracemalloc
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.models import Base
from app.transfers.errors import FileError
from app.transfers.reading import MAX_BYTES, MAX_SESSIONS, MAX_SPEAKERS, read_event
from tests.support.transfers import SMALL, changed, to_bytes


def read(content: object) -> Any:
    return read_event(content if isinstance(content, bytes) else to_bytes(content))


def refusal(content: object) -> str:
    with pytest.raises(FileError) as caught:
        read(content)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 300
    return message


# --- what is taken


def test_nulls_and_absent_fields_are_taken_as_nothing() -> None:
    del (content := changed((), json.loads(json.dumps(SMALL))))["event"]["timezone"]
    read_one = read(content)
    assert read_one.timezone == "UTC"
    assert read_one.location_name is None
    assert read_one.speakers[0].country is None
    assert read_one.sessions[1].starts_at is None
    assert read_one.sessions[1].state == "pending"


def test_a_speaker_named_twice_in_a_session_counts_once() -> None:
    assert read(SMALL).sessions[0].speakers == ("1", "2")


def test_an_empty_address_is_none() -> None:
    assert read(changed(("speakers", 0, "email"), "")).speakers[0].email is None


def test_a_break_in_a_text_of_one_line_is_a_space_and_other_spaces_stay() -> None:
    content = changed(("speakers", 0, "name"), "\tAna \t\n Al  meida \r\n")
    content["sessions"][0]["title"] = "One\r\nBcc: two@example.org"
    read_one = read(content)
    assert read_one.speakers[0].name == "Ana  Al  meida "
    assert read_one.sessions[0].title == "One Bcc: two@example.org"


def test_an_abstract_keeps_its_lines() -> None:
    assert read(changed(("sessions", 0, "short-abstract"), "a\r\nb\n\tc")).sessions[0].short_abstract == "a\nb\n\tc"


def test_html_is_text() -> None:
    title = "<script>alert(1)</script> & {event_name}"
    assert read(changed(("sessions", 0, "title"), title)).sessions[0].title == title


def test_unknown_names_are_ignored_whatever_they_hold() -> None:
    content = changed(("event", "topic"), {"deep": [[[1.5, -3, None]]]})
    content["sessions"][0] |= {"track": 7, "language": ["de"]}
    content["tracks"] = None
    assert read(content) == read(SMALL)


def test_a_byte_order_mark_is_no_hindrance() -> None:
    assert read(b"\xef\xbb\xbf" + to_bytes(SMALL)) == read(SMALL)


def test_the_real_conference_is_whole(conference: Path) -> None:
    real = read_event(conference.read_bytes())
    assert (len(real.speakers), len(real.sessions), real.size) == (207, 214, 422)
    assert (real.timezone, real.starts_at) == ("Asia/Singapore", datetime(2017, 3, 17, 1, tzinfo=UTC))
    assert any(" " in speaker.name for speaker in real.speakers)


@pytest.mark.parametrize(
    ("timezone", "text", "utc"),
    [
        ("Asia/Singapore", "2027-03-17T09:00:00+08:00", "2027-03-17T01:00:00"),
        ("Asia/Singapore", "2027-03-17T09:00:00", "2027-03-17T01:00:00"),
        ("Asia/Singapore", "2027-03-17T09:00:00Z", "2027-03-17T09:00:00"),
        ("Europe/Berlin", "2027-07-01 09:00:00.25", "2027-07-01T07:00:00.250000"),
        # Shown twice: the first is meant.
        ("Europe/Berlin", "2027-10-31T02:30:00", "2027-10-31T00:30:00"),
    ],
)
def test_a_time_without_an_offset_is_what_the_clocks_of_the_event_show(timezone: str, text: str, utc: str) -> None:
    content = changed(("event", "timezone"), timezone)
    content["sessions"][0]["starts-at"] = text
    assert read(content).sessions[0].starts_at == datetime.fromisoformat(utc).replace(tzinfo=UTC)


# --- what is refused


@pytest.mark.parametrize("content", [b"", b"{", b"\x00", b"[" * 100_000, b"nul", b'{"a": 1} x', b"\xff\xfe{}", b"'"])
def test_what_is_not_json_is_refused(content: bytes) -> None:
    assert "is not JSON" in refusal(content)


@pytest.mark.parametrize("number", [b"1e999", b"-1e999", b"NaN", b"Infinity", b"9" * 5000])
def test_numbers_that_are_none_are_refused(number: bytes) -> None:
    assert "is not JSON" in refusal(b'{"x": ' + number + b"}")


def test_other_encodings_are_refused() -> None:
    assert "UTF-8" in refusal(b'{"event": "\xe9"}')
    assert "UTF-8" in refusal(json.dumps(SMALL).encode("utf-16"))


def test_a_name_that_is_there_twice_is_refused() -> None:
    assert refusal(b'{"event": {"name": "a", "name": "b"}}') == "an object has the name 'name' twice"
    assert refusal(b'{"\\ud800": 1, "\\ud800": 2}') == r"an object has the name '\ud800' twice"


def test_a_file_that_is_too_large_is_refused() -> None:
    assert "more than 10,485,760 bytes" in refusal(b" " * (MAX_BYTES + 1))


@pytest.mark.parametrize("sign", [b"{},", b"[],", b'{"a":{}},'])
def test_a_file_of_very_many_small_values_is_refused_before_it_takes_memory(sign: bytes) -> None:
    content = b"[" + sign * (MAX_BYTES // len(sign) - 1) + b"0]"
    tracemalloc.start()
    try:
        assert "more than 1,000,000 values" in refusal(content)
        assert tracemalloc.get_traced_memory()[1] < 1024 * 1024
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("where", "value", "said"),
    [
        ((), [], "the whole must be a JSON object"),
        (("event",), None, "event must be a JSON object"),
        (("event", "name"), " ", "event.name is missing or empty"),
        (("event", "name"), "x" * 501, f"event.name is '{'x' * 40}…': at most 500 characters"),
        (("event", "location-name"), "x" * 501, "at most 500 characters"),
        (("event", "starts-at"), None, "event.starts-at is missing or empty"),
        (("event", "ends-at"), "tomorrow", "event.ends-at is 'tomorrow': it is not a time like 2026-11-21T10:00:00"),
        (("event", "ends-at"), "2027-02-30T00:00:00Z", "event.ends-at is '2027-02-30T00:00:00Z': it is not a time"),
        (("event", "ends-at"), "2027-03-17T08:59:00+08:00", "event.ends-at is before event.starts-at"),
        (("event", "starts-at"), "0001-01-01T00:00:00+08:00", "event.starts-at is '0001-01-01T00:00:00+08:00': it is"),
        (("event", "starts-at"), "0001-01-02T00:00:00", "it is too early or too late"),
        (("event", "ends-at"), "9999-12-31T23:59:59", "it is not a time"),
        (("event", "ends-at"), "9999-12-30T23:59:59-12:00", "it is too early or too late"),
        (("event", "timezone"), "Mars/Olympus", "event.timezone is 'Mars/Olympus': this must be the name of a time"),
        (("event", "timezone"), "../../etc/passwd", "this must be the name of a time zone"),
        (("speakers",), {}, "speakers must be a list"),
        (("speakers",), [None] * (MAX_SPEAKERS + 1), "speakers has 10001 entries: at most 10,000 are taken"),
        (("speakers", 1), 7, "speakers[1] must be a JSON object"),
        (("speakers", 1, "id"), "1", "speakers[1].id is '1', as of another before"),
        (("speakers", 1, "id"), 2, "speakers[1].id must be a text or null"),
        (("speakers", 1, "id"), None, "speakers[1].id is missing or empty"),
        (("speakers", 0, "name"), 5, "speakers[0].name must be a text or null"),
        (("speakers", 0, "name"), "a\x00b", r"speakers[0].name is 'a\x00b': it has a character that cannot be stored"),
        (("speakers", 0, "name"), "\ud800", r"speakers[0].name is '\ud800': it has a character that cannot be stored"),
        (("speakers", 0, "name"), "a\x1bb", r"speakers[0].name is 'a\x1bb': no control characters"),
        (("speakers", 0, "country"), "x" * 256, "at most 255 characters"),
        (("speakers", 0, "email"), "a@example.org, b@example.org", "this is not one e-mail address"),
        (("speakers", 0, "email"), "a@example.org\nBcc: b@example.org", "speakers[0].email is 'a@example.org\\nBcc"),
        (("speakers", 0, "email"), "x" * 300 + "@example.org", "at most 254 characters"),
        (("sessions",), None, "sessions must be a list"),
        (("sessions",), [None] * (MAX_SESSIONS + 1), "sessions has 10001 entries: at most 10,000 are taken"),
        (("sessions", 1, "id"), "7", "sessions[1].id is '7', as of another before"),
        (("sessions", 0, "title"), None, "sessions[0].title is missing or empty"),
        (("sessions", 0, "title"), ["x"], "sessions[0].title must be a text or null"),
        (("sessions", 0, "title"), "x" * 501, "at most 500 characters"),
        (("sessions", 0, "short-abstract"), "x" * 20_001, "at most 20000 characters"),
        (("sessions", 0, "short-abstract"), "\x0b", "no control characters"),
        (("sessions", 0, "state"), "maybe", "sessions[0].state is 'maybe': this must be one of: pending"),
        (("sessions", 0, "state"), True, "sessions[0].state must be a text or null"),
        (("sessions", 0, "speaker-ids"), None, "sessions[0].speaker-ids must be a list"),
        (("sessions", 0, "speaker-ids"), ["9"], "sessions[0].speaker-ids names '9', which is no speaker's id"),
        (("sessions", 0, "speaker-ids"), [["1"]], "sessions[0].speaker-ids names a list, which is no speaker's id"),
        (("sessions", 0, "speaker-ids"), [10**400], "names a number, which is no speaker's id"),
        (("sessions", 0, "speaker-ids"), ["1"] * 101, "sessions[0].speaker-ids has 101 entries: at most 100 are taken"),
        (("sessions", 1, "ends-at"), "25:00", "sessions[1].ends-at is '25:00': it is not a time like"),
        (("sessions", 1, "ends-at"), 1.5, "sessions[1].ends-at must be a text or null"),
    ],
)
def test_another_shape_is_refused_with_the_place(where: tuple[Any, ...], value: Any, said: str) -> None:
    assert said in refusal(changed(where, value))


def test_all_sessions_together_have_a_bounded_number_of_speakers() -> None:
    content = changed(("speakers",), [{"id": str(number), "name": "Ana"} for number in range(100)])
    ids = [speaker["id"] for speaker in content["speakers"]]
    content["sessions"] = [{"title": "All of us", "speaker-ids": ids}] * 1001
    assert refusal(content) == "the sessions have more than 100,000 speakers together"
    content["sessions"].pop()
    assert len(read(content).sessions) == 1000


def test_a_time_that_the_clocks_never_show_is_refused() -> None:
    content = changed(("event", "timezone"), "Europe/Berlin")
    content["sessions"][0]["starts-at"] = "2027-03-28T02:30:00"
    assert "not a time that the clocks of Europe/Berlin show" in refusal(content)


def test_a_session_does_not_end_before_it_starts() -> None:
    content = changed(("sessions", 1, "starts-at"), "2027-03-17T10:00:00+08:00")
    content["sessions"][1]["ends-at"] = "2027-03-17T01:59:59Z"
    assert refusal(content) == "sessions[1].ends-at is before sessions[1].starts-at"


def test_the_limits_are_those_of_the_columns() -> None:
    tables = Base.metadata.tables
    for table, column, longest, where in (
        ("events", "name", 500, ("event", "name")),
        ("events", "location_name", 500, ("event", "location-name")),
        ("speakers", "name", 500, ("speakers", 0, "name")),
        ("speakers", "organisation", 500, ("speakers", 0, "organisation")),
        ("speakers", "country", 255, ("speakers", 0, "country")),
        ("sessions", "title", 500, ("sessions", 0, "title")),
    ):
        assert tables[table].c[column].type.length == longest
        read(changed(where, "x" * longest))
        refusal(changed(where, "x" * (longest + 1)))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
places = st.sampled_from(
    [(), ("event",), *((kind, 0) for kind in ("speakers", "sessions")), ("speakers",), ("sessions",)]
    + [("event", name) for name in ("name", "starts-at", "ends-at", "timezone", "location-name")]
    + [("speakers", 0, name) for name in ("id", "name", "email", "organisation", "country")]
    + [("sessions", 0, name) for name in ("id", "title", "short-abstract", "starts-at", "state", "speaker-ids")]
)


@settings(max_examples=300, deadline=None)
@given(where=places, value=values)
def test_whatever_stands_in_a_place_is_taken_or_refused(where: tuple[Any, ...], value: Any) -> None:
    with suppress(FileError):
        read(changed(where, value))


@settings(max_examples=200, deadline=None)
@given(content=st.binary(max_size=60))
def test_whatever_the_bytes_are_nothing_else_is_raised(content: bytes) -> None:
    with pytest.raises(FileError):
        read_event(content)
