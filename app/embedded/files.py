"""Files and folders of a data dir: made private, and written so that a crash never leaves half of one."""

from __future__ import annotations

import os
from pathlib import Path

from app.embedded.errors import StackError


def make_private_folder(folder: Path) -> None:
    """Make a folder that only its owner can enter; one that is there already is left as it is.

    Raises:
        StackError: when it cannot be made, or a file bears its name.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError as error:
        raise StackError(f"{folder} is not a folder: name another with --data-dir") from error
    except OSError as error:
        raise StackError(f"cannot make the folder {folder}: {error.strerror}; name another with --data-dir") from error


def write_private(path: Path, content: str) -> None:
    """Write a file that only its owner can read (0600), whole or not at all.

    Raises:
        StackError: when the disk is full or the folder cannot be written to.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.unlink(missing_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise StackError(f"cannot write {path}: {error.strerror}") from error
