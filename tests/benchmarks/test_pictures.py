"""The pictures of the benchmarks: well-formed, with the figures in them, and nothing outside the frame."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import pictures
from benchmarks.pictures import WIDTH, bars, distribution, save

SVG = "{http://www.w3.org/2000/svg}"
VALUES = st.floats(min_value=0, max_value=1e9, allow_nan=False)


def parsed(picture: str) -> ET.Element:
    return ET.fromstring(picture)  # noqa: S314 - our own, made a moment ago


def test_bars_are_as_long_as_their_values() -> None:
    picture = parsed(bars("Rates", [("Usher", 2000.0), ("other", 500.0)], "mails/s"))
    ours, other = (float(bar.get("width", "")) for bar in picture.iter(f"{SVG}rect"))
    assert ours == pytest.approx(4 * other, rel=0.01)


def test_a_picture_tells_its_figures_to_those_who_cannot_see_it() -> None:
    picture = parsed(bars("Rates", [("Usher", 2000.4), ("a & b", 12.34)], "mails/s"))
    assert picture.findtext(f"{SVG}title") == "Rates"
    assert picture.findtext(f"{SVG}desc") == "Usher: 2,000 mails/s; a & b: 12.3 mails/s"


def test_a_mark_stands_where_its_value_is() -> None:
    picture = parsed(distribution("Latency", [1.0, 2.0, 4.0], "ms", {"half": 2.0, "end": 4.0}))
    half, end = (float(line.get("x1", "")) for line in picture.iter(f"{SVG}line") if line.get("class") == "m")
    assert half - 16 == pytest.approx((end - 16) / 2, abs=0.2)


def test_both_sides_of_light_and_dark_have_a_colour_of_text() -> None:
    picture = bars("Rates", [("Usher", 1.0)], "x")
    assert "prefers-color-scheme:light" in picture
    assert "prefers-color-scheme:dark" in picture


@given(st.lists(st.tuples(st.text(st.characters(codec="ascii", categories=("L", "P", "S"))), VALUES), max_size=5))
def test_bars_of_any_values_are_well_formed_and_within_the_frame(rows: list[tuple[str, float]]) -> None:
    picture = parsed(bars("Rates", rows, "mails/s"))
    assert all(
        float(bar.get("x", "")) + float(bar.get("width", "")) <= WIDTH - 100 for bar in picture.iter(f"{SVG}rect")
    )


@given(st.lists(VALUES, min_size=1, max_size=50))
def test_a_distribution_of_any_values_is_well_formed_and_within_the_frame(values: list[float]) -> None:
    picture = parsed(distribution("Latency", values, "ms", {"largest": max(values)}))
    for bar in picture.iter(f"{SVG}rect"):
        assert float(bar.get("x", "")) + float(bar.get("width", "")) <= WIDTH
        assert float(bar.get("y", "")) >= 0


def test_a_rehearsal_keeps_no_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "FOLDER", tmp_path)
    monkeypatch.setenv("BENCH_QUICK", "1")
    save("rates", bars("Rates", [], "x"))
    assert not list(tmp_path.iterdir())
    monkeypatch.delenv("BENCH_QUICK")
    save("rates", bars("Rates", [], "x"))
    assert [path.name for path in tmp_path.iterdir()] == ["rates.svg"]
