"""What the demo shows where there is no terminal."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len

from app.demo.checks import Check
from app.demo.client import Answer
from app.demo.failure import DemoFailure
from app.demo.screen import Screen


@pytest.fixture
def output() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def screen(output: io.StringIO) -> Screen:
    return Screen(output)


def answer(path: str, status: int = 200) -> Answer:
    return Answer("GET", path, status, "application/vnd.api+json", {})


def test_what_came_is_never_taken_for_markup(screen: Screen, output: io.StringIO) -> None:
    hostile = "[red]<script>[/red] :smile: {0.__class__}"
    screen.say(hostile)
    screen.answer(answer("/v1/x"), "[bold]y[/bold]")
    screen.table(("[b]title",), [("[link=x]a[/link]",)])
    shown = output.getvalue()
    assert hostile in shown
    for text in ("[bold]y[/bold]", "[b]title", "[link=x]a[/link]"):
        assert text in shown


def test_a_token_in_a_path_is_not_shown(screen: Screen, output: io.StringIO) -> None:
    screen.answer(answer("http://127.0.0.1:5000/verify?token=abc"), "the page")
    assert "/verify?token=…" in output.getvalue()
    assert "abc" not in output.getvalue()


def test_nothing_is_wider_than_eighty_columns(screen: Screen, output: io.StringIO) -> None:
    screen.title("A step " * 20)
    screen.answer(answer("/v1/" + "long" * 40), "came " * 30)
    screen.table(("id", "title", "at"), [("1", "🎤 wide title " * 12, "10:00:00")], "title")
    screen.facts("Facts " * 20, [("name", "value" * 40)])
    assert max(cell_len(line) for line in output.getvalue().splitlines()) <= 80


def test_a_check_that_failed_ends_the_play(screen: Screen, output: io.StringIO) -> None:
    screen.check(Check("told once", "1", "1"))
    assert "✓ told once" in output.getvalue()
    with pytest.raises(DemoFailure, match="told once: expected 1; came: 2"):
        screen.check(Check("told once", "1", "2"))


def test_where_the_encoding_lacks_the_marks_others_stand_for_them() -> None:
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding="ascii", errors="replace") as file:
        Screen(file).check(Check("told once", "1", "1"))
        Screen(file).failure(DemoFailure("a", "b", "c"))
        file.flush()
        shown = raw.getvalue().decode()
    assert "+ told once" in shown
    assert "! a: expected b; came: c" in shown


def test_a_failure_is_one_line_that_says_what_was_expected_and_what_came(screen: Screen, output: io.StringIO) -> None:
    screen.failure(DemoFailure("POST /v1/sessions", "201", "500 " + "x" * 200))
    assert f"✗ POST /v1/sessions: expected 201; came: 500 {'x' * 200}\n" in output.getvalue()
