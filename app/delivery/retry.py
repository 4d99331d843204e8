"""When a mail is tried again: a pure function of the error's class and the tries so far."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Backoff:
    """Exponential backoff with full jitter: the delay is drawn from 0 up to `base * 2 ** tries`, at most `cap`.

    Full jitter spreads a thousand mails that failed at one moment, instead of sending them all at the next one.
    """

    base: float
    cap: float

    def ceiling(self, attempts: int) -> float:
        """The longest delay in seconds after `attempts` tries (1 is the first)."""
        return min(self.cap, self.base * 2.0 ** min(max(attempts - 1, 0), 30))

    def draw(self, attempts: int, rng: random.Random) -> float:
        """A delay in seconds."""
        return rng.uniform(0.0, self.ceiling(attempts))


TRANSIENT: Final = Backoff(base=4.0, cap=3600.0)
# A server that is away is asked once per batch, not once per mail, so asking often costs little.
CONNECTION: Final = Backoff(base=2.0, cap=30.0)
# The provider named no time: begin with a minute.
THROTTLED: Final = Backoff(base=60.0, cap=3600.0)
# Changed settings wake these mails at once (see outcomes.wake); this is only the safety net.
CONFIGURATION_DELAY: Final = 900.0

# Nobody knows whether a server took the mail. SendGrid's events may tell within these seconds.
DOUBT: Final = Backoff(base=30.0, cap=3600.0)
DOUBT_GRACE: Final[Mapping[str, float]] = {"sendgrid": 300.0}

_rng = random.SystemRandom()


def next_delay(kind: str, attempts: int, retry_after: float | None = None, rng: random.Random = _rng) -> float | None:
    """Seconds until the next try.

    Args:
        kind: the error's class, see `app.delivery.transports.base`.
        attempts: tries so far, the one that failed included.
        retry_after: what the provider asked for, in seconds.
        rng: the source of the jitter.

    Returns:
        None for an error that no retry can mend.
    """
    if kind == "permanent":
        return None
    if kind == "configuration":
        return CONFIGURATION_DELAY
    if kind == "throttled" and retry_after is not None:
        # Not before the provider said; a little after it, so that not all come in the same second.
        return retry_after + rng.uniform(0.0, min(30.0, 0.1 * retry_after + 1.0))
    backoff = {"throttled": THROTTLED, "connection": CONNECTION}.get(kind, TRANSIENT)
    return backoff.draw(attempts, rng)


def doubt_delay(provider: str | None, doubts: int, rng: random.Random = _rng) -> float:
    """Seconds until a mail that may have been taken is tried again.

    Args:
        provider: who may have taken it.
        doubts: how often in a row nobody knew, this time included.
        rng: the source of the jitter.
    """
    return DOUBT_GRACE.get(provider or "", 0.0) + DOUBT.draw(doubts, rng)
