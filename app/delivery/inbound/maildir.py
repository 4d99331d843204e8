"""Takes messages out of a maildir, each once, however many take at the same time.

A message is taken by renaming it from `new/` to `cur/`, which succeeds for one of several who try, and marked in its
name once it is done: `S` (seen) if it was understood, `F` (flagged) if a person should look at it. To have a flagged
one read again, move it back to `new/`. A message that somebody took and did not finish, because he died, goes back to
`new/` after an hour; whoever reads it must therefore bear to read it twice.
"""

from __future__ import annotations

import heapq
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.delivery.inbound.parts import MAX_MESSAGE

_log = logging.getLogger(__name__)

_TAKEN, _DONE, _FAILED = ":2,", ":2,S", ":2,F"
# Seconds after which a message that was taken and not finished is given back.
STALE_AFTER: Final = 3600.0
_BATCH: Final = 100

# Reads a message; False if a person should look at it.
Reader = Callable[[bytes], bool]


@dataclass(frozen=True, slots=True)
class Taken:
    """How many messages were understood, and how many were flagged."""

    done: int = 0
    failed: int = 0

    @property
    def total(self) -> int:
        """How many were taken."""
        return self.done + self.failed


def watch(
    maildir: Path,
    reader: Reader,
    stop: threading.Event,
    seconds: float = 5.0,
    try_again_on: tuple[type[Exception], ...] = (),
) -> None:
    """Take what comes until `stop` is set, looking every so many seconds.

    Raises:
        OSError: the folder is no maildir, or its contents may not be moved.
    """
    while not stop.is_set():
        try:
            taken = take(maildir, reader, try_again_on)
        except try_again_on as error:
            _log.warning("A bounce could not be written down, and is read again: %s", type(error).__name__)
            taken = Taken()
        if taken.total < _BATCH:
            stop.wait(seconds)


def take(
    maildir: Path, reader: Reader, try_again_on: tuple[type[Exception], ...] = (), stale_after: float = STALE_AFTER
) -> Taken:
    """Take up to a hundred messages, the oldest first.

    Args:
        maildir: the folder with `new/` and `cur/`.
        reader: gets the first `MAX_MESSAGE` bytes of each message. If it raises anything else than `try_again_on`, that
            is logged, and the message flagged.
        try_again_on: errors that are not the message's fault (a database that is away): it goes back to `new/`.
        stale_after: seconds after which a message that another took, and did not finish, is given back.

    Raises:
        Exception: one of `try_again_on`.
        OSError: the folder is no maildir, or its contents may not be moved.
    """
    _give_back(maildir, stale_after)
    understood_each: list[bool] = []
    for name in heapq.nsmallest(_BATCH, _names(maildir / "new")):
        # Without the flags that a reader of mail, or a person who moved it back, may have left.
        path = maildir / "cur" / f"{name.partition(':')[0]}{_TAKEN}"
        if not _claim(maildir / "new" / name, path):
            continue  # another was quicker
        try:
            understood = _read(path, reader, try_again_on)
        except try_again_on:
            _move(path, maildir / "new" / name)
            raise
        _move(path, path.with_name(path.name.removesuffix(_TAKEN) + (_DONE if understood else _FAILED)))
        understood_each.append(understood)
    return Taken(understood_each.count(True), understood_each.count(False))


def _read(path: Path, reader: Reader, try_again_on: tuple[type[Exception], ...]) -> bool:
    try:
        with path.open("rb") as file:
            return reader(file.read(MAX_MESSAGE))
    except try_again_on:
        raise
    except Exception:  # noqa: BLE001 - one message must not keep all that come after it from being read
        _log.exception("The message %s could not be read; it is flagged", path.name)
        return False


def _claim(source: Path, target: Path) -> bool:
    """Move a message for oneself; False if another has. Its time is set first, so that it never looks stale."""
    try:
        os.utime(source)
    except FileNotFoundError:
        return False
    return _move(source, target)


def _move(source: Path, target: Path) -> bool:
    try:
        source.rename(target)
    except FileNotFoundError:
        return False
    return True


def _give_back(maildir: Path, stale_after: float) -> None:
    taken = [name for name in _names(maildir / "cur") if name.endswith(_TAKEN)]
    for name in taken:
        path = maildir / "cur" / name
        with suppress(FileNotFoundError):  # it was finished, or given back, meanwhile
            if time.time() - path.stat().st_mtime >= stale_after:
                path.rename(maildir / "new" / name.removesuffix(_TAKEN))


def _names(folder: Path) -> Iterator[str]:
    """The messages of a folder; what begins with a full stop is none."""
    with os.scandir(folder) as entries:
        yield from (entry.name for entry in entries if entry.is_file(follow_symlinks=False) and entry.name[0] != ".")
