"""Events: whoever makes one is its owner."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from app.api.helpers.event_messages import tell_of_publishing
from app.api.helpers.listens import end_listens_on
from app.api.helpers.log import record_activity
from app.api.jsonapi.data_layer import Changes
from app.api.jsonapi.errors import Forbidden, Unprocessable, explain
from app.api.jsonapi.resources import DetailResource, ListResource
from app.api.schema.events import EVENT
from app.api.viewer import Viewer
from app.models import Event, EventRole, db
from app.models.base import utc_now
from app.models.event import DRAFT, MANAGERS, OWNER, PUBLISHED

END_BEFORE_START = ("The end is before the start.", "/data/attributes/ends-at")
explain("ck_events_ends_after_start", *END_BEFORE_START)
explain("ck_sessions_ends_after_start", *END_BEFORE_START)


class EventList(ListResource):
    """Events that one may see; verified users make new ones."""

    resource_type = EVENT

    def before_create(self, data: dict[str, Any], viewer: Viewer, view_kwargs: Any) -> None:  # noqa: ARG002 - the hook's signature
        """An event does not end before it starts."""
        check_times(data["starts_at"], data["ends_at"])

    def after_create(self, obj: Event, viewer: Viewer) -> None:
        """Make the caller its owner."""
        db.session.add(EventRole(event=obj, user=viewer.user, role=OWNER))
        record_activity("create_event", event_id=obj.id)


class EventDetail(DetailResource):
    """One event."""

    resource_type = EVENT
    url_field = "event_id"

    def before_update(self, obj: Event, data: dict[str, Any], viewer: Viewer) -> None:
        """Owner, organizers and admins change it."""
        check_manager(obj, viewer)
        check_times(data.get("starts_at", obj.starts_at), data.get("ends_at", obj.ends_at))
        record_activity("update_event", event_id=obj.id)

    def after_update(self, obj: Event, changes: Changes, viewer: Viewer) -> None:  # noqa: ARG002 - the hook's signature
        """Tell that a draft was published; no other change of an event tells anybody."""
        if changes.get("state") == (DRAFT, PUBLISHED):
            tell_of_publishing(obj)

    def before_delete(self, obj: Event, viewer: Viewer) -> None:
        """Owner, organizers and admins delete it."""
        check_manager(obj, viewer)

    def remove(self, obj: Event) -> None:
        """Keep the row, for the logs that point to it; nobody sees it any more, is told of it, or follows it."""
        obj.deleted_at = utc_now()
        end_listens_on(obj)
        record_activity("delete_event", event_id=obj.id)


def check_times(starts_at: datetime | None, ends_at: datetime | None) -> None:
    """Refuse an end before the start.

    Raises:
        Unprocessable: it is one.
    """
    if starts_at is not None and ends_at is not None and ends_at < starts_at:
        detail, pointer = END_BEFORE_START
        raise Unprocessable(detail, pointer=pointer)


def check_manager(event: Event, viewer: Viewer) -> None:
    """Let only those go on who manage the event.

    Raises:
        Forbidden: the caller is neither its owner, nor an organizer, nor an admin.
    """
    if not viewer.has_role(event.id, *MANAGERS):
        raise Forbidden("Only the event's owner and organizers and admins may do this.")
