"""What a caller may know of tickets, attendees, orders and invoices; the rest is in `app/api/access.py`.

Tickets go with their event. Orders and attendees are for those whom they concern, and for the event's organizers.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, exists, false, func, or_, true
from sqlalchemy.orm import aliased

from app.api.access import is_alive, visible_events
from app.api.jsonapi.access import Access
from app.api.viewer import Viewer
from app.models import Attendee, Event, EventInvoice, Order, Ticket
from app.models.event import MANAGERS, ORGANIZERS


def visible_tickets(viewer: Viewer) -> ColumnElement[bool]:
    """Tickets of events that one may see."""
    of_event = exists().where(Event.id == Ticket.event_id, visible_events(viewer))
    return and_(of_event, Ticket.deleted_at.is_(None))


def visible_orders(viewer: Viewer) -> ColumnElement[bool]:
    """One's own, and those of events that one organizes; none of an event that was deleted."""
    if viewer.id is None:
        return false()
    mine = or_(Order.user_id == viewer.id, Order.event_id.in_(viewer.with_role(*ORGANIZERS)))
    return and_(true() if viewer.is_admin else mine, is_alive(Order.event_id))


def visible_attendees(viewer: Viewer) -> ColumnElement[bool]:
    """Those whose order one may know, and those who have the address that one has confirmed."""
    if viewer.user is None:
        return false()
    seen = reads_order_of_attendees(viewer)
    if viewer.user.is_verified:
        seen = or_(seen, func.lower(Attendee.email) == viewer.user.email.lower())
    return and_(seen, is_alive(Attendee.event_id), Attendee.deleted_at.is_(None))


def reads_order_of_attendees(viewer: Viewer) -> ColumnElement[bool]:
    """Those that one entered, those in one's orders, and those of events that one organizes."""
    if viewer.is_admin:
        return true()
    # A name of its own, since this may stand within a question about orders.
    bought = aliased(Order)
    return or_(
        Attendee.user_id == viewer.id,
        Attendee.event_id.in_(viewer.with_role(*ORGANIZERS)),
        exists().where(bought.id == Attendee.order_id, bought.user_id == viewer.id),
    )


def may_read_order_of_attendee(viewer: Viewer, attendee: Attendee) -> bool:
    """The same for one attendee."""
    if viewer.is_self(attendee.user_id) or viewer.has_role(attendee.event_id, *ORGANIZERS):
        return True
    return attendee.order is not None and viewer.is_self(attendee.order.user_id)


def visible_event_invoices(viewer: Viewer) -> ColumnElement[bool]:
    """Those of events that one manages; admins see all, those of deleted events too."""
    return true() if viewer.is_admin else EventInvoice.event_id.in_(viewer.with_role(*MANAGERS))


TICKETS = Access(Ticket, visible_tickets)
ORDERS = Access(Order, visible_orders)
ATTENDEES = Access(
    Attendee,
    visible_attendees,
    private=frozenset({"order"}),
    reads_private=reads_order_of_attendees,
    may_read_private=may_read_order_of_attendee,
)
EVENT_INVOICES = Access(EventInvoice, visible_event_invoices)
