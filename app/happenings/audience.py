"""Who is to be told: a description that can wait in a row, and the statement that finds the people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select, true
from sqlalchemy.orm import aliased

from app.happenings.listening import LISTENING, listening, matches
from app.language import DEFAULT, LANGUAGES
from app.models import Attendee, Event, EventRole, Happening, Listen, Order, Session, Speaker, User, db
from app.models.base import JsonObject
from app.models.event import PUBLISHED
from app.models.event import ROLES as EVENT_ROLES
from app.models.order import COMPLETED
from app.models.session import ACCEPTED, CONFIRMED, speakers_sessions

EVERYONE, LISTENERS, ROLES, SPEAKERS, TICKET_HOLDERS = "everyone", "listeners", "roles", "speakers", "ticket-holders"
# Named one by one, or found by the caller's own statement: in parts from the beginning.
NAMED: Final = "named"
KINDS: Final = (EVERYONE, LISTENERS, ROLES, SPEAKERS, TICKET_HOLDERS, NAMED)


class AudienceError(ValueError):
    """People who cannot be found; the message says why."""


@dataclass(frozen=True)
class Audience:
    """Some of the users.

    Attributes:
        kind: one of `KINDS`.
        event_id: whose people are meant (roles, speakers, ticket holders).
        roles: which roles on the event.
        language: only those who read this one, of `LANGUAGES`.
        besides: those who were told already, in other words.
        includes_actor: whether who did it is told too, though he did not ask for it.
    """

    kind: str
    event_id: int | None = None
    roles: tuple[str, ...] = ()
    language: str | None = None
    besides: tuple[int, ...] = ()
    includes_actor: bool = False

    def to_json(self) -> JsonObject:
        """As it is kept in a row."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}

    @classmethod
    def from_json(cls, value: JsonObject) -> Audience:
        """The reverse."""
        values: dict[str, Any] = {name: tuple(each) if isinstance(each, list) else each for name, each in value.items()}
        return cls(**values)


def everyone() -> Audience:
    """All accounts."""
    return Audience(EVERYONE)


def listeners() -> Audience:
    """Whoever follows the happening's type, and may see what it is about."""
    return Audience(LISTENERS)


def role_on(event: Event, *roles: str) -> Audience:
    """Those with one of these roles on an event; with any role, if none is named.

    Raises:
        AudienceError: there is no such role, or the event is not in the database.
    """
    if not set(roles) <= set(EVENT_ROLES):
        raise AudienceError(f"The roles on an event are {', '.join(EVENT_ROLES)}.")
    return Audience(ROLES, event_id=_id_of(event), roles=roles)


def speakers_of(event: Event) -> Audience:
    """The accounts of an event's speakers.

    Raises:
        AudienceError: the event is not in the database.
    """
    return Audience(SPEAKERS, event_id=_id_of(event))


def ticket_holders_of(event: Event) -> Audience:
    """The accounts of those who have a ticket of a completed order.

    Raises:
        AudienceError: the event is not in the database.
    """
    return Audience(TICKET_HOLDERS, event_id=_id_of(event))


def _id_of(event: Event) -> int:
    if event in db.session.new:
        db.session.flush()
    if event.id is None:
        raise AudienceError("The event is not in the database: add it to the session first.")
    return event.id


def find(audience: Audience, happening: Happening, named: Select[Any] | None = None) -> Select[Any]:
    """The statement that finds the ids of the people, each once, in ascending order.

    Args:
        audience: who.
        happening: what they are told of.
        named: of a named audience the statement that finds it.

    Raises:
        LookupError: the audience was named, but not here.
    """
    if audience.kind != NAMED:
        belongs = _CONDITIONS[audience.kind](audience, happening)
    elif named is not None:
        belongs = User.id.in_(named)
    else:
        raise LookupError("a named audience is in the parts of its fan-out")
    where: list[ColumnElement[bool]] = [User.deleted_at.is_(None), belongs]
    if audience.besides:
        where.append(User.id.not_in(audience.besides))
    if audience.language:
        where.append(_reads(audience.language))
    if happening.actor_id is not None and not audience.includes_actor:
        where.append(or_(User.id != happening.actor_id, _asks_for_own(happening)))
    return select(User.id).where(*where).order_by(User.id)


def _everyone(_audience: Audience, _happening: Happening) -> ColumnElement[bool]:
    return true()


