"""The pictures and the verdicts of the chaos."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.chaos.accounts import Account
from benchmarks.chaos.pictures import Entry, Harm, climb, entries
from benchmarks.chaos.report import Answer, Outcome, Report, table
from benchmarks.pictures import WIDTH

SVG = "{http://www.w3.org/2000/svg}"
MOMENTS = st.lists(st.floats(min_value=0, max_value=1e6, allow_nan=False), min_size=1, max_size=50).map(sorted)


def parsed(picture: str) -> ET.Element:
    return ET.fromstring(picture)  # noqa: S314 - our own, made a moment ago


@given(MOMENTS)
def test_the_number_of_arrived_mails_only_grows_and_stays_within_the_frame(moments: list[float]) -> None:
    picture = parsed(climb("Mails", moments, [Harm("killed", moments[0], moments[-1])]))
    line = picture.find(f"{SVG}polyline")
    assert line is not None
    points = [tuple(map(float, pair.split(","))) for pair in line.get("points", "").split()]
    assert points == sorted(points, key=lambda point: (point[0], -point[1]))
    assert all(0 <= across <= WIDTH and down >= 0 for across, down in points)


def test_a_timeline_tells_its_entries_to_those_who_cannot_see_it() -> None:
    picture = parsed(entries("A mail", [Entry(0.0, "queued", ""), Entry(1.5, "deferred", "451 <later>" + "x" * 90)]))
    assert (picture.findtext(f"{SVG}desc") or "").startswith("queued; deferred: 451 <later>")
    assert any(text.text == "+1.50 s" for text in picture.iter(f"{SVG}text"))


@pytest.mark.parametrize(
    ("account", "may_double", "is_broken"),
    [
        (Account(mails=10), False, False),
        (Account(mails=10, doubled=1, uncertain=2), True, False),
        (Account(mails=10, doubled=1, uncertain=2), False, True),
        (Account(mails=10, doubled=1, unexplained=1), True, True),
        (Account(mails=10, lost=1), True, True),
        (Account(mails=10, unsent=1), True, True),
    ],
)
def test_a_promise_is_broken_by_what_is_lost_or_doubled_without_a_word(
    account: Account, may_double: bool, is_broken: bool
) -> None:
    report = Report()
    report.add(Outcome("killed", account, 1, (2.0, 3.0), may_double))
    report.add(Outcome("only many", Account(mails=10), 0, (), may_double))
    assert report.is_broken == is_broken


def test_an_answer_that_did_not_end_as_documented_breaks_the_promise() -> None:
    good = Answer("550 to RCPT", "failed", "failed", ("failed", "failed"), was_doubtful=False, waits=None)
    silent = Answer("closes", "deferred", "sent", ("deferred", "sent"), was_doubtful=True, waits=2.0)
    assert not Report(answers=[good]).is_broken
    assert Report(answers=[good, silent]).is_broken


def test_a_table_has_columns() -> None:
    assert table([("what", "n"), ("mails", "1,000")]) == "what   n\n--------\nmails  1,000"
