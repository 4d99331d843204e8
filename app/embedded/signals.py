"""Signals that end a stack: only counted when they come, so that no cleanup is ever cut in two by one."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignals:
    """Counts the signals that ask the stack to end; before `install` and after `restore` it leaves them alone."""

    def __init__(self) -> None:
        self.count = 0
        self._before: dict[signal.Signals, Any] = {}

    def install(self) -> None:
        """Take the signals over; only the main thread can."""
        for number in ENDING:
            self._before[number] = signal.signal(number, self._note)

    def restore(self) -> None:
        """Give the signals back to whoever had them."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1
