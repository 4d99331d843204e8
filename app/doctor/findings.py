"""What a check has found: how bad it is, where, what, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report. No secret stands in any of its parts.

    Attributes:
        level: `ok`; `warning`: mail leaves, but something should be seen to; `problem`: mail does not leave, does not
            arrive, or does harm.
        check: what was looked at, in a word or two.
        where: the variable, the setting, the server or the record in question.
        what: what was found, as a sentence.
        advice: what to do; empty if nothing.
    """

    level: Level
    check: str
    where: str
    what: str
    advice: str = ""


def has_problem(findings: list[Finding]) -> bool:
    """Whether one of them is a problem."""
    return any(finding.level == "problem" for finding in findings)
