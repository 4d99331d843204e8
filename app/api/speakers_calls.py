"""Calls for papers: when an event takes proposals, and whether everybody sees that it does."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from app.api.events import END_BEFORE_START, check_manager, check_times
from app.api.jsonapi.errors import explain
from app.api.jsonapi.relationships import RelationshipResource
from app.api.jsonapi.resources import DetailResource, ListResource
from app.api.schema.events import EVENT
from app.api.schema.speakers_calls import SPEAKERS_CALL
from app.api.speakers import stays_with_event
from app.api.viewer import Viewer
from app.models import SpeakersCall, db
from app.models.base import utc_now

_TAKEN = "The event has a call for papers already: change that one."
explain("uq_speakers_calls_event_id", _TAKEN, "/data/relationships/event/data")
explain("ck_speakers_calls_ends_after_start", *END_BEFORE_START)


class SpeakersCallList(ListResource):
    """Calls for papers; the managers of an event make its one."""

    resource_type = SPEAKERS_CALL

    def before_create(self, data: dict[str, Any], viewer: Viewer, view_kwargs: Any) -> None:  # noqa: ARG002 - the hook's signature
        """The managers of the event make it."""
        check_manager(data["event"], viewer)
        check_times(data["starts_at"], data["ends_at"])


class SpeakersCallDetail(DetailResource):
    """One call for papers."""

    resource_type = SPEAKERS_CALL

    def before_update(self, obj: SpeakersCall, data: dict[str, Any], viewer: Viewer) -> None:
        """The managers of the event change it; it stays with the event."""
        check_manager(obj.event, viewer)
        stays_with_event(obj.event_id, data)
        check_times(data.get("starts_at", obj.starts_at), data.get("ends_at", obj.ends_at))

    def before_delete(self, obj: SpeakersCall, viewer: Viewer) -> None:
        """The managers of the event delete it, and with it the list of those who were invited."""
        check_manager(obj.event, viewer)


class EventSpeakersCall(RelationshipResource):
    """The call for papers of an event, or null."""

    resource_type = EVENT
    url_field = "event_id"
    relation = "speakers_call"


def call_of(event_id: int) -> SpeakersCall | None:
    """The call for papers of an event."""
    return db.session.scalar(select(SpeakersCall).where(SpeakersCall.event_id == event_id))


def is_open(call: SpeakersCall) -> bool:
    """Whether proposals are taken now."""
    return call.starts_at <= utc_now() <= call.ends_at
