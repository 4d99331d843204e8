"""Fault points: the steps of a send at which `make chaos` and its tests kill a process, to see that the promise holds.

A point does nothing unless USHER_FAULTS names a folder, outside production. Then a process that reaches a point, and
finds a file of the point's name in that folder, removes the file and ends by SIGKILL: one file, one death.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

BEFORE_CLAIM: Final = "before-claim"
AFTER_CLAIM: Final = "after-claim"
AFTER_CONNECT: Final = "after-connect"
AFTER_DATA_ACCEPTED: Final = "after-data-accepted"
BEFORE_WRITE: Final = "before-write"

# In the order in which a send passes them; from the fourth on, only the mail's server knows that it was taken.
FAULT_POINTS: Final = (BEFORE_CLAIM, AFTER_CLAIM, AFTER_CONNECT, AFTER_DATA_ACCEPTED, BEFORE_WRITE)


def _pass(point: str) -> None:
    """Go on."""


def _die_if_told(folder: Path, point: str) -> None:
    try:
        (folder / point).unlink()
    except FileNotFoundError:
        return  # not told, or another process was faster
    os.kill(os.getpid(), signal.SIGKILL)


def fault_point(environ: Mapping[str, str]) -> Callable[[str], None]:
    """What the program calls at each point, with its name, as this environment has it."""
    folder = environ.get("USHER_FAULTS")
    if not folder or environ.get("APP_ENVIRONMENT") == "production":
        return _pass
    return partial(_die_if_told, Path(folder))


# Bound once: where nothing is to fail, a point costs the call of an empty function.
reach: Final = fault_point(os.environ)
