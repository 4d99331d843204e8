"""The publisher: tells the realtime gateways, through Redis, what was just committed.

It happens in a thread of its own, one per process: a request waits neither for Redis nor for the reading of what is
told. While Redis or the database is away, it is remembered who has missed something; they are told to read the inbox
anew. If these become too many, everybody is.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from app.inbox.changes import RESYNC, Change
from app.realtime.telling import renew_everybody, tell_changes, tell_versions

log = logging.getLogger(__name__)

# Users whose changes may wait; with more, everybody who is present reads the inbox anew.
MAX_WAITING: Final = 200_000
# Users who were missed and are remembered.
MAX_MISSED: Final = 20_000
# Changes that are told in one go.
_BATCH: Final = 200
# Seconds before a Redis that was away is tried again.
PAUSE: Final = 1.0
# Seconds for an answer of Redis, which may be of a thousand commands.
_TIMEOUT: Final = 5.0
# Seconds that a process which ends gives what is still to be told.
FAREWELL: Final = 1.0


@dataclass
class Work:
    """What is to be told.

    Attributes:
        changes: of inboxes, in the order of the commits.
        ended: users whose older tokens are no longer good, and the version that good ones have.
        missed: users who could not be told of something.
        is_everybody: whether these are so many that it is everybody.
    """

    changes: deque[Change] = field(default_factory=deque)
    ended: dict[int, int] = field(default_factory=dict)
    missed: set[int] = field(default_factory=set)
    is_everybody: bool = False
    weight: int = 0

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.changes or self.ended or self.missed or self.is_everybody)

    def add(self, changes: Sequence[Change], ended: Mapping[int, int]) -> None:
        """Add what a commit has changed."""
        self.ended.update(ended)
        if self.is_everybody:
            return
        self.changes.extend(changes)
        self.weight += sum(len(change.user_ids) for change in changes)
        if self.weight > MAX_WAITING:
            self._give_up()

    def miss(self, user_ids: Sequence[int]) -> None:
        """Remember who could not be told."""
        self.missed.update(user_ids)
        if len(self.missed) > MAX_MISSED:
            self._give_up()

    def take(self) -> list[Change]:
        """The oldest changes."""
        taken = [self.changes.popleft() for _ in range(min(_BATCH, len(self.changes)))]
        self.weight -= sum(len(change.user_ids) for change in taken)
        return taken

    def _give_up(self) -> None:
        self.changes.clear()
        self.missed.clear()
        self.weight, self.is_everybody = 0, True


class Publisher:
    """One process's thread and what it is to tell; the thread starts with the first commit that changes an inbox."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._work = Work()
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_busy = False
        self._away_until = 0.0
        self._engine: Engine | None = None
        self._url = ""

    def add(self, engine: Engine, url: str, changes: Sequence[Change], ended: Mapping[int, int]) -> None:
        """Tell this soon."""
        with self._change:
            self._engine, self._url = engine, url
            self._work.add(changes, ended)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
                self._thread.start()
            self._change.notify_all()

    def wait(self, seconds: float) -> bool:
        """Wait until everything is told; False if that took too long."""
        with self._change:
            return self._change.wait_for(lambda: not self._work and not self._is_busy, seconds)

    def is_of_this_process(self) -> bool:
        """A process that was forked has its parent's object, but not its thread."""
        return self._pid == os.getpid()

    def _run(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: bool(self._work))
                while (seconds := self._away_until - time.monotonic()) > 0:
                    self._change.wait(seconds)
                self._is_busy = True
                changes, ended = self._work.take(), dict(self._work.ended)
                missed, is_everybody = tuple(self._work.missed), self._work.is_everybody
                self._work.ended.clear()
                self._work.missed.clear()
                self._work.is_everybody = False
            is_told = self._tell(changes, ended, missed, is_everybody=is_everybody)
            with self._change:
                if not is_told:
                    self._remember(changes, ended, missed, is_everybody=is_everybody)
                self._is_busy = False
                self._change.notify_all()

    def _tell(
        self, changes: list[Change], ended: dict[int, int], missed: tuple[int, ...], *, is_everybody: bool
    ) -> bool:
        """Tell it; False, if that was not possible."""
        if self._engine is None:
            return True
        client = connect(self._url)
        try:
            if ended:
                tell_versions(client, ended, aloud=True)
            if is_everybody:
                renew_everybody(client)
            tell_changes(client, self._engine, [*([Change(RESYNC, missed)] if missed else []), *changes])
        except (RedisError, OSError, SQLAlchemyError) as error:
            if self._away_until == 0:
                log.warning("What was committed could not be told (%s): trying again.", type(error).__name__)
            return False
        except Exception:  # one message that cannot be made must not silence the process: they read the inbox instead
            log.exception("What was committed could not be told.")
            return False
        if self._away_until:
            log.info("What was committed is told again.")
        self._away_until = 0.0
        return True

    def _remember(
        self, changes: list[Change], ended: dict[int, int], missed: tuple[int, ...], *, is_everybody: bool
    ) -> None:
        self._away_until = time.monotonic() + PAUSE
        self._work.ended = {**ended, **self._work.ended}
        # What comes after them counts more than their order: they read everything.
        for users in (missed, *(change.user_ids for change in changes)):
            self._work.miss(users)
        if is_everybody:
            self._work.is_everybody = True


_publisher = Publisher()


def publish(engine: Engine, url: str, changes: Sequence[Change], ended: Mapping[int, int]) -> None:
    """Tell the gateways what was just committed; returns at once.

    Args:
        engine: of the database in which it was committed.
        url: Redis.
        changes: of inboxes.
        ended: users whose older tokens are no longer good, and the version that good ones have.
    """
    if changes or ended:
        _own_publisher().add(engine, url, changes, ended)


def wait_for_publishing(seconds: float = 10.0) -> bool:
    """Wait until this process has told everything; False if that took too long."""
    return _own_publisher().wait(seconds)


@cache
def connect(url: str) -> redis.Redis:
    """This process's connection for telling; made anew in a process that was forked."""
    retry = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
    return redis.Redis.from_url(
        url, socket_timeout=_TIMEOUT, socket_connect_timeout=1.0, retry=retry, decode_responses=True
    )


def _own_publisher() -> Publisher:
    global _publisher  # noqa: PLW0603 - one per process, made anew in a forked one
    if not _publisher.is_of_this_process():
        _publisher = Publisher()
    return _publisher


@atexit.register
def _farewell() -> None:
    if _publisher.is_of_this_process():
        _publisher.wait(FAREWELL)
