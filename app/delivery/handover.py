"""The hand-over: telling the workers, through the broker, which mails (and exports and imports) were just committed.

It happens in a thread of its own, one per process: a request does not wait for the broker, be it busy or away. The
first mail after a pause goes at once; under load, what is committed within `PACE` goes in one task, since a task costs
more than a mail.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections.abc import Sequence
from typing import Final

from celery import current_app as celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

# The names of the tasks.
DELIVER: Final = "usher.deliver"
DRAIN: Final = "usher.drain"
TRANSFER: Final = "usher.transfer"
FANOUT: Final = "usher.fanout"
RECALL: Final = "usher.recall"
CHANNELS: Final = "usher.channels"

IDS_PER_TASK: Final = 100
# Seconds between two tasks of one process, unless one is full.
PACE: Final = 0.05
# Seconds without further tries after the broker did not answer; what was to be handed over is the sweep's.
BROKER_PAUSE: Final = 5.0
# Seconds that a process which ends gives what is still to be handed over.
FAREWELL: Final = 1.0


class Messenger:
    """One process's thread and what it is to hand over; the thread starts with the first mail."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        # By task; the task that waits the longest comes first.
        self._ids: dict[str, list[int]] = {}
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_busy = False
        self._away_until = 0.0

    def add(self, ids: Sequence[int], task: str = DELIVER) -> None:
        """Hand these mails over soon."""
        with self._change:
            self._ids.setdefault(task, []).extend(ids)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="handover", daemon=True)
                self._thread.start()
            self._change.notify_all()

    def wait(self, seconds: float) -> bool:
        """Wait until everything is handed over or given up; False if that took too long."""
        with self._change:
            return self._change.wait_for(lambda: not self._ids and not self._is_busy, seconds)

    def is_of_this_process(self) -> bool:
        """A process that was forked has its parent's object, but not its thread."""
        return self._pid == os.getpid()

    def forget_outage(self) -> None:
        """Talk to the broker again at the next mail."""
        self._away_until = 0.0

    def _run(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: bool(self._ids))
                self._is_busy = True
                task, chunk = self._take()
            self._send(task, chunk)
            with self._change:
                self._is_busy = False
                self._change.notify_all()
                self._change.wait_for(self._has_enough, PACE)

    def _take(self) -> tuple[str, list[int]]:
        """The task that waits the longest, and the ids for it."""
        task = next(iter(self._ids))
        ids = self._ids.pop(task)
        if len(ids) > IDS_PER_TASK:
            self._ids[task] = ids[IDS_PER_TASK:]
        return task, ids[:IDS_PER_TASK]

    def _has_enough(self) -> bool:
        """Whether a task is full, or waits for nothing but the end of another's pause."""
        return len(self._ids) > 1 or any(len(ids) >= IDS_PER_TASK for ids in self._ids.values())

    def _send(self, task: str, ids: list[int]) -> None:
        if time.monotonic() < self._away_until:
            return
        try:
            args = [ids] if ids else []
            celery.send_task(task, args=args, queue="usher", retry=False, ignore_result=True)
        except (OperationalError, RedisError, OSError) as error:
            self._away_until = time.monotonic() + BROKER_PAUSE
            log.warning("The broker cannot be reached (%s): the next sweep hands over.", type(error).__name__)


_messenger = Messenger()


def hand_over(ids: Sequence[int], task: str = DELIVER) -> None:
    """Tell the workers to do these now: to send the mails with these ids, unless another task is named.

    Returns at once; if the broker is away, the task's sweep will tell them.
    """
    if ids:
        _own_messenger().add(ids, task)


def ask_to_drain() -> None:
    """Tell the workers that there is much to do, and leave it to them to find what: one task, however many mails."""
    _own_messenger().add((), DRAIN)


def wait_for_hand_over(seconds: float = 10.0) -> bool:
    """Wait until this process has handed everything over or given it up; False if that took too long."""
    return _own_messenger().wait(seconds)


def forget_outage() -> None:
    """Talk to the broker again at the next mail: an operator or a test knows that it is back."""
    _own_messenger().forget_outage()


def _own_messenger() -> Messenger:
    global _messenger  # noqa: PLW0603 - one per process, made anew in a forked one
    if not _messenger.is_of_this_process():
        _messenger = Messenger()
    return _messenger


@atexit.register
def _farewell() -> None:
    wait_for_hand_over(FAREWELL)
