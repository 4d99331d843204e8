"""Speakers of events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, select

from app.api.jsonapi.access import require_visible
from app.api.jsonapi.errors import Forbidden, Unprocessable
from app.api.jsonapi.resources import DetailResource, ListResource
from app.api.schema.events import EVENT
from app.api.schema.sessions import SESSION, SPEAKER
from app.api.viewer import Viewer
from app.models import Event, Speaker
from app.models.base import utc_now
from app.models.event import MANAGERS
from app.models.session import speakers_sessions


class SpeakerList(ListResource):
    """Speakers; any user enters one, for himself unless the event's managers say otherwise."""

    resource_type = SPEAKER

    def scope(self, viewer: Viewer, view_kwargs: Mapping[str, Any]) -> ColumnElement[bool] | None:
        """Those of the event or the session in the address."""
        if "event_id" in view_kwargs:
            require_visible(EVENT, view_kwargs["event_id"], viewer)
            of_event: ColumnElement[bool] = Speaker.event_id == view_kwargs["event_id"]
            return of_event
        if "session_id" in view_kwargs:
            require_visible(SESSION, view_kwargs["session_id"], viewer)
            return Speaker.id.in_(
                select(speakers_sessions.c.speaker_id).where(
                    speakers_sessions.c.session_id == view_kwargs["session_id"]
                )
            )
        return None

    def before_create(self, data: dict[str, Any], viewer: Viewer, view_kwargs: Any) -> None:  # noqa: ARG002 - the hook's signature
        """Whose entry it is."""
        data.setdefault("user", viewer.user)
        _check_owner(data["event"], data, viewer)


class SpeakerDetail(DetailResource):
    """One speaker, changed by himself, the event's team and admins."""

    resource_type = SPEAKER

    def before_update(self, obj: Speaker, data: dict[str, Any], viewer: Viewer) -> None:
        """A speaker stays with the event."""
        _check_editor(obj, viewer)
        stays_with_event(obj.event_id, data)
        if data.get("user", obj.user) is not obj.user:
            _check_owner(obj.event, data, viewer)

    def before_delete(self, obj: Speaker, viewer: Viewer) -> None:
        """Whoever may change it may delete it."""
        _check_editor(obj, viewer)

    def remove(self, obj: Speaker) -> None:
        """Keep the row, for the sessions that it gave."""
        obj.deleted_at = utc_now()


def stays_with_event(event_id: int, data: dict[str, Any]) -> None:
    """Let the event be named again in a change, but not another one.

    Raises:
        Unprocessable: it is another one.
    """
    event: Event | None = data.pop("event", None)
    if event is not None and event.id != event_id:
        raise Unprocessable("This cannot move to another event.", pointer="/data/relationships/event/data")


def _check_editor(speaker: Speaker, viewer: Viewer) -> None:
    if not (viewer.is_self(speaker.user_id) or viewer.has_role(speaker.event_id)):
        raise Forbidden("Only the speaker, the event's team and admins may do this.")


def _check_owner(event: Event, data: Mapping[str, Any], viewer: Viewer) -> None:
    if data["user"] is not viewer.user and not viewer.has_role(event.id, *MANAGERS):
        raise Forbidden("Only the event's owner and organizers and admins may enter a speaker for somebody else.")
