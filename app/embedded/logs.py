"""Logs of a stack's processes: one file each in DATA_DIR/log, its end for error reports, its lines for the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, TextIO

ROTATE_BYTES = 10_000_000
TAIL_BYTES = 8_000
TAIL_LINES = 20


class Log:
    """The log of one process, from its start on; what earlier runs wrote stays before it in the file."""

    def __init__(self, folder: Path, name: str) -> None:
        self._name = name
        self._path = folder / f"{name}.log"
        if self._path.exists() and self._path.stat().st_size > ROTATE_BYTES:
            self._path.replace(folder / f"{name}.log.1")
        self._start = self._path.stat().st_size if self._path.exists() else 0
        self._copied = self._start

    def open(self) -> BinaryIO:
        """Open the file for the process to append to."""
        return self._path.open("ab")

    def tail(self) -> str:
        """Give the last lines that this process wrote, and the file to read on in."""
        with self._path.open("rb") as file:
            end = file.seek(0, 2)
            file.seek(max(self._start, end - TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()[-TAIL_LINES:]
        return "\n".join([f"  {line}" for line in lines] + [f"  ({self._path})"])

    def copy_to(self, terminal: TextIO) -> None:
        """Write the whole lines that came since the last call, each with the process's name before it."""
        with self._path.open("rb") as file:
            file.seek(self._copied)
            whole, newline, _ = file.read().rpartition(b"\n")
        self._copied += len(whole) + len(newline)
        if newline:
            terminal.writelines(f"{self._name:<8} | {line}\n" for line in whole.decode(errors="replace").split("\n"))
            terminal.flush()
