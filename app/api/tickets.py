"""Tickets: what an event's managers offer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement

from app.api.jsonapi.access import require_visible
from app.api.jsonapi.errors import Forbidden
from app.api.jsonapi.resources import DetailResource, ListResource
from app.api.schema.events import EVENT
from app.api.schema.orders import TICKET
from app.api.speakers import stays_with_event
from app.api.viewer import Viewer
from app.models import Ticket
from app.models.base import utc_now
from app.models.event import MANAGERS


class TicketList(ListResource):
    """Tickets of events that one may see."""

    resource_type = TICKET

    def scope(self, viewer: Viewer, view_kwargs: Mapping[str, Any]) -> ColumnElement[bool] | None:
        """Those of the event in the address."""
        if "event_id" not in view_kwargs:
            return None
        require_visible(EVENT, view_kwargs["event_id"], viewer)
        of_event: ColumnElement[bool] = Ticket.event_id == view_kwargs["event_id"]
        return of_event

    def before_create(self, data: dict[str, Any], viewer: Viewer, view_kwargs: Any) -> None:  # noqa: ARG002 - the hook's signature
        """The event's managers offer tickets."""
        _check_manager(data["event"].id, viewer)


class TicketDetail(DetailResource):
    """One ticket. A new price counts for what is ordered from now on."""

    resource_type = TICKET

    def before_update(self, obj: Ticket, data: dict[str, Any], viewer: Viewer) -> None:
        """A ticket stays with its event."""
        _check_manager(obj.event_id, viewer)
        stays_with_event(obj.event_id, data)

    def before_delete(self, obj: Ticket, viewer: Viewer) -> None:
        """Whoever may change it may delete it."""
        _check_manager(obj.event_id, viewer)

    def remove(self, obj: Ticket) -> None:
        """Keep the row, for those who have such a ticket."""
        obj.deleted_at = utc_now()


def _check_manager(event_id: int, viewer: Viewer) -> None:
    if not viewer.has_role(event_id, *MANAGERS):
        raise Forbidden("Only the event's owner and organizers and admins may do this.")
