"""Orders: who is told of one is told once, and only when it is complete or cancelled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flask import Response, jsonify
from sqlalchemy import ColumnElement, select

from app.api.helpers.log import record_activity
from app.api.helpers.order_messages import send_tickets_again, tell_of_cancellation, tell_of_completion
from app.api.jsonapi.data_layer import Changes
from app.api.jsonapi.document import read_json
from app.api.jsonapi.errors import BadRequest, Forbidden, NotFound, Unprocessable
from app.api.jsonapi.idempotency import commit_with
from app.api.jsonapi.resources import DetailResource, ListResource
from app.api.order_access import visible_orders
from app.api.order_rules import ATTENDEES, reckon, require_organizer, require_published, require_room
from app.api.schema.orders import ORDER
from app.api.speakers import stays_with_event
from app.api.viewer import Viewer, current_viewer
from app.auth.limits import RESENDS_PER_ACCOUNT, caller_key, limiter
from app.models import Attendee, Order, db
from app.models.base import utc_now
from app.models.event import ORGANIZERS
from app.models.order import CANCELLED, COMPLETED, EXPIRED, INITIALIZING, OPEN_STATUSES, PENDING

# What an order can become.
TRANSITIONS: Final = {
    INITIALIZING: (PENDING, COMPLETED, CANCELLED),
    PENDING: (COMPLETED, CANCELLED),
    COMPLETED: (CANCELLED,),
    CANCELLED: (),
    EXPIRED: (),
}
_STATUS = "/data/attributes/status"


class OrderList(ListResource):
    """Orders that one may know of; any user orders, for an event that is published."""

    resource_type = ORDER

    def scope(self, viewer: Viewer, view_kwargs: Mapping[str, Any]) -> ColumnElement[bool] | None:
        """Those for the event in the address."""
        if "event_id" not in view_kwargs:
            return None
        require_organizer(view_kwargs["event_id"], viewer)
        of_event: ColumnElement[bool] = Order.event_id == view_kwargs["event_id"]
        return of_event

    def before_create(self, data: dict[str, Any], viewer: Viewer, view_kwargs: Any) -> None:  # noqa: ARG002 - the hook's signature
        """An order begins open, with attendees of the caller's that are in no order yet."""
        if data.get("status", INITIALIZING) not in OPEN_STATUSES:
            detail = f"A new order is {' or '.join(OPEN_STATUSES)}; change its status with PATCH."
            raise Unprocessable(detail, pointer=_STATUS)
        _check_note(None, data, cancels=False)
        require_published(data["event"], viewer)
        attendees = data.get("attendees", [])
        require_room(len(attendees), ATTENDEES)
        _check_free(data["event"].id, attendees, viewer)
        data["user"] = viewer.user

    def after_create(self, obj: Order, viewer: Viewer) -> None:  # noqa: ARG002 - the hook's signature
        """Work out the amount. Nobody is told of an order that is not complete."""
        reckon(obj)
        record_activity("create_order", order=obj.invoice_id)


class OrderDetail(DetailResource):
    """One order, for its buyer and the event's organizers."""

    resource_type = ORDER

    def before_update(self, obj: Order, data: dict[str, Any], viewer: Viewer) -> None:
        """Only the status changes, and the note with which it is cancelled."""
        stays_with_event(obj.event_id, data)
        named = data.pop("attendees", None)
        if named is not None and set(named) != set(obj.attendees):
            detail = "Attendees come to an order with POST /v1/attendees and leave it with DELETE /v1/attendees/<id>."
            raise Unprocessable(detail, pointer=ATTENDEES)
        status = data.get("status", obj.status)
        _check_note(obj.cancel_note, data, cancels=status == CANCELLED and obj.status != CANCELLED)
        if status == obj.status:
            return
        _check_transition(obj, status, viewer)
        data["changed_at"] = utc_now()
        if status == COMPLETED:
            data["completed_at"] = data["changed_at"]

    def after_update(self, obj: Order, changes: Changes, viewer: Viewer) -> None:  # noqa: ARG002 - the hook's signature
        """Tell of what was completed or cancelled; the same status again tells nobody."""
        if "status" not in changes:
            return
        record_activity("update_order", order=obj.invoice_id, status=obj.status)
        before, now = changes["status"]
        if now == COMPLETED:
            tell_of_completion(obj)
        elif now == CANCELLED:
            tell_of_cancellation(obj, was_completed=before == COMPLETED)


@limiter.limit(RESENDS_PER_ACCOUNT, key_func=caller_key)
def resend_order_mails() -> Response:
    """Send the mails of a complete order again: `{"data": {"order": identifier}}`."""
    data = read_json().get("data")
    identifier = data.get("order") if isinstance(data, dict) else None
    if not isinstance(identifier, str) or not identifier:
        raise BadRequest('The body must be {"data": {"order": "<identifier>"}}.', pointer="/data/order")
    found = select(Order).where(Order.identifier == identifier, visible_orders(current_viewer()))
    order = db.session.scalar(found)
    if order is None:
        raise NotFound("There is no order with this identifier.", pointer="/data/order")
    if order.status != COMPLETED:
        detail = f"The order is {order.status}: there are no tickets to send before it is completed."
        raise Unprocessable(detail, pointer="/data/order")
    send_tickets_again(order)
    return commit_with(jsonify(status=True, message="The mails of the order are sent again."))


def _check_transition(order: Order, status: str, viewer: Viewer) -> None:
    """Let an order become only what it can become, by whom it can.

    Raises:
        Unprocessable: it cannot.
        Forbidden: the buyer would complete what was not paid.
    """
    allowed = TRANSITIONS[order.status]
    if not allowed:
        raise Unprocessable(f"The order is {order.status}, and stays so: make a new order.", pointer=_STATUS)
    if status not in allowed:
        detail = f"The order is {order.status}: from there it can become {' or '.join(allowed)}."
        raise Unprocessable(detail, pointer=_STATUS)
    if status != COMPLETED:
        return
    if order.amount > 0 and not viewer.has_role(order.event_id, *ORGANIZERS):
        raise Forbidden("Only the event's organizers and admins complete an order that costs something.")
    if not order.attendees:
        raise Unprocessable("An order without attendees cannot be completed: add them first.", pointer=_STATUS)


def _check_note(note: str | None, data: Mapping[str, Any], *, cancels: bool) -> None:
    """Why an order is cancelled is written with the cancelling, by whoever does it, and stays."""
    if not cancels and data.get("cancel_note", note) != note:
        detail = "The note is written together with the status cancelled, and then stays."
        raise Unprocessable(detail, pointer="/data/attributes/cancel-note")


def _check_free(event_id: int, attendees: Sequence[Attendee], viewer: Viewer) -> None:
    """Refuse attendees of others, of another event or in another order; locked, so that only one order gets each."""
    ids = [attendee.id for attendee in attendees]
    statement = select(Attendee).where(Attendee.id.in_(ids)).order_by(Attendee.id).with_for_update()
    db.session.scalars(statement.execution_options(populate_existing=True)).all()
    for index, attendee in enumerate(attendees):
        if attendee.event_id != event_id:
            detail = "This attendee is not one of the event."
        elif not viewer.is_self(attendee.user_id):
            detail = "Somebody else entered this attendee."
        elif attendee.order_id is not None:
            detail = "This attendee is in another order."
        elif attendee.deleted_at is not None:
            detail = "This attendee was deleted."
        else:
            continue
        raise Unprocessable(detail, pointer=f"{ATTENDEES}/{index}")
