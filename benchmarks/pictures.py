"""Pictures of figures as small SVG files: readable on light and on dark pages, made without a library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Final

from benchmarks.peers.scale import is_quick

FOLDER: Final = Path(__file__).resolve().parents[1] / "docs" / "pictures"

WIDTH: Final = 640
# Around everything, and above it for the title, in px.
MARGIN: Final = 16
TITLE: Final = 40
_ROW: Final = 44
_BAR: Final = 16
# Room to the right of the longest bar for its figure, of about 7 px a character.
_FIGURE: Final = 110
_PLOT: Final = 180
_BINS: Final = 40
# Colours that can be read on white and on black alike, for viewers that do not tell which; others get better ones.
_STYLE: Final = (
    "text{font:13px system-ui,sans-serif;fill:#6e7781}.t{font-size:15px;font-weight:600}"
    ".o{fill:#2f81f7}.p{fill:#8b949e}.a{stroke:#8b949e}.m{stroke:#d4742c;stroke-dasharray:4 3}"
    ".l{fill:none;stroke:#2f81f7;stroke-width:2}"
    "@media(prefers-color-scheme:light){text{fill:#1f2328}}@media(prefers-color-scheme:dark){text{fill:#e6edf3}}"
)


def bars(title: str, rows: Sequence[tuple[str, float]], unit: str, ours: str = "Usher") -> str:
    """A picture of a horizontal bar for each row, its label above it and its figure behind it.

    Args:
        title: what is compared.
        rows: label and value, from top to bottom; values are not negative.
        unit: what stands behind each figure.
        ours: rows whose label begins so are coloured.
    """
    longest = max((value for _, value in rows), default=0.0) or 1.0
    parts = []
    for position, (label, value) in enumerate(rows):
        top = TITLE + _ROW * position
        width = (WIDTH - 2 * MARGIN - _FIGURE) * value / longest
        kind = "o" if label.startswith(ours) else "p"
        parts.append(
            f'<text x="{MARGIN}" y="{top + 14}">{escape(label)}</text>'
            f'<rect class="{kind}" x="{MARGIN}" y="{top + 20}" width="{width:.1f}" height="{_BAR}" rx="2"/>'
            f'<text x="{MARGIN + width + 8:.1f}" y="{top + 33}">{escape(figure(value, unit))}</text>'
        )
    told = "; ".join(f"{label}: {figure(value, unit)}" for label, value in rows)
    return frame(title, told, parts, TITLE + _ROW * len(rows) + MARGIN // 2)


def distribution(title: str, values: Sequence[float], unit: str, marks: Mapping[str, float]) -> str:
    """A picture of how often which value came, as a histogram, with lines at the marks.

    Args:
        title: what was measured.
        values: none is negative; there is at least one.
        unit: theirs, and that of the marks.
        marks: values worth a line, by name, such as `{"median": 12.5}`.
    """
    end = max(*values, *marks.values(), 0.0) * 1.02 or 1.0
    # The marks' labels have a row each, above the bars.
    floor = TITLE + 16 * len(marks) + 8 + _PLOT
    counts = [0] * _BINS
    for value in values:
        counts[min(int(value / end * _BINS), _BINS - 1)] += 1
    width = (WIDTH - 2 * MARGIN) / _BINS
    parts = [
        f'<rect class="o" x="{MARGIN + width * position:.1f}" y="{floor - height:.1f}" width="{width - 1:.1f}" '
        f'height="{height:.1f}"/>'
        for position, count in enumerate(counts)
        if (height := _PLOT * count / max(counts))
    ]
    parts.append(f'<line class="a" x1="{MARGIN}" y1="{floor}" x2="{WIDTH - MARGIN}" y2="{floor}"/>')
    for row, (name, value) in enumerate(marks.items()):
        parts.append(mark(f"{name} {figure(value, unit)}", MARGIN + (WIDTH - 2 * MARGIN) * value / end, row, floor))
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        place, anchor = MARGIN + (WIDTH - 2 * MARGIN) * share, {0.0: "start", 1.0: "end"}.get(share, "middle")
        parts.append(
            f'<text x="{place:.1f}" y="{floor + 18}" text-anchor="{anchor}">{figure(end * share, unit)}</text>'
        )
    told = f"{len(values)} values; " + "; ".join(f"{name}: {figure(value, unit)}" for name, value in marks.items())
    return frame(title, told, parts, floor + 28)


def save(name: str, picture: str) -> None:
    """Keep a picture as docs/pictures/NAME.svg; that of a rehearsal is thrown away."""
    if is_quick():
        return
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.svg").write_text(picture, encoding="utf-8")


def mark(label: str, place: float, row: int, floor: float) -> str:
    """A line with its label beside it: to the right, if there is room for signs of about 8 px."""
    top = TITLE + 4 + 16 * row
    is_left = place + 8 * len(label) > WIDTH
    anchor, beside = ("end", place - 5) if is_left else ("start", place + 5)
    return (
        f'<line class="m" x1="{place:.1f}" y1="{top}" x2="{place:.1f}" y2="{floor}"/>'
        f'<text x="{beside:.1f}" y="{top + 11}" text-anchor="{anchor}">{escape(label)}</text>'
    )


def figure(value: float, unit: str) -> str:
    """A figure as text: three digits that count, without an exponent."""
    digits = 0 if value >= 100 or value == 0 else 1 if value >= 10 else 2  # noqa: PLR2004 - decimal places
    return f"{value:,.{digits}f} {unit}"


def frame(title: str, told: str, parts: Sequence[str], height: float) -> str:
    """A picture with a title, what it tells in words, and its parts (elements of SVG)."""
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" '
        f'height="{height:.0f}" role="img">\n<title>{escape(title)}</title>\n<desc>{escape(told)}</desc>\n'
        f'<style>{_STYLE}</style>\n<text class="t" x="{MARGIN}" y="24">{escape(title)}</text>\n{body}\n</svg>\n'
    )
