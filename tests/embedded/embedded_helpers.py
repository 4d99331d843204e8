"""What the tests of the embedded stack share: running a supervisor apart, and finding what it left behind."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("run_stack.py")
DEADLINE_SECONDS = 60.0

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)


@contextmanager
def supervisor(
    data_dir: Path, *words: str, path: str | None = None, as_nobody: bool = False
) -> Iterator[subprocess.Popen[str]]:
    """Run run_stack.py; whatever a failing test leaves of it is killed at the end."""
    before = processes_of(data_dir)
    env = {key: value for key, value in os.environ.items() if key not in {"DATABASE_URL", "REDIS_URL"}}
    env |= {
        "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path[1:]]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PATH": path or os.environ["PATH"],
    }
    popen = subprocess.Popen(
        [*(nobody_prefix() if as_nobody else []), sys.executable, str(SCRIPT), str(data_dir), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=env,
    )
    try:
        yield popen
    finally:
        for process in processes_of(data_dir):
            if process not in before:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
        popen.kill()
        popen.communicate()


def nobody_prefix() -> list[str]:
    """Give what runs a command as `nobody`, who may enter the folder of Python even if it is root's."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("setpriv is missing")
    entry = pwd.getpwnam("nobody")
    account = ["--reuid", str(entry.pw_uid), "--regid", str(entry.pw_gid), "--clear-groups"]
    if all(others_can_enter(Path(path)) for path in (os.path.realpath(sys.executable), sys.prefix, ROOT / "app")):
        return [setpriv, *account]
    return [setpriv, *account, "--inh-caps", "+dac_override", "--ambient-caps", "+dac_override"]


def wait_until_ready(popen: subprocess.Popen[str]) -> None:
    assert popen.stdout is not None
    for line in popen.stdout:
        if line == "ready\n":
            return
    pytest.fail(f"the stack did not start: {popen.communicate()[1]}")


def processes_of(data_dir: Path) -> list[psutil.Process]:
    """Find what belongs to a data dir: every part has its log open, or works in it, or names it; the guard its lock."""
    inside = str(data_dir)
    found = []
    for process in psutil.process_iter():
        try:
            names = [*process.cmdline(), process.cwd(), *(file.path for file in process.open_files())]
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if any(inside in name for name in names):
            found.append(process)
    return [process for process in found if process.pid != os.getpid()]


def family(popen: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(popen.pid).children(recursive=True)


def all_ended(processes: Sequence[psutil.Process]) -> bool:
    # is_running() knows a pid that was given to another process; one that nobody collected is a zombie.
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)


def assert_nothing_is_left(processes: Sequence[psutil.Process], data_dir: Path) -> None:
    assert processes
    wait_for(lambda: all_ended(processes), "the end of every process")
    wait_for(lambda: not processes_of(data_dir), "the end of every process that uses the data dir")


def owners_and_modes(path: Path) -> dict[Path, tuple[int, int, int]]:
    """Note owner, group and mode of every folder above a path, as far as there are any."""
    return {
        parent: (parent.stat().st_uid, parent.stat().st_gid, parent.stat().st_mode)
        for parent in path.parents
        if parent.exists()
    }


def others_can_enter(path: Path) -> bool:
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in [path, *path.parents])


def named(processes: Sequence[psutil.Process], word: str) -> psutil.Process:
    """Find the first process with a word in its command."""
    return next(process for process in processes if word in " ".join(process.cmdline()))


def end(popen: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str]:
    """Send a signal and give the exit code and what was written to stderr."""
    popen.send_signal(number)
    _, errors = popen.communicate(timeout=DEADLINE_SECONDS)
    return popen.returncode, errors