def _with_role(audience: Audience, _happening: Happening) -> ColumnElement[bool]:
    where = [EventRole.event_id == audience.event_id, _is_alive(audience.event_id)]
    if audience.roles:
        where.append(EventRole.role.in_(audience.roles))
    return User.id.in_(select(EventRole.user_id).where(*where))


def _speakers(audience: Audience, _happening: Happening) -> ColumnElement[bool]:
    """The account with the confirmed address of a speaker; without one, who entered him, unless that is the team."""
    speakers = [Speaker.event_id == audience.event_id, Speaker.deleted_at.is_(None), _is_alive(audience.event_id)]
    team = select(EventRole.user_id).where(EventRole.event_id == audience.event_id)
    entered = select(Speaker.user_id).where(*speakers, Speaker.user_id.not_in(team), ~_has_account(Speaker.email))
    return or_(_has_address(select(func.lower(Speaker.email)).where(*speakers)), User.id.in_(entered))


def _ticket_holders(audience: Audience, _happening: Happening) -> ColumnElement[bool]:
    """The account with the confirmed address of an attendee; without one, the buyer's."""
    sold = and_(
        Attendee.event_id == audience.event_id,
        Attendee.deleted_at.is_(None),
        Attendee.order_id == Order.id,
        Order.status == COMPLETED,
        _is_alive(audience.event_id),
    )
    bought = select(Order.user_id).where(sold, ~_has_account(Attendee.email))
    return or_(_has_address(select(func.lower(Attendee.email)).where(sold)), User.id.in_(bought))


def _has_address(addresses: Select[Any]) -> ColumnElement[bool]:
    return and_(User.is_verified, func.lower(User.email).in_(addresses))


def _has_account(address: Any) -> ColumnElement[bool]:
    """Whether an account has confirmed this address."""
    account = aliased(User)
    return exists().where(
        func.lower(account.email) == func.lower(address), account.is_verified, account.deleted_at.is_(None)
    )


def _is_alive(event_id: int | None) -> ColumnElement[bool]:
    return exists().where(Event.id == event_id, Event.deleted_at.is_(None))


def _listeners(_audience: Audience, happening: Happening) -> ColumnElement[bool]:
    """Whoever follows it, as long as he may see what it is about."""
    found = LISTENING.bindparams(**listening(happening)).columns(Listen.user_id).subquery()
    return and_(User.id.in_(select(found.c.user_id)), _may_see(happening))


def _asks_for_own(happening: Happening) -> ColumnElement[bool]:
    own = and_(Listen.user_id == happening.actor_id, Listen.includes_own, matches(happening))
    return exists().where(own)


def _may_see(happening: Happening) -> ColumnElement[bool]:
    """Whether a user may see the event and the session of a happening: what `app/api/access.py` says of a viewer."""
    if happening.event_id is None:
        return true()
    in_team = exists().where(EventRole.event_id == happening.event_id, EventRole.user_id == User.id)
    public: ColumnElement[bool] = exists().where(
        Event.id == happening.event_id, Event.state == PUBLISHED, Event.deleted_at.is_(None)
    )
    if happening.session_id is None:
        return and_(_is_alive(happening.event_id), or_(User.is_admin, in_team, public))
    shown = and_(
        public,
        exists().where(
            Session.id == happening.session_id,
            Session.state.in_((ACCEPTED, CONFIRMED)),
            Session.deleted_at.is_(None),
        ),
    )
    speaks = exists().where(
        speakers_sessions.c.session_id == happening.session_id,
        speakers_sessions.c.speaker_id == Speaker.id,
        Speaker.user_id == User.id,
        Speaker.deleted_at.is_(None),
    )
    return and_(_is_alive(happening.event_id), or_(User.is_admin, in_team, shown, speaks))


def _reads(language: str) -> ColumnElement[bool]:
    """Whether a user is written to in this language: the first part of his own, the default for all others."""
    first = func.lower(func.split_part(func.replace(User.language, "_", "-"), "-", 1))
    others = [each for each in LANGUAGES if each != DEFAULT]
    return first.not_in(others) if language == DEFAULT else first == language


def language_of(language: str) -> str:
    """The one of `LANGUAGES` that somebody with this language is written to in: the same as `_reads` finds."""
    first = language.replace("_", "-").split("-")[0].lower()
    return first if first in LANGUAGES else DEFAULT


_CONDITIONS: Final[dict[str, Callable[[Audience, Happening], ColumnElement[bool]]]] = {
    EVERYONE: _everyone,
    LISTENERS: _listeners,
    ROLES: _with_role,
    SPEAKERS: _speakers,
    TICKET_HOLDERS: _ticket_holders,
}
