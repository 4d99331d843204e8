"""`manage.py dev` as a process, as somebody at a terminal runs it, and whatever belongs to it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import psutil

from tests.support.processes import ROOT, free_port, plain_environment, runs, wait_for


@dataclass(frozen=True)
class Dev:
    """A `dev` that serves, and all the processes that it started."""

    popen: subprocess.Popen[str]
    data_dir: Path
    port: int
    family: list[psutil.Process]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def end(self) -> tuple[int, str]:
        """Wait for its end: the exit code, and what it wrote to standard error."""
        _, errors = self.popen.communicate(timeout=60)
        return self.popen.returncode, errors


def start(data_dir: Path, port: int, **env: str) -> subprocess.Popen[str]:
    command = [sys.executable, "manage.py", "dev", "--port", str(port), "--data-dir", str(data_dir)]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, cwd=ROOT, env=plain_environment(**env), text=True, stdout=pipe, stderr=pipe, start_new_session=True
    )


def manage(*words: str, cwd: Path = ROOT, **env: str) -> tuple[int, str, str]:
    """Run another command of manage.py to its end: exit code, output, errors."""
    command = [sys.executable, str(ROOT / "manage.py"), *words]
    environ = plain_environment(**env)
    done = subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def find_part(popen: subprocess.Popen[str], *words: str) -> psutil.Process | None:
    """The part of a dev whose command has all these words, as soon as there is one."""
    for process in psutil.Process(popen.pid).children():
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended while we looked
            if all(word in process.cmdline() for word in words):
                return process
    return None


@contextmanager
def running_dev(data_dir: Path) -> Iterator[Dev]:
    """Run it until it says that it is ready; whatever a failing test leaves of it is killed at the end."""
    port = free_port()
    popen = start(data_dir, port)
    try:
        shown = ""
        for line in cast("IO[str]", popen.stdout):
            shown += line
            if line == f"ready http://127.0.0.1:{port}\n":
                break
        else:
            raise AssertionError(f"dev did not start: {shown}{popen.communicate()[1]}")
        assert f"realtime http://127.0.0.1:{port + 1}\n" in shown
        yield Dev(popen, data_dir, port, psutil.Process(popen.pid).children(recursive=True))
    finally:
        popen.kill()
        popen.communicate()
        wait_for(lambda: not belonging_to(data_dir), "the end of all that dev started")


def belonging_to(data_dir: Path) -> list[psutil.Process]:
    """The processes that name the data dir, or have the address of its database."""
    signs = [str(data_dir)]
    with contextlib.suppress(FileNotFoundError):  # it never came to that
        signs.append(f":{json.loads((data_dir / 'ports.json').read_text())['postgres']}/")
    return [process for process in psutil.process_iter() if runs(process) and _shows(process, signs)]


def _shows(process: psutil.Process, signs: list[str]) -> bool:
    try:
        shown = " ".join([*process.cmdline(), process.environ().get("DATABASE_URL", "")])
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
    return any(sign in shown for sign in signs)
