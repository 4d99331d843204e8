"""The one decision: whether a channel tells a person of a happening, when, and why. A pure function.

What is higher in this list decides alone: the type is critical, for the channels that tell of it by themselves; the
admin's message setting; the user's wish for the type (the closest pattern); the user's wish for the channel (`*`); the
type's default.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from app.models.event_type import IN_APP
from app.models.preference import DIGESTS, OFF, UNREAD

# What becomes of it.
SEND, LATER, DIGEST, UNLESS_READ, NOTHING = "send", "later", "digest", "unless-read", "nothing"
OUTCOMES: Final = (SEND, LATER, DIGEST, UNLESS_READ, NOTHING)
# Why.
CRITICAL, ADMIN, USER_TYPE, USER_CHANNEL, DEFAULT = "critical", "admin", "user-type", "user-channel", "default"
# No address, or none that was confirmed: there is nothing to decide.
UNREACHABLE: Final = "unreachable"
# What was to come later is not needed any more: the user has read it, or it was taken back.
READ, RECALLED = "read", "recalled"
REASONS: Final = (CRITICAL, ADMIN, USER_TYPE, USER_CHANNEL, DEFAULT, UNREACHABLE, READ, RECALLED)


@dataclass(frozen=True)
class Wish:
    """What a user said of a channel: the mode of a preference, its minutes, and the pattern it was said for."""

    mode: str
    minutes: int | None = None
    pattern: str = "*"


@dataclass(frozen=True)
class Question:
    """All that the decision depends on.

    Attributes:
        channel: one of `CHANNELS`.
        is_default: whether the type tells by this channel by itself.
        is_critical: whether the type is told in any case.
        admin_allows: the admin's message setting for the channel.
        user_controls: whether the admin lets users decide (`user-control-status`).
        of_type: the user's wish for the type, of the closest pattern but `*`.
        of_channel: the user's wish for the channel, whatever the type.
        is_reachable: whether there is an address that may be used.
        can_wait: whether it can be kept for a digest, or until it is seen to be unread: a mail with a file cannot.
        now: the present moment.
        quiet_until: the end of the user's quiet hours, if it is within them.
        digest_at: when the user's next digest of a mode is made.
    """

    channel: str
    is_default: bool
    now: datetime
    is_critical: bool = False
    admin_allows: bool = True
    user_controls: bool = True
    of_type: Wish | None = None
    of_channel: Wish | None = None
    is_reachable: bool = True
    can_wait: bool = True
    quiet_until: datetime | None = None
    digest_at: Callable[[str], datetime] | None = None


@dataclass(frozen=True)
class Answer:
    """What becomes of it, why, for which pattern if a user's wish decided, when if not at once, and in which mode."""

    outcome: str
    reason: str
    pattern: str | None = None
    at: datetime | None = None
    mode: str | None = None

    @property
    def tells(self) -> bool:
        """Whether the person is told, now or later."""
        return self.outcome != NOTHING


def decide(question: Question) -> Answer:
    """The decision."""
    answer = _whether(question)
    if answer.tells and not question.is_reachable:
        return Answer(NOTHING, UNREACHABLE)
    # The inbox waits for whoever comes; critical messages wait for nobody's night.
    if answer.outcome == SEND and answer.reason != CRITICAL and question.channel != IN_APP and question.quiet_until:
        return Answer(LATER, answer.reason, answer.pattern, question.quiet_until)
    return answer


def _whether(question: Question) -> Answer:
    if question.is_critical and question.is_default:
        return Answer(SEND, CRITICAL)
    if not question.admin_allows:
        return Answer(NOTHING, ADMIN)
    if question.user_controls and question.of_type is not None:
        return _as_wished(question, question.of_type, USER_TYPE)
    if question.user_controls and question.of_channel is not None:
        return _of_channel(question, question.of_channel)
    return Answer(SEND if question.is_default else NOTHING, DEFAULT)


def _of_channel(question: Question, wish: Wish) -> Answer:
    """A wish for a channel says how it tells, not of what: what the type does not tell by it stays untold."""
    if wish.mode != OFF and not question.is_default:
        return Answer(NOTHING, DEFAULT)
    return _as_wished(question, wish, USER_CHANNEL)


def _as_wished(question: Question, wish: Wish, reason: str) -> Answer:
    if wish.mode == OFF:
        return Answer(NOTHING, reason, wish.pattern)
    if wish.mode in DIGESTS and question.can_wait and question.digest_at is not None:
        return Answer(DIGEST, reason, wish.pattern, question.digest_at(wish.mode), wish.mode)
    if wish.mode == UNREAD and question.can_wait and wish.minutes:
        return Answer(UNLESS_READ, reason, wish.pattern, question.now + timedelta(minutes=wish.minutes), wish.mode)
    return Answer(SEND, reason, wish.pattern)
