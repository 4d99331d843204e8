"""What counts as told exactly once."""

from __future__ import annotations

from app.demo.checks import equal, exactly_once, same


def test_everybody_told_once_passes_in_any_order() -> None:
    check = exactly_once("told", ["a", "b", "b"], ["b", "a"])
    assert check.ok
    assert check.came == "2 of 2"


def test_somebody_told_twice_fails_and_is_named() -> None:
    check = exactly_once("told", ["a", "b"], ["a", "b", "b"])
    assert not check.ok
    assert "1 too many, such as b" in check.came


def test_somebody_not_told_fails_and_is_named() -> None:
    check = exactly_once("told", [("a@example.org", "1"), ("a@example.org", "2")], [("a@example.org", "1")])
    assert not check.ok
    assert "1 missing, such as ('a@example.org', '2')" in check.came


def test_one_too_few_and_another_too_many_do_not_make_up_for_each_other() -> None:
    assert not exactly_once("told", ["a", "b"], ["a", "a"]).ok


def test_repeated_messages_must_come_as_often_as_expected() -> None:
    assert same("arrived", ["x", "x"], ["x", "x"]).ok
    assert not same("arrived", ["x", "x"], ["x"]).ok


def test_nothing_expected_and_nothing_came_passes() -> None:
    assert exactly_once("told", [], []).ok


def test_values_are_compared_as_they_read() -> None:
    assert equal("status", "404", 404).ok
    assert not equal("status", "404", 200).ok
