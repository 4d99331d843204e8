"""Listens: a user says what he wants to be told of without being named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response
from sqlalchemy import ColumnElement, select

from app.api.helpers.listens import TooManyListensError, follow, thing_of
from app.api.jsonapi.access import ResourceType, require_visible
from app.api.jsonapi.document import read_resource
from app.api.jsonapi.errors import Conflict, Forbidden, NotFound, Unprocessable
from app.api.jsonapi.resources import DetailResource, ListResource
from app.api.schema.events import EVENT
from app.api.schema.listens import LISTEN
from app.api.schema.sessions import SESSION
from app.api.schema.users import USER
from app.api.viewer import Viewer
from app.models import Event, Listen, Session, User, db


class ListenList(ListResource):
    """What a user follows; he adds to it."""

    resource_type = LISTEN

    def scope(self, viewer: Viewer, view_kwargs: Mapping[str, Any]) -> ColumnElement[bool] | None:
        """The user's."""
        require_visible(USER, view_kwargs["user_id"], viewer)
        of_user: ColumnElement[bool] = Listen.user_id == view_kwargs["user_id"]
        return of_user

    def post(self, **view_kwargs: Any) -> Response:
        """Follow: 201, or 200 if he does already."""
        query = self.query(many=False)
        data = LISTEN.schema.load_resource(read_resource(LISTEN.type_), partial=False)
        listen, is_new = self._follow(db.session.get_one(User, view_kwargs["user_id"]), data)
        return self.answer(listen, query, 201 if is_new else 200)

    def _follow(self, user: User, data: dict[str, Any]) -> tuple[Listen, bool]:
        """The listen, and whether it was just made.

        Raises:
            NotFound: the event or the session is not there, or not the user's to know.
            Unprocessable: both are named.
            Conflict: he has as many as one can have.
        """
        event_id, session_id = data.get("event"), data.get("session")
        if event_id is not None and session_id is not None:
            detail = "A listen is about one thing: an event or a session."
            raise Unprocessable(detail, pointer="/data/relationships/session")
        event = None if event_id is None else self._visible(EVENT, event_id)
        session = None if session_id is None else self._visible(SESSION, session_id)
        if session is not None:
            _keep_event(session)
        try:
            thing = thing_of(event, session)
            return follow(user, data["pattern"], thing, includes_own=data.get("includes_own", False))
        except TooManyListensError as error:
            raise Conflict(str(error), pointer="/data") from error

    def _visible(self, kind: ResourceType, id_: int) -> Any:
        """The row, which is not deleted before this transaction ends.

        Raises:
            NotFound: there is none, or none that the user may know of.
        """
        model = kind.model
        row = db.session.scalar(
            select(model)
            .where(model.id == id_, kind.access.visible(self.viewer))
            .with_for_update(read=True, key_share=True, of=model)
        )
        if row is None:
            raise NotFound(f"There is no {kind.type_} with the id {id_}.", pointer=f"/data/relationships/{kind.type_}")
        return row


def _keep_event(session: Session) -> None:
    """Let nobody delete the session's event meanwhile, and its listens with it.

    Raises:
        NotFound: somebody has.
    """
    event = select(Event.id).where(Event.id == session.event_id, Event.deleted_at.is_(None))
    if db.session.scalar(event.with_for_update(read=True, key_share=True)) is None:
        raise NotFound(f"There is no session with the id {session.id}.", pointer="/data/relationships/session")


class ListenDetail(DetailResource):
    """One listen; its owner ends it."""

    resource_type = LISTEN

    def scope(self, viewer: Viewer, view_kwargs: Mapping[str, Any]) -> ColumnElement[bool] | None:  # noqa: ARG002 - the hook's signature
        """Below the address of a user, only his."""
        if "user_id" not in view_kwargs:
            return None
        of_user: ColumnElement[bool] = Listen.user_id == view_kwargs["user_id"]
        return of_user

    def before_delete(self, obj: Listen, viewer: Viewer) -> None:
        """Its owner ends it."""
        if not viewer.is_self(obj.user_id):
            raise Forbidden("Only the user may end what he follows.")
