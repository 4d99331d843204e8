"""Writes the figures into the documents that quote them, so that no document says other than the last run.

A row of a table that begins with the name of a figure and its value, "| `chaos_lost` | 0 mails |", is such a quote.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

_FOLDER: Final = Path(__file__).parent
SCALING: Final = _FOLDER / "scaling.json"
SOURCES: Final = (_FOLDER / "results.json", _FOLDER / "chaos.json", SCALING)
DOCUMENTS: Final = tuple(_FOLDER.parent / "docs" / name for name in ("delivery.md", "benchmarks.md", "scaling.md"))
_QUOTE: Final = re.compile(r"^(\| `)([a-z][a-z0-9_]+)(` \| )(\?|[0-9][0-9.,]*)( [^ |]+ \|)", re.MULTILINE)


def figures() -> dict[str, dict[str, Any]]:
    """The figures of all runs, by name."""
    found: dict[str, dict[str, Any]] = {}
    for source in SOURCES:
        if source.exists():
            found |= json.loads(source.read_text(encoding="utf-8"))["figures"]
    return found


def shown(value: float) -> str:
    """A value as the documents write it."""
    return f"{value:,.0f}" if value == int(value) or value >= 1000 else f"{value:g}"  # noqa: PLR2004 - no decimals


def quoted(document: str, known: dict[str, dict[str, Any]]) -> str:
    """The document with the figures that are known."""

    def put(match: re.Match[str]) -> str:
        beginning, name, between, _, end = match.groups()
        if name not in known:
            return match[0]
        return f"{beginning}{name}{between}{shown(known[name]['value'])}{end}"

    return _QUOTE.sub(put, document)


def quote() -> None:
    """Bring all documents up to date."""
    known = figures()
    for path in DOCUMENTS:
        document = path.read_text(encoding="utf-8")
        if (fresh := quoted(document, known)) != document:
            path.write_text(fresh, encoding="utf-8")
