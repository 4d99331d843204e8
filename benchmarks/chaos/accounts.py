"""What became of the mails of a run: the table compared with what the mail server remembers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text

from app.models import db

_ROWS: Final = text(
    "SELECT message_id, status, EXISTS (SELECT FROM mail_events WHERE mail_id = mails.id AND event = 'uncertain')"
    " AS was_doubtful FROM mails"
)


@dataclass(frozen=True)
class Account:
    """What became of the mails of one run, or of several.

    Attributes:
        mails: how many were committed.
        lost: of these, how many did not arrive.
        unsent: of these, how many have another status than `sent` in the end.
        doubled: how many arrived more than once.
        unexplained: how many of these have no entry `uncertain` in their timeline.
        uncertain: how many have such an entry.
    """

    mails: int = 0
    lost: int = 0
    unsent: int = 0
    doubled: int = 0
    unexplained: int = 0
    uncertain: int = 0

    def __add__(self, other: Account) -> Account:
        """Both together."""
        return Account(
            self.mails + other.mails,
            self.lost + other.lost,
            self.unsent + other.unsent,
            self.doubled + other.doubled,
            self.unexplained + other.unexplained,
            self.uncertain + other.uncertain,
        )

    @property
    def breaks_the_promise(self) -> bool:
        """Whether a mail was lost, or doubled without an entry that says that it may be."""
        return bool(self.lost or self.unsent or self.unexplained)


def account(arrivals: Iterable[str]) -> Account:
    """Compare the table with the Message-IDs that arrived."""
    arrived = Counter(arrivals)
    rows = db.session.execute(_ROWS).all()
    doubled = {row.message_id for row in rows if arrived[row.message_id] > 1}
    doubtful = {row.message_id for row in rows if row.was_doubtful}
    return Account(
        mails=len(rows),
        lost=sum(1 for row in rows if not arrived[row.message_id]),
        unsent=sum(1 for row in rows if row.status != "sent"),
        doubled=len(doubled),
        unexplained=len(doubled - doubtful),
        uncertain=len(doubtful),
    )
