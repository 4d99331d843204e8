"""Whether somebody is in the audience of a happening, and if not, why not: for an admin who is asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import select

from app.happenings.audience import LISTENERS, NAMED, Audience, find
from app.happenings.deciding.plan import Plan
from app.happenings.listening import matches
from app.models import Fanout, FanoutPart, Happening, Listen, User, db
from app.models.event_type import IN_APP
from app.models.fanout import RECALLED, TELLING, TOLD
from app.models.fanout import WAITING as NOT_DIVIDED

NOT_LISTENING, ACTOR, CANNOT_SEE, NOT_NAMED = "not-listening", "actor", "cannot-see", "not-named"
WAITING, TAKEN_BACK, OTHER_WORDS, OTHER_LANGUAGE = "waiting", "recalled", "other-words", "other-language"

_SENTENCES: Final = {
    LISTENERS: "The user follows this type of happenings.",
    NAMED: "The user was named by who announced it.",
    NOT_LISTENING: "The user did not follow this type of happenings, or not about this, when it was announced.",
    ACTOR: "The user did it: who wants to be told of that says so with a listen that includes his own deeds.",
    CANNOT_SEE: "The user follows it, but may not see what it is about.",
    NOT_NAMED: "The user was not among those who were to be told when it was announced.",
    WAITING: "The user is to be told, but his turn has not come yet.",
    TAKEN_BACK: "It was taken back.",
    OTHER_WORDS: "The user was told of it in other words, by another happening.",
    OTHER_LANGUAGE: "It is for readers of another language.",
}


@dataclass(frozen=True)
class Belonging:
    """Whether the user is in the audience; the reason is its kind, or why he is not."""

    is_in: bool
    reason: str

    @property
    def sentence(self) -> str:
        """The reason for people to read."""
        return _SENTENCES.get(self.reason, f"The user is one of its audience: {self.reason}.")


def belonging_of(happening: Happening, user: User, plan: Plan, fanout: Fanout | None, *, was_told: bool) -> Belonging:
    """Whether a user belongs to the audience of a happening.

    Args:
        happening: which.
        user: who.
        plan: its plan.
        fanout: how far it was told; None of what the program itself tells one person after the other.
        was_told: whether anything was made or decided for him.
    """
    audience = plan.audience
    if fanout is not None and fanout.state == RECALLED:
        return Belonging(is_in=False, reason=TAKEN_BACK)
    if was_told:
        return Belonging(is_in=True, reason=audience.kind)
    if fanout is not None and _has_to_wait(happening, user, audience, fanout):
        return Belonging(is_in=False, reason=WAITING)
    reason = _why_not(happening, user, audience)
    is_over = fanout is None or fanout.state == TOLD
    if reason is None and is_over and (plan.tells(IN_APP) or _came_later(user, fanout)):
        # He would be told now, and was not: he was none of them then.
        reason = NOT_LISTENING if audience.kind == LISTENERS else NOT_NAMED
    return Belonging(is_in=reason is None, reason=reason or audience.kind)


def _came_later(user: User, fanout: Fanout | None) -> bool:
    """Whether the account was made when all had been told."""
    return fanout is not None and fanout.finished_at is not None and user.created_at > fanout.finished_at


def _has_to_wait(happening: Happening, user: User, audience: Audience, fanout: Fanout) -> bool:
    if fanout.state == NOT_DIVIDED and audience.kind != NAMED:
        return _is_in(happening, user, audience)
    if fanout.state not in (NOT_DIVIDED, TELLING):
        return False
    parts = select(FanoutPart.id).where(
        FanoutPart.happening_id == happening.id,
        FanoutPart.user_ids.contains([user.id]),
    )
    return db.session.scalar(parts.limit(1)) is not None


def _why_not(happening: Happening, user: User, audience: Audience) -> str | None:
    """Why the user is none of them; None: he is one, as far as can be seen now."""
    if user.id in audience.besides:
        return OTHER_WORDS
    if audience.kind == NAMED:
        is_own = user.id == happening.actor_id and not audience.includes_actor
        return ACTOR if is_own else NOT_NAMED
    return None if _was_in(happening, user, audience) else _which_rule(happening, user, audience)


def _which_rule(happening: Happening, user: User, audience: Audience) -> str:
    """What keeps the user out of an audience that a statement finds."""
    if audience.kind == LISTENERS and not _listened(happening, user):
        return NOT_LISTENING
    anyone = replace(audience, language=None, includes_actor=True)
    if not _is_in(happening, user, anyone):
        return CANNOT_SEE if audience.kind == LISTENERS else NOT_NAMED
    return ACTOR if _is_in(happening, user, replace(audience, includes_actor=True)) else OTHER_LANGUAGE


def _was_in(happening: Happening, user: User, audience: Audience) -> bool:
    listened = audience.kind != LISTENERS or _listened(happening, user)
    return listened and _is_in(happening, user, audience)


def _listened(happening: Happening, user: User) -> bool:
    """Whether the user followed it when it happened."""
    statement = select(Listen.id).where(
        Listen.user_id == user.id, matches(happening), Listen.created_at <= happening.created_at
    )
    return db.session.scalar(statement.limit(1)) is not None


def _is_in(happening: Happening, user: User, audience: Audience) -> bool:
    statement: Any = find(audience, happening).where(User.id == user.id)
    return db.session.scalar(statement) is not None
