"""Attendees: the people that an order is for. They change only as long as the order is open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement

from app.api.jsonapi.access import require_visible
from app.api.jsonapi.data_layer import Changes
from app.api.jsonapi.errors import Conflict, Forbidden, Unprocessable
from app.api.jsonapi.resources import DetailResource, ListResource
from app.api.order_rules import lock_order, reckon, require_organizer, require_published, require_room
from app.api.schema.orders import ATTENDEE, ORDER
from app.api.speakers import stays_with_event
from app.api.viewer import Viewer
from app.models import Attendee, Ticket
from app.models.base import utc_now
from app.models.event import ORGANIZERS
from app.models.order import OPEN_STATUSES, Order

_TICKET = "/data/relationships/ticket/data"
_ORDER = "/data/relationships/order/data"


class AttendeeList(ListResource):
    """Attendees that one may know of; any user enters them, for an event that is published."""

    resource_type = ATTENDEE

    def scope(self, viewer: Viewer, view_kwargs: Mapping[str, Any]) -> ColumnElement[bool] | None:
        """Those of the event or the order in the address."""
        if "event_id" in view_kwargs:
            require_organizer(view_kwargs["event_id"], viewer)
            of_event: ColumnElement[bool] = Attendee.event_id == view_kwargs["event_id"]
            return of_event
        if "order_id" in view_kwargs:
            require_visible(ORDER, view_kwargs["order_id"], viewer)
            in_order: ColumnElement[bool] = Attendee.order_id == view_kwargs["order_id"]
            return in_order
        return None

    def before_create(self, data: dict[str, Any], viewer: Viewer, view_kwargs: Any) -> None:  # noqa: ARG002 - the hook's signature
        """The ticket and the order must be those of the event, and the order open."""
        event_id = data["event"].id
        require_published(data["event"], viewer)
        _check_ticket(event_id, data.get("ticket"))
        _check_order(event_id, data.get("order"))
        data["user"] = viewer.user

    def after_create(self, obj: Attendee, viewer: Viewer) -> None:  # noqa: ARG002 - the hook's signature
        """An order that has one more costs more."""
        if obj.order is not None:
            reckon(obj.order, _TICKET)


class AttendeeDetail(DetailResource):
    """One attendee, changed by who entered the person and the event's organizers while the order is open."""

    resource_type = ATTENDEE

    def before_update(self, obj: Attendee, data: dict[str, Any], viewer: Viewer) -> None:
        """An attendee stays with the event, and in the order once there is one."""
        _check_editable(obj, viewer)
        stays_with_event(obj.event_id, data)
        _check_ticket(obj.event_id, data.get("ticket"))
        if obj.order is None:
            _check_order(obj.event_id, data.get("order"))
        elif data.get("order", obj.order) is not obj.order:
            raise Unprocessable("An attendee stays in the order.", pointer=_ORDER)

    def after_update(self, obj: Attendee, changes: Changes, viewer: Viewer) -> None:  # noqa: ARG002 - the hook's signature
        """Another ticket may cost more or less."""
        if obj.order is not None and changes.keys() & {"ticket_id", "order_id"}:
            reckon(obj.order, _TICKET)

    def before_delete(self, obj: Attendee, viewer: Viewer) -> None:
        """Whoever may change the attendee may delete it."""
        _check_editable(obj, viewer)

    def remove(self, obj: Attendee) -> None:
        """Keep the row, but not in the order, which costs less now."""
        order, obj.order = obj.order, None
        obj.deleted_at = utc_now()
        if order is not None:
            reckon(order)


def _check_editable(attendee: Attendee, viewer: Viewer) -> None:
    """Refuse who may not, and then the change of an attendee whose order is no longer open.

    Raises:
        Forbidden: somebody else entered the attendee.
        Conflict: what was ordered is settled.
    """
    if not (viewer.is_self(attendee.user_id) or viewer.has_role(attendee.event_id, *ORGANIZERS)):
        raise Forbidden("Only who entered the attendee, the event's organizers and admins may do this.")
    if attendee.order is not None and lock_order(attendee.order).status not in OPEN_STATUSES:
        raise Conflict(f"The order is {attendee.order.status}: its attendees stay as they are.")


def _check_ticket(event_id: int, ticket: Ticket | None) -> None:
    if ticket is not None and ticket.event_id != event_id:
        raise Unprocessable("This ticket is not one of the event.", pointer=_TICKET)


def _check_order(event_id: int, order: Order | None) -> None:
    if order is None:
        return
    if order.event_id != event_id:
        raise Unprocessable("This order is not one of the event.", pointer=_ORDER)
    if lock_order(order).status not in OPEN_STATUSES:
        raise Unprocessable(f"The order is {order.status}: nobody can be added to it.", pointer=_ORDER)
    require_room(len(order.attendees) + 1, _ORDER)
