"""That a table of somebody's features names tests that are there, and no test is left out of it."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
Rows = Mapping[str, tuple[str, ...]]


def named_and_there(rows: Rows, file: str, besides: str) -> tuple[set[str], set[str]]:
    """The tests that the rows name and those that there are.

    Args:
        rows: a feature's words, and its tests: a function of the file, or `tests/other.py::function`.
        file: the module that the table is in.
        besides: the one function of the file that no row names.
    """
    own = _tests_of(Path(file)) - {besides}
    named = {name for names in rows.values() for name in names}
    assert all(rows.values()), "a row without a test"
    elsewhere = {name.partition("::")[0] for name in named if "::" in name}
    there = {f"{other}::{name}" for other in elsewhere for name in _tests_of(ROOT / other)}
    return named, own | (there & named)


def _tests_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}
