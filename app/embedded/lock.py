"""Lock of a data dir: never two stacks on one folder, since each of its servers may have only one writer."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

import psutil

from app.embedded.errors import StackError
from app.embedded.files import make_private_folder

ENDING_SECONDS = 30.0


class DataDirLock:
    """An flock on DATA_DIR/lock, whose text is the holder's pid.

    The kernel lets go of it when the last process that has it open ends. The guard (guard.py) has it open too, so
    after a killed supervisor the folder is free only when the servers it left behind have ended.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            StackError: at once when a living process holds it; after 30 s when what a dead one left does not end.
        """
        make_private_folder(self._data_dir)
        path = self._data_dir / "lock"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StackError(
                f"cannot use {self._data_dir}: {error.strerror} ({path}); "
                "run as the user it belongs to, or name another folder with --data-dir"
            ) from error
        try:
            self._flock(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self._descriptor = descriptor

    def _flock(self, descriptor: int) -> None:
        deadline = time.monotonic() + ENDING_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                holder = _holder(descriptor)
                if is_alive(holder) or time.monotonic() > deadline:
                    raise StackError(
                        f"{self._data_dir} is in use by the process {holder}: "
                        "end that one first, or name another folder with --data-dir"
                    ) from error
                time.sleep(0.05)
            else:
                return

    def fileno(self) -> int:
        """Give the descriptor, for a process that shall hold the lock too."""
        if self._descriptor is None:
            raise StackError(f"the lock of {self._data_dir} is not held")
        return self._descriptor

    def release(self) -> None:
        """Let go of the lock, also for a process that inherited it; harmless when it is not held."""
        if self._descriptor is None:
            return
        os.ftruncate(self._descriptor, 0)
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        os.close(self._descriptor)
        self._descriptor = None


def is_locked(data_dir: Path) -> bool:
    """Whether any process holds the data dir now."""
    try:
        descriptor = os.open(data_dir / "lock", os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        # Shared, so that two who only look do not take each other for a holder.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def is_alive(pid: int) -> bool:
    """Whether a process of that number runs, whosever it is; 0 stands for none."""
    try:
        # One that ended and that its parent has not collected yet runs no more.
        return pid > 0 and str(psutil.Process(pid).status()) != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _holder(descriptor: int) -> int:
    text = os.pread(descriptor, 20, 0)
    return int(text) if text.isdigit() else 0
