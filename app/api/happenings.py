"""Happenings over the API: other programs announce them, admins see them all, and others what they were told of."""

from __future__ import annotations

from typing import Any, Final

from flask import Response
from sqlalchemy import ColumnElement, select

from app.api.helpers.happenings import HappeningError, Users, notify_happening
from app.api.jsonapi.document import read_resource
from app.api.jsonapi.errors import Unprocessable
from app.api.jsonapi.resources import DetailResource, ListResource
from app.api.jsonapi.schema import dasherize
from app.api.schema.happenings import HAPPENING
from app.auth.limits import HAPPENINGS_PER_SERVICE, caller_key, limiter
from app.happenings.audience import role_on
from app.models import Event, Happening, Session, User, db

_RELATIONSHIPS: Final = ("event", "session", "actor", "users")


class HappeningList(ListResource):
    """All happenings; a service account announces one."""

    resource_type = HAPPENING

    @limiter.limit(HAPPENINGS_PER_SERVICE, key_func=caller_key)
    def post(self, **_view_kwargs: Any) -> Response:
        """Announce: 201; few have then been told, and of many nobody yet."""
        query = self.query(many=False)
        item = read_resource(HAPPENING.type_)
        return self.answer(_announce(HAPPENING.schema.load_resource(item, partial=False)), query)


class HappeningDetail(DetailResource):
    """One happening; how far it was told is for admins."""

    resource_type = HAPPENING


def _announce(data: dict[str, Any]) -> Happening:
    """Announce what was loaded.

    Raises:
        Unprocessable: something in it cannot be; its pointer says what.
    """
    event, session = _find(Event, "event", data), _find(Session, "session", data)
    try:
        return notify_happening(
            data["event_type"],
            data["title"],
            data["message"],
            actor=_find(User, "actor", data),
            event=event,
            session=session,
            users=_users(data, event),
            subject=data.get("subject"),
            link=data.get("link"),
            data=data.get("data"),
            group_key=data.get("group_key"),
        )
    except HappeningError as error:
        raise Unprocessable(str(error), pointer=_pointer(error.field, error.index)) from error


def _users(data: dict[str, Any], event: Event | None) -> Users:
    """Who is named: some users, or those with a role on the event; None: who listens.

    Raises:
        Unprocessable: both are, or a role without an event.
    """
    role, ids = data.get("role"), data.get("users")
    if role is None:
        return ids
    if ids is not None:
        raise Unprocessable("Name either users or a role.", pointer=_pointer("role"))
    if event is None:
        raise Unprocessable("A role needs the event that it is on.", pointer=_pointer("role"))
    return role_on(event, role)


def _find(model: type[Any], name: str, data: dict[str, Any]) -> Any:
    """What a relationship leads to: a program may name whatever is there.

    Raises:
        Unprocessable: it is not there.
    """
    id_ = data.get(name)
    if id_ is None:
        return None
    alive: list[ColumnElement[bool]] = [model.id == id_, model.deleted_at.is_(None)]
    if model is Session:
        alive.append(Session.event.has(Event.deleted_at.is_(None)))
    row = db.session.scalar(select(model).where(*alive))
    if row is None:
        raise Unprocessable(f"There is no {model.__name__.lower()} with the id {id_}.", pointer=_pointer(name))
    return row


def _pointer(name: str, index: int | None = None) -> str:
    if name not in _RELATIONSHIPS:
        return f"/data/attributes/{dasherize(name)}"
    return f"/data/relationships/{name}/data" + ("" if index is None else f"/{index}")
