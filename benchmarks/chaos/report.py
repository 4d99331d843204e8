"""The report of the chaos: a line for each scenario as it ends, a table in the end, and `benchmarks/chaos.json`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.chaos.accounts import Account
from benchmarks.results import machine

PATH: Final = Path(__file__).resolve().parents[1] / "chaos.json"
_COLUMNS: Final = ("mails", "lost", "doubled", "uncertain", "deaths", "seconds to recover")

_HEAD: Final = ("the mail server", "then", "in the end", "may be doubled", "waits at most", "")


@dataclass(frozen=True)
class Outcome:
    """How a scenario ended.

    Attributes:
        name: what happened.
        account: what became of the mails.
        deaths: how many processes were killed.
        recovery: seconds from the last harm to the end of all mails, one for each round.
        may_double: whether a mail may arrive twice here at all, with an `uncertain` entry.
    """

    name: str
    account: Account
    deaths: int
    recovery: tuple[float, ...]
    may_double: bool = True

    @property
    def is_broken(self) -> bool:
        """Whether it breaks the promise."""
        return self.account.breaks_the_promise or (self.account.doubled > 0 and not self.may_double)

    def cells(self) -> tuple[str, ...]:
        """Its row of the table."""
        it, seconds = self.account, self.recovery
        usual = f"{median(seconds):.1f}" if seconds else "-"
        at_most = f" (at most {max(seconds):.1f})" if len(seconds) > 1 else ""
        figures = (it.mails, it.lost, it.doubled, it.uncertain, self.deaths)
        return (self.name, *(f"{figure:,}" for figure in figures), usual + at_most)


@dataclass(frozen=True)
class Answer:
    """What became of a mail at which a mail server did something.

    Attributes:
        does: what the server did.
        became: the status after the try.
        then: the status when the server is well again and the time for the next try has come.
        expected: both, as documented.
        was_doubtful: whether it has an entry `uncertain`: the server may have taken it twice.
        waits: the longest that the next try may wait, in seconds; None if there is none.
    """

    does: str
    became: str
    then: str
    expected: tuple[str, str]
    was_doubtful: bool
    waits: float | None

    @property
    def is_broken(self) -> bool:
        """Whether it did not end as documented."""
        return (self.became, self.then) != self.expected or self.was_doubtful != (self.expected[0] == "uncertain")


@dataclass
class Report:
    """What is known so far."""

    outcomes: list[Outcome] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)

    @property
    def is_broken(self) -> bool:
        """Whether anything broke the promise."""
        return any(outcome.is_broken for outcome in self.outcomes) or any(answer.is_broken for answer in self.answers)

    def add(self, outcome: Outcome) -> None:
        """Keep a scenario's outcome, and say it."""
        self.outcomes.append(outcome)
        told = ", ".join(f"{name} {cell}" for name, cell in zip(_COLUMNS, outcome.cells()[1:], strict=True))
        print(f"  {'BROKEN ' if outcome.is_broken else ''}{outcome.name}: {told}", flush=True)

    def figures(self) -> dict[str, dict[str, Any]]:
        """The figures, named."""
        total = sum((outcome.account for outcome in self.outcomes), Account())
        deaths = sum(outcome.deaths for outcome in self.outcomes)
        of = f"{total.mails:,} mails in {len(self.outcomes)} scenarios with {deaths} deaths"
        killed = [seconds for outcome in self.outcomes if outcome.deaths for seconds in outcome.recovery]
        values: dict[str, tuple[float, str]] = {
            "chaos_mails": (total.mails, "mails"),
            "chaos_deaths": (deaths, "deaths"),
            "chaos_lost": (total.lost + total.unsent, "mails"),
            "chaos_doubled": (total.doubled, "mails"),
            "chaos_doubled_unexplained": (total.unexplained, "mails"),
            "chaos_uncertain": (total.uncertain, "mails"),
            "chaos_answers_as_documented": (sum(not answer.is_broken for answer in self.answers), "answers"),
        }
        if killed:
            values["chaos_recovery_s"] = (round(median(killed), 2), "s")
        return {name: {"value": value, "unit": unit, "of": of} for name, (value, unit) in values.items()}

    def tell(self) -> None:
        """Print the tables and the figures."""
        print()
        print(table([("what", *_COLUMNS), *(outcome.cells() for outcome in self.outcomes)]))
        if self.answers:
            print(f"\n{table([_HEAD, *map(_row, self.answers)])}")
        print()
        for name, figure in self.figures().items():
            print(f"{name}: {figure['value']} {figure['unit']}")

    def write(self, path: Path) -> None:
        """Write the file."""
        body = {
            "machine": machine(),
            "figures": self.figures(),
            "scenarios": [{**asdict(outcome), "is_broken": outcome.is_broken} for outcome in self.outcomes],
            "answers": [{**asdict(answer), "is_broken": answer.is_broken} for answer in self.answers],
        }
        path.write_text(json.dumps(body, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _row(answer: Answer) -> tuple[str, ...]:
    waits = "-" if answer.waits is None else f"{answer.waits:,.0f} s"
    verdict = f"BROKEN: expected {' and '.join(answer.expected)}" if answer.is_broken else "as documented"
    return (answer.does, answer.became, answer.then, "yes" if answer.was_doubtful else "no", waits, verdict)


def table(rows: list[tuple[str, ...]]) -> str:
    """Columns as wide as what is in them; the first row is the head."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])
