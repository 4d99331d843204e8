"""How many mails a worker claims at once: as many as it sends in a moment, however fast or slow the server is.

What somebody waits for overtakes what goes to thousands at the next claim, so a claim must be short; and a claim of a
slow server's mails would keep them from workers that have nothing to do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.delivery.claims import BATCH

# Seconds that a claim should last, and after which the rest of it is given back.
AIM: Final = 0.5
ENOUGH: Final = 2.0
# Where a worker begins, not knowing the server yet.
FIRST: Final = 20


@dataclass
class Pace:
    """What a worker has learnt of the server's speed.

    Attributes:
        limit: how many mails to claim next.
    """

    limit: int = FIRST

    def learn(self, mails: int, seconds: float) -> None:
        """A claim of so many mails took so long: the next may at most be twice as large."""
        fitting = int(AIM * mails / seconds) if seconds > 0 else BATCH
        self.limit = max(1, min(fitting, 2 * self.limit, BATCH))
