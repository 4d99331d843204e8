"""Supervisor: starts the processes of a stack, notices when one ends, and ends them all in order."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.embedded import guard, privileges
from app.embedded.errors import PartEnded, StackError, StoppedBySignal
from app.embedded.logs import Log
from app.embedded.privileges import Account
from app.embedded.signals import StopSignals

GRACE_SECONDS = 10.0
HURRY_SECONDS = 1.0
LOOK_SECONDS = 0.02
SERVER_RANK = 0
PART_RANK = 1


@dataclass(frozen=True)
class Command:
    """What to start and how to end it.

    Attributes:
        stop_signals: sent to the process one after the other, each with a grace; SIGKILL to its group comes last.
        rank: processes of a higher rank are ended before those of a lower one.
        stdin: given to the process at its start; for what must not be seen in the list of processes.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    cwd: Path
    stdin: bytes = field(default=b"", repr=False)
    stop_signals: tuple[signal.Signals, ...] = (signal.SIGTERM,)
    rank: int = PART_RANK
    account: Account | None = None
    echo: bool = False


@dataclass(frozen=True)
class Child:
    """A process that was started."""

    command: Command
    popen: subprocess.Popen[bytes]
    log: Log

    @property
    def pid(self) -> int:
        """Its process id, which is that of its process group too."""
        return self.popen.pid

    def failure(self) -> PartEnded:
        """Say how it ended, with the end of its log."""
        return _failure(self.command.name, self.popen.returncode, self.log)


class Supervisor:
    """The processes of one stack. Start them from one thread that lives as long as they shall."""

    def __init__(self, log_dir: Path, lock_descriptor: int, stop: StopSignals) -> None:
        self._log_dir = log_dir
        self._stop = stop
        self._children: dict[str, Child] = {}
        self._guard_log = Log(log_dir, "guard")
        with self._guard_log.open() as output:
            # -I and -S: nothing of the user's environment or of the packages delays or changes it.
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", guard.__file__, str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=(lock_descriptor,),
                start_new_session=True,
                cwd="/",
            )

    def start(self, command: Command) -> Child:
        """Start a process in a session and process group of its own, its output in its log.

        Raises:
            StoppedBySignal: when the stack was asked to end.
            StackError: when there is no such program.
        """
        self._raise_if_stopped()
        log = Log(self._log_dir, command.name)
        child = Child(command, self._spawn(command, log), log)
        self._tell_guard(f"watch {child.pid} {int(command.stop_signals[0])} {command.rank}")
        self._children[command.name] = child
        return child

    def _spawn(self, command: Command, log: Log) -> subprocess.Popen[bytes]:
        program = command.argv[0]
        # Looked for beforehand, since only the wrapper around it would fail, and not at once.
        if not _is_there(program, command):
            raise StackError(f"cannot start {command.name}: there is no program {program}")
        with log.open() as output:
            try:
                popen = subprocess.Popen(
                    privileges.wrap(command.argv, command.stop_signals[0], command.account),
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=command.env,
                    cwd=command.cwd,
                    start_new_session=True,
                    **privileges.popen_account(command.account),
                )
            except OSError as error:
                raise StackError(f"cannot start {command.name} ({program}): {error.strerror}") from error
        if popen.stdin is not None:
            # A process that ends at once is noticed by whoever waits for it.
            with contextlib.suppress(BrokenPipeError), popen.stdin as pipe:
                pipe.write(command.stdin)
        return popen

    def run(self, command: Command) -> None:
        """Run a command to its end.

        Raises:
            PartEnded: when it fails.
            StoppedBySignal: when the stack was asked to end; the command is ended first.
        """
        child = self.start(command)
        del self._children[command.name]
        try:
            while child.popen.poll() is None:
                self._raise_if_stopped()
                time.sleep(LOOK_SECONDS)
        finally:
            self._end([child])
        if child.popen.returncode != 0:
            raise child.failure()

    def child(self, name: str) -> Child:
        """Give the running process of that name.

        Raises:
            KeyError: when there is none.
        """
        return self._children[name]

    def check(self) -> None:
        """Do nothing while all is well.

        Raises:
            StoppedBySignal: when the stack was asked to end.
            PartEnded: when a process ended by itself.
        """
        self._raise_if_stopped()
        for child in self._children.values():
            if child.command.echo:
                child.log.copy_to(sys.stdout)
            if child.popen.poll() is not None:
                raise child.failure()
        if self._guard.poll() is not None:
            raise _failure("guard", self._guard.returncode, self._guard_log)

    def wait_until(self, condition: Callable[[], bool], what: str, seconds: float) -> None:
        """Wait for a condition while watching the processes.

        Raises:
            StackError: when it does not come true in time; `what` says what was waited for.
            StoppedBySignal, PartEnded: as `check`.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            self.check()
            if time.monotonic() > deadline:
                raise StackError(f"{what} did not happen within {seconds:.0f} s; the logs are in {self._log_dir}")
            time.sleep(LOOK_SECONDS)

    def stop_one(self, name: str) -> None:
        """End one process in its own way; no longer mind it.

        Raises:
            KeyError: when there is none of that name.
        """
        self._end([self._children.pop(name)])

    def stop(self) -> None:
        """End every process, those of higher rank first, then the guard. A second signal shortens the grace."""
        for rank in sorted({child.command.rank for child in self._children.values()}, reverse=True):
            self._end([child for child in self._children.values() if child.command.rank == rank])
        self._children.clear()
        if self._guard.stdin is not None:
            self._guard.stdin.close()
        self._guard.wait()

    def _end(self, children: Iterable[Child]) -> None:
        waiting = list(children)
        rounds = max((len(child.command.stop_signals) for child in waiting), default=0)
        for turn in range(rounds):
            for child in waiting:
                if child.popen.poll() is None and turn < len(child.command.stop_signals):
                    child.popen.send_signal(child.command.stop_signals[turn])
            self._wait_for_end(waiting)
        for child in waiting:
            # Also after an orderly end: the leader may have left workers of its group behind.
            with contextlib.suppress(ProcessLookupError, PermissionError):  # none is left of the group
                os.killpg(child.pid, signal.SIGKILL)
            child.popen.wait()
            self._tell_guard(f"forget {child.pid}")

    def _wait_for_end(self, children: list[Child]) -> None:
        begun = time.monotonic()
        while any(child.popen.poll() is None for child in children):
            grace = HURRY_SECONDS if self._stop.count > 1 else GRACE_SECONDS
            if time.monotonic() - begun > grace:
                return
            time.sleep(LOOK_SECONDS)

    def _raise_if_stopped(self) -> None:
        if self._stop.count:
            raise StoppedBySignal

    def _tell_guard(self, line: str) -> None:
        if self._guard.stdin is None:
            return
        with contextlib.suppress(BrokenPipeError):  # `check` reports a guard that ended
            self._guard.stdin.write(f"{line}\n".encode())
            self._guard.stdin.flush()


def _failure(name: str, code: int, log: Log) -> PartEnded:
    outcome = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    return PartEnded(name, outcome, log.tail())


def _is_there(program: str, command: Command) -> bool:
    if os.sep in program:
        return (command.cwd / program).exists()
    return shutil.which(program, path=command.env.get("PATH")) is not None
