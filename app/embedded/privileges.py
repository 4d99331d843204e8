"""Accounts and death signals: how a command starts so that it is not root and does not outlive its supervisor."""

from __future__ import annotations

import functools
import os
import pwd
import shutil
import signal
import stat
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from app.embedded.errors import StackError

# The one power that the unprivileged server keeps: to pass through folders such as /root (0700), which we may
# neither open to others nor move out of.
KEPT_CAPABILITY = "+dac_override"


@dataclass(frozen=True)
class Account:
    """Whom a server runs as."""

    uid: int
    gid: int


class PopenAccount(TypedDict, total=False):
    """Arguments of Popen that change the account."""

    user: int
    group: int
    extra_groups: list[int]


def server_account(folder: Path) -> Account | None:
    """Choose whom a server that refuses to be root runs as: the owner of its folder, or `nobody` before there is one.

    Returns:
        None for an ordinary user, who stays what he is.

    Raises:
        StackError: when the system has no user `nobody`.
    """
    if os.geteuid() != 0:
        return None
    if folder.exists() and folder.stat().st_uid != 0:
        return Account(folder.stat().st_uid, folder.stat().st_gid)
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError as error:
        raise StackError(
            "PostgreSQL does not run as root, and there is no user `nobody`: run as another user"
        ) from error
    return Account(entry.pw_uid, entry.pw_gid)


def wrap(argv: Sequence[str], death_signal: signal.Signals, account: Account | None) -> list[str]:
    """Give the command that starts `argv` in the account and has the kernel signal it when its parent dies.

    The death signal is tied to the thread that starts the command. Without `setpriv` the command comes back as it is;
    then `popen_account` changes the account, and the guard alone ends orphans.
    """
    setpriv = _setpriv()
    if setpriv is None:
        return list(argv)
    options = ["--pdeathsig", death_signal.name.removeprefix("SIG")]
    if account is not None:
        options += ["--reuid", str(account.uid), "--regid", str(account.gid), "--clear-groups"]
        options += ["--inh-caps", KEPT_CAPABILITY, "--ambient-caps", KEPT_CAPABILITY]
    return [setpriv, *options, *argv]


def popen_account(account: Account | None) -> PopenAccount:
    """Give the arguments of Popen that change the account where `setpriv` cannot."""
    if account is None or _setpriv() is not None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def check_passable(account: Account | None, folders: Sequence[Path]) -> None:
    """Without `setpriv`, make sure that the account can pass through every parent of the folders.

    Raises:
        StackError: naming the first folder that is closed to others.
    """
    if account is None or _setpriv() is not None:
        return
    for folder in folders:
        for parent in reversed(folder.parents):
            if not parent.stat().st_mode & stat.S_IXOTH:
                raise StackError(
                    f"PostgreSQL does not run as root, and other users cannot pass through {parent}: "
                    f"run as an ordinary user, install setpriv (util-linux), or chmod o+x {parent}"
                )


@functools.cache
def _setpriv() -> str | None:
    """Find the setpriv of util-linux; BusyBox has a smaller one, which does not know what we need."""
    path = shutil.which("setpriv")
    if path is None:
        return None
    usage = subprocess.run([path, "--help"], capture_output=True, text=True, check=False).stdout
    return path if "--pdeathsig" in usage and "--ambient-caps" in usage else None
