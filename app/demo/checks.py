"""Checks: what was expected, what came, and whether they are the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One comparison, in words for the terminal."""

    what: str
    expected: str
    came: str

    @property
    def ok(self) -> bool:
        """Whether it came out as expected."""
        return self.expected == self.came


def equal(what: str, expected: object, came: object) -> Check:
    """Compare two values that read well."""
    return Check(what, str(expected), str(came))


def exactly_once(what: str, expected: Iterable[object], came: Iterable[object]) -> Check:
    """Compare what should have come once each with what came, in any order."""
    return same(what, set(expected), came)


def same(what: str, expected: Iterable[object], came: Iterable[object]) -> Check:
    """Compare what should have come with what came: each as often as it is expected, in any order."""
    wanted, found = Counter(expected), Counter(came)
    missing, surplus = wanted - found, found - wanted
    said = f"{found.total()} of {wanted.total()}"
    if missing:
        said = f"{said}, {missing.total()} missing, such as {next(iter(missing))}"
    if surplus:
        said = f"{said}, {surplus.total()} too many, such as {next(iter(surplus))}"
    return Check(what, f"{wanted.total()} of {wanted.total()}", said)
