"""How much the benchmarks do: in full, or just enough to see that they run (`BENCH_QUICK=1`)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Scale:
    """Counts of mails, rounds and rows.

    Attributes:
        mails: queued, or drained, in one round of one side.
        rounds: of each side; the median counts.
        sweep_mails: drained for each setting of the peer that is tried.
        single: mails that go one at a time.
        few: rows of the small table of claims.
        many: rows of the large one.
        claims: pairs of claims.
    """

    mails: int
    rounds: int
    sweep_mails: int
    single: int
    few: int
    many: int
    claims: int


FULL: Final = Scale(mails=5000, rounds=5, sweep_mails=5000, single=300, few=1000, many=1_000_000, claims=200)
QUICK: Final = Scale(mails=500, rounds=2, sweep_mails=300, single=20, few=1000, many=20_000, claims=20)


def is_quick() -> bool:
    """Whether only a rehearsal is wanted, whose figures are worth nothing."""
    return os.environ.get("BENCH_QUICK", "") not in ("", "0")


def scale() -> Scale:
    """What is wanted now."""
    return QUICK if is_quick() else FULL
