"""Pictures of the chaos: how many mails had arrived at each moment, and the timeline of one mail."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from benchmarks.pictures import MARGIN, TITLE, WIDTH, figure, frame, mark

_PLOT: Final = 200
_STEPS: Final = 200
_ENTRY: Final = 40
# Signs of about 7 px that have room beside an entry's name.
_DETAIL: Final = 74


@dataclass(frozen=True)
class Harm:
    """What was done, and from when to when, in seconds."""

    name: str
    begun: float
    ended: float


def climb(title: str, moments: Sequence[float], harms: Sequence[Harm]) -> str:
    """How the number of arrived mails grew, with what was done in the meantime.

    Args:
        title: what arrived where.
        moments: when each mail arrived, in seconds and in order; there is at least one.
        harms: each gets a line with its name, and grey if it lasted.
    """
    end = max(moments[-1], *(harm.ended for harm in harms), 0.1)
    floor = TITLE + 16 * len(harms) + 8 + _PLOT

    def across(seconds: float) -> float:
        return MARGIN + (WIDTH - 2 * MARGIN) * seconds / end

    def point(step: int) -> str:
        seconds = end * step / _STEPS
        return f"{across(seconds):.1f},{floor - _PLOT * bisect_right(moments, seconds) / len(moments):.1f}"

    parts = [
        f'<rect class="p" opacity="0.3" x="{across(harm.begun):.1f}" y="{floor - _PLOT}" height="{_PLOT}" '
        f'width="{across(harm.ended) - across(harm.begun):.1f}"/>'
        for harm in harms
    ]
    parts += [mark(harm.name, across(harm.begun), row, floor) for row, harm in enumerate(harms)]
    parts.append(f'<polyline class="l" points="{" ".join(map(point, range(_STEPS + 1)))}"/>')
    parts.append(f'<line class="a" x1="{MARGIN}" y1="{floor}" x2="{WIDTH - MARGIN}" y2="{floor}"/>')
    for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        parts.append(
            f'<text x="{across(end * share):.1f}" y="{floor + 18}" text-anchor="{anchor}">'
            f"{figure(end * share, 's')}</text>"
        )
    told = f"{len(moments)} mails in {figure(end, 's')}; " + "; ".join(
        f"{harm.name} at {figure(harm.begun, 's')}" for harm in harms
    )
    return frame(title, told, parts, floor + 28)


@dataclass(frozen=True)
class Entry:
    """An entry of a timeline: seconds since the first, the event, and what was said."""

    seconds: float
    event: str
    said: str


def entries(title: str, timeline: Sequence[Entry]) -> str:
    """A timeline from top to bottom."""
    bottom = TITLE + 10 + _ENTRY * (len(timeline) - 1)
    parts = [f'<line class="a" x1="{MARGIN + 5}" y1="{TITLE + 10}" x2="{MARGIN + 5}" y2="{bottom}"/>']
    for row, entry in enumerate(timeline):
        top = TITLE + _ENTRY * row
        said = entry.said if len(entry.said) <= _DETAIL else f"{entry.said[: _DETAIL - 1]}…"
        parts.append(
            f'<circle class="o" cx="{MARGIN + 5}" cy="{top + 10}" r="5"/>'
            f'<text class="t" x="{MARGIN + 20}" y="{top + 14}">{escape(entry.event)}</text>'
            f'<text x="{WIDTH - MARGIN}" y="{top + 14}" text-anchor="end">+{entry.seconds:.2f} s</text>'
            f'<text x="{MARGIN + 20}" y="{top + 30}">{escape(said)}</text>'
        )
    told = "; ".join(f"{entry.event}: {entry.said}" if entry.said else entry.event for entry in timeline)
    return frame(title, told, parts, TITLE + _ENTRY * len(timeline) + MARGIN // 2)
