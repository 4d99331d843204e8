"""The happenings of the present transaction: what several people are told is stored once, and mails find it again.

It is all forgotten with every end of a transaction or savepoint, so that nothing points to a row that is not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import insert

from app.api.helpers.settings import mail_is_on, notification_is_on, users_control
from app.api.helpers.system_mails import MAILS
from app.api.helpers.system_notifications import NOTIFS
from app.api.viewer import current_viewer
from app.happenings import declared  # noqa: F401 - declares the types
from app.happenings.audience import NAMED, Audience
from app.happenings.deciding.plan import Plan
from app.happenings.types import EventType, type_of_action
from app.models import db
from app.models.base import Base
from app.models.event_type import IN_APP, MAIL

_CURRENT: Final = "usher.happenings"
_TABLE: Final = Base.metadata.tables["happenings"]


@dataclass(frozen=True)
class Content:
    """What makes two happenings of one transaction the same, together with their other columns."""

    action: str
    title: str
    message: str
    link: str | None = None


@dataclass
class _Current:
    """What is known of the transaction.

    Attributes:
        ids: the happenings, by what they say and what they are about.
        told: whom each was told to; a second time is a second happening.
        last: the happening that a user was told of last, by type: a mail of this type to him belongs to it.
        marks: what there may be once only of a happening, for a user.
    """

    ids: dict[tuple[Content, str], int] = field(default_factory=dict)
    told: set[tuple[int, int]] = field(default_factory=set)
    last: dict[tuple[str, int], int] = field(default_factory=dict)
    marks: set[tuple[str, int, int]] = field(default_factory=set)


def happening_for(user_id: int, content: Content, columns: Mapping[str, Any] | None = None) -> int:
    """The id of the happening with this content, which the user is told of now; `columns` are what it has besides.

    Written at once, and not with the next flush: the rows that point to it need its id.
    """
    current, columns = _current(), columns or {}
    # As text, since data may be anything: one who is told of another event, or given other data, is told of it alone.
    key = (content, repr(sorted(columns.items())))
    happening_id = current.ids.get(key)
    if happening_id is None or (happening_id, user_id) in current.told:
        happening_id = current.ids[key] = _insert(content, columns)
    current.told.add((happening_id, user_id))
    event_type = type_of_action(content.action)
    if event_type is not None:
        current.last[event_type.name, user_id] = happening_id
    return happening_id


def told_happening(event_type: EventType, user_id: int) -> int | None:
    """The happening of this type that the user was told of in this transaction."""
    return _current().last.get((event_type.name, user_id))


def is_first(what: str, happening_id: int, user_id: int) -> bool:
    """Whether this is asked for the first time of a happening and a user."""
    mark, marks = (what, happening_id, user_id), _current().marks
    is_new = mark not in marks
    marks.add(mark)
    return is_new


def forget_happenings() -> None:
    """Begin with none; called at the end of every transaction and savepoint."""
    db.session.info.pop(_CURRENT, None)


def plan_of(event_type: EventType, action: str) -> Plan:
    """What is decided for everybody of an action of Open Event, whose people are found by the program itself."""
    ways = ((IN_APP, notification_is_on, NOTIFS.keys()), (MAIL, mail_is_on, MAILS.keys()))
    switched_off = frozenset(
        channel for channel, is_on, actions in ways if not all(map(is_on, actions & set(event_type.actions)))
    )
    return Plan(
        audience=Audience(NAMED),
        channels=event_type.channels,
        switched_off=switched_off,
        is_critical=event_type.is_critical,
        user_controls=users_control(action),
    )


def _current() -> _Current:
    current: _Current = db.session.info.setdefault(_CURRENT, _Current())
    return current


def _insert(content: Content, columns: Mapping[str, Any]) -> int:
    event_type = type_of_action(content.action)
    values: dict[str, Any] = {
        "action": content.action,
        "title": content.title,
        "message": content.message,
        "link": content.link,
        "actor_id": current_viewer().id,
        **columns,
    }
    if event_type is not None:
        values |= {"event_type": event_type.name, "plan": plan_of(event_type, content.action).to_json()}
    happening_id: int = db.session.scalars(insert(_TABLE).values(values).returning(_TABLE.c.id)).one()
    return happening_id
