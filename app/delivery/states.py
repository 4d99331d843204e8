"""The state machine of a mail: which status may follow which. It is written down here, and nowhere else.

Everything that changes a status asks `next_status`; a trigger of the database refuses what is not in `TRANSITIONS`, so
that no statement, however it came to be written, can move a mail along a way that is not there. A test compares both.

    scheduled ─┐              ┌─> failed, suppressed
    queued ────┼─> sending ───┼─> sent ──> delivered ──> bounced, complained
    deferred ──┘      │       │    └──────────────────> rejected ──> delivered, bounced, complained
       ^              │       └─> uncertain ──> what an event of the provider or an operator says
       └──────────────┘
    Back to queued: given back untried; failed, suppressed and uncertain ones that are tried again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from app.models.mail import (
    BOUNCED,
    CANCELLED,
    COMPLAINED,
    DEFERRED,
    DELIVERED,
    FAILED,
    QUEUED,
    REJECTED,
    SCHEDULED,
    SENDING,
    SENT,
    SUPPRESSED,
    UNCERTAIN,
)

# A mail that waits may be taken up, cancelled, or found to be one that must not leave.
_WAITING: Final = frozenset({SENDING, CANCELLED, SUPPRESSED})

TRANSITIONS: Final[Mapping[str, frozenset[str]]] = {
    SCHEDULED: _WAITING,
    QUEUED: _WAITING,
    DEFERRED: _WAITING | {FAILED},
    SENDING: frozenset({SENT, QUEUED, DEFERRED, FAILED, SUPPRESSED, UNCERTAIN}),
    # What the provider tells afterwards. It may come in any order, and the end is the same: each may become those that
    # follow it in the order sent, rejected, delivered, bounced, complained, and none goes back.
    SENT: frozenset({DELIVERED, BOUNCED, COMPLAINED, REJECTED}),
    REJECTED: frozenset({DELIVERED, BOUNCED, COMPLAINED}),
    DELIVERED: frozenset({BOUNCED, COMPLAINED}),
    BOUNCED: frozenset({COMPLAINED}),
    # Nobody knows whether a server took it: an event of the provider settles it, a further try, or an operator.
    UNCERTAIN: frozenset({SENT, DELIVERED, BOUNCED, COMPLAINED, REJECTED, QUEUED, FAILED}),
    # An admin tries again.
    FAILED: frozenset({QUEUED}),
    SUPPRESSED: frozenset({QUEUED}),
    # The end.
    COMPLAINED: frozenset(),
    CANCELLED: frozenset(),
}

# Statuses that a mail in somebody's inbox, or on its way there, can have.
TAKEN: Final = frozenset({SENT, DELIVERED, BOUNCED, COMPLAINED, REJECTED})


def may_become(status: str, wanted: str) -> bool:
    """Whether a mail of this status may become one of the other; a status that stays is no change."""
    return wanted in TRANSITIONS[status]


def next_status(status: str, told: str) -> str:
    """The status of a mail that is told to be `told`: an event that is late, or comes again, moves nothing.

    Args:
        status: what it is.
        told: what an event says it is: one of the statuses.
    """
    return told if may_become(status, told) else status
