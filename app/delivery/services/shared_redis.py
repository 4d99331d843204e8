"""What the workers know together, in Redis: asked briefly, and never missed for long when it is away."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import cache
from typing import Final, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.retry import Retry

log = logging.getLogger(__name__)

T = TypeVar("T")

# Seconds for the connection and for each answer: a mail does not wait longer for the counters than for its server.
TIMEOUT: Final = 0.5
# Seconds without further tries after Redis did not answer.
PAUSE: Final = 5.0
# Seconds between two lines in the log that say that it is away.
LOG_EVERY: Final = 60.0
_CONSEQUENCE: Final = "no circuit breaker stops a mail, and each process counts its rates alone"


def connect(url: str) -> redis.Redis:
    """A client that gives up soon. It connects at the first command, and anew in a process that was forked.

    The one retry is for a connection that was kept while Redis was started again: one that hangs is not asked twice.
    """
    retry = Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,))
    return redis.Redis.from_url(
        url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT, retry=retry, decode_responses=True
    )


class SharedRedis:
    """A Redis that may be away: then every question has the answer None, at once, and the log says so once a minute.

    Args:
        client: made by `connect`, so that it answers with text and soon.
        clock: seconds that only grow, for the pauses.
        consequence: what that it is away means, for the log.
    """

    def __init__(
        self, client: redis.Redis, clock: Callable[[], float] = time.monotonic, consequence: str = _CONSEQUENCE
    ) -> None:
        self.client = client
        self._consequence = consequence
        self._clock = clock
        self._away_until: float | None = None
        self._silent_until: float | None = None

    def ask(self, question: Callable[[redis.Redis], T]) -> T | None:
        """The answer of Redis to this question; None if Redis is away."""
        if self._away_until is not None and self._clock() < self._away_until:
            return None
        try:
            answer = question(self.client)
        except (RedisError, OSError) as error:
            self._is_away(error)
            return None
        if self._away_until is not None:
            self._away_until = self._silent_until = None
            log.info("Redis is back.")
        return answer

    def forget_outage(self) -> None:
        """Ask Redis again at once: an operator or a test knows that it is back."""
        self._away_until = None

    def _is_away(self, error: Exception) -> None:
        now = self._clock()
        self._away_until = now + PAUSE
        if self._silent_until is None or now >= self._silent_until:
            self._silent_until = now + LOG_EVERY
            log.warning("Redis gives no answer (%s): until it is back, %s.", type(error).__name__, self._consequence)


@cache
def shared_redis(url: str) -> SharedRedis:
    """This process's; its connection is made anew in a process that was forked."""
    return SharedRedis(connect(url))
