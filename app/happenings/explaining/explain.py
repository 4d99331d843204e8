"""Why somebody got something or did not: what was decided for every channel, why, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from sqlalchemy import select

from app.happenings.audience import NAMED, Audience
from app.happenings.deciding.decision import (
    ADMIN,
    CRITICAL,
    DEFAULT,
    DIGEST,
    LATER,
    NOTHING,
    READ,
    RECALLED,
    SEND,
    UNLESS_READ,
    UNREACHABLE,
    USER_CHANNEL,
    USER_TYPE,
)
from app.happenings.deciding.plan import Plan
from app.happenings.explaining.belonging import TAKEN_BACK, WAITING, Belonging, belonging_of
from app.happenings.holding.digests import DIGEST_ACTION
from app.models import ChannelMessage, Decision, Fanout, Happening, HeldMail, Mail, Notification, User, db
from app.models.event_type import CHANNELS, CHAT, IN_APP, MAIL, SMS
from app.models.mail import CANCELLED

Row = TypeVar("Row", Decision, Notification, HeldMail, Mail, ChannelMessage)

# Nothing was to go to him by this channel, though it tells of it: a mail to others, say.
NOT_TOLD: Final = "not-told"

_OUTCOMES: Final = {
    SEND: "Told at once",
    LATER: "Told later, when the user's quiet hours are over",
    DIGEST: "Kept for the user's next digest",
    UNLESS_READ: "A mail later, unless the notification is read before",
    NOTHING: "Not told",
    WAITING: "Not told yet",
}
_REASONS: Final = {
    CRITICAL: "the type is critical, which nobody can switch off",
    ADMIN: "the admins have switched this channel off for the action",
    USER_TYPE: "the user's preference for {pattern} says so",
    USER_CHANNEL: "the user's preference for this channel says so",
    UNREACHABLE: "the user has no address for it, or has not confirmed it",
    READ: "the notification was read or removed before the mail was due",
    RECALLED: "it was taken back",
    NOT_TOLD: "nothing was to go to this user by this channel",
}
_NOT_CONTROLLED: Final = " What the user has said does not count: the admins do not let users decide on it."


@dataclass(frozen=True)
class Result:
    """What was made: a notification, mail, held mail or channel message, and how it stands with it."""

    type_: str
    id: int
    status: str
    due_at: datetime | None = None


@dataclass(frozen=True)
class ChannelAnswer:
    """What became of the happening by one channel, and why.

    Attributes:
        channel: one of `CHANNELS`.
        outcome: one of those of the decision; `waiting` before the user's turn.
        reason: one of those of the decision, or why he is not in the audience.
        sentence: both for people to read.
        pattern: the pattern of the preference that decided.
        due_at: when it is to be sent, or was to be.
        result: what came of it.
    """

    channel: str
    outcome: str
    reason: str
    sentence: str
    pattern: str | None = None
    due_at: datetime | None = None
    result: Result | None = None


@dataclass(frozen=True)
class Explanation:
    """The audience, and every channel."""

    belonging: Belonging
    channels: tuple[ChannelAnswer, ...]


def explain(happening: Happening, user: User) -> Explanation:
    """Say why a user did or did not get something of a happening."""
    decisions = {row.channel: row for row in _of(Decision, happening, user)}
    results = _results(happening, user, decisions.get(MAIL))
    # Of an action of somebody's own, which has none, there was nothing to decide.
    nothing = Plan(Audience(NAMED), frozenset(results))
    plan = nothing if happening.plan is None else Plan.from_json(happening.plan)
    fanout = db.session.get(Fanout, happening.id)
    belonging = belonging_of(happening, user, plan, fanout, was_told=bool(decisions or results))
    answers = []
    for channel in CHANNELS:
        outcome, reason, decision = NOTHING, belonging.reason, decisions.get(channel)
        if belonging.reason == WAITING:
            outcome = WAITING
        elif belonging.reason == TAKEN_BACK and _was_stopped(results.get(channel)):
            decision = None
        elif decision is not None:
            outcome, reason = decision.outcome, decision.reason
        elif belonging.is_in or (belonging.reason == TAKEN_BACK and channel in results):
            outcome, reason = _of_plan(channel, plan, user, is_there=channel in results, is_spread=fanout is not None)
        answers.append(
            ChannelAnswer(
                channel=channel,
                outcome=outcome,
                reason=reason,
                sentence=_sentence(outcome, reason, belonging, decision) + _uncounted(plan, user, reason),
                pattern=decision.pattern if decision else None,
                due_at=_due_at(decision, results.get(channel)),
                result=results.get(channel),
            )
        )
    return Explanation(belonging, tuple(answers))


def _was_stopped(result: Result | None) -> bool:
    """Whether a recall came before the mail or message had left: whatever was decided, nobody got it."""
    return result is not None and result.status == CANCELLED


def _of_plan(channel: str, plan: Plan, user: User, *, is_there: bool, is_spread: bool) -> tuple[str, str]:
    """What held for all who had said nothing."""
    if is_there:
        return SEND, CRITICAL if plan.is_critical and plan.tells(channel) else DEFAULT
    if not plan.tells(channel):
        return NOTHING, plan.why_silent(channel)
    if not _is_reachable(channel, user):
        return NOTHING, UNREACHABLE
    # Of what was spread by statements the rows may be gone by now; else there was never one.
    return (SEND, CRITICAL if plan.is_critical else DEFAULT) if is_spread else (NOTHING, NOT_TOLD)


def _is_reachable(channel: str, user: User) -> bool:
    reach = {IN_APP: True, MAIL: user.is_verified, SMS: user.phone is not None, CHAT: user.chat_address is not None}
    return reach[channel]


def _sentence(outcome: str, reason: str, belonging: Belonging, decision: Decision | None) -> str:
    said = _OUTCOMES[outcome]
    if reason == DEFAULT:
        return f"{said}: {'the type does not tell' if outcome == NOTHING else 'the type tells'} by this channel."
    if reason in _REASONS:
        pattern = decision.pattern if decision is not None else None
        return f"{said}: {_REASONS[reason].format(pattern=pattern)}."
    return f"{said}. {belonging.sentence}"


def _uncounted(plan: Plan, user: User, reason: str) -> str:
    return _NOT_CONTROLLED if reason == DEFAULT and user.has_preferences and not plan.user_controls else ""


def _due_at(decision: Decision | None, result: Result | None) -> datetime | None:
    """When it is to be sent: quiet hours may have put it off since it was decided."""
    if result is not None and result.due_at is not None:
        return result.due_at
    return decision.due_at if decision is not None else None


def _results(happening: Happening, user: User, decision: Decision | None) -> Mapping[str, Result]:
    """What was made for the user, by channel."""
    results = {}
    for notification in _of(Notification, happening, user):
        results[IN_APP] = Result("notification", notification.id, _read_state(notification))
    for held in _of(HeldMail, happening, user):
        results[MAIL] = Result("held-mail", held.id, held.mode, held.due_at)
    for mail in (*_digest(user, decision if MAIL not in results else None), *_of(Mail, happening, user)):
        results[MAIL] = Result("mail", mail.id, mail.status)
    for message in _of(ChannelMessage, happening, user):
        results[message.channel] = Result("channel-message", message.id, message.status)
    return results


def _read_state(notification: Notification) -> str:
    if notification.deleted_at is not None:
        return "removed"
    return "read" if notification.is_read else "unread"


def _digest(user: User, decision: Decision | None) -> list[Mail]:
    """The digest that it was in: all that was due then is in the user's first one after it was due."""
    if decision is None or decision.outcome != DIGEST or decision.due_at is None:
        return []
    statement = select(Mail).where(Mail.user_id == user.id, Mail.action == DIGEST_ACTION, Mail.time >= decision.due_at)
    return list(db.session.scalars(statement.order_by(Mail.time, Mail.id).limit(1)))


def _of(model: type[Row], happening: Happening, user: User) -> list[Row]:
    """The rows of a happening and a user."""
    statement = select(model).where(model.happening_id == happening.id, model.user_id == user.id)
    return list(db.session.scalars(statement))
