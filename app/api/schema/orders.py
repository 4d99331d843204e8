"""Tickets, attendees, orders, and what an event owes for its sales."""

from __future__ import annotations

from typing import Final

from app.api.jsonapi.access import ResourceType, register_type
from app.api.jsonapi.fields import Choice, Currency, Day, DecimalNumber, EmailAddress, Text, Timestamp
from app.api.jsonapi.schema import Schema, ToMany, ToOne
from app.api.order_access import ATTENDEES, EVENT_INVOICES, ORDERS, TICKETS
from app.models.order import INVOICE_STATUSES, ORDER_STATUSES, Attendee

MAX_PRICE: Final = 1_000_000


class TicketSchema(Schema):
    """A kind of ticket."""

    class Meta:
        type_ = "ticket"
        self_view = "v1.ticket_detail"

    name = Text(255, minimum=1, required=True)
    price = DecimalNumber(0, MAX_PRICE)
    currency = Currency()

    event = ToOne("event", foreign_key="event_id", required=True)


class AttendeeSchema(Schema):
    """A person who will come; the order is for who ordered and the event's organizers."""

    class Meta:
        type_ = "attendee"
        self_view = "v1.attendee_detail"

    identifier = Text(32, dump_only=True)
    firstname = Text(255, minimum=1, required=True)
    lastname = Text(255, allow_none=True)
    email = EmailAddress(allow_none=True)

    event = ToOne("event", foreign_key="event_id", required=True)
    ticket = ToOne("ticket", foreign_key="ticket_id", allow_none=True)
    order = ToOne("order", foreign_key="order_id", allow_none=True)


class OrderSchema(Schema):
    """What one person buys for one event; the server works out the amount."""

    class Meta:
        type_ = "order"
        self_view = "v1.order_detail"

    identifier = Text(32, dump_only=True)
    invoice_id = Text(64, dump_only=True)
    status = Choice(ORDER_STATUSES)
    cancel_note = Text(2000, lines=True, allow_none=True)
    amount = DecimalNumber(0, MAX_PRICE, dump_only=True)
    currency = Currency(dump_only=True)
    created_at = Timestamp(dump_only=True)
    completed_at = Timestamp(dump_only=True)

    event = ToOne("event", foreign_key="event_id", required=True)
    user = ToOne("user", foreign_key="user_id", dump_only=True)
    attendees = ToMany("attendee", related_view="v1.order_attendee_list")


class EventInvoiceSchema(Schema):
    """The platform's share of an event's sales in a month."""

    class Meta:
        type_ = "event-invoice"
        self_view = "v1.event_invoice_detail"

    identifier = Text(32, dump_only=True)
    month = Day()
    amount = DecimalNumber(0, MAX_PRICE, dump_only=True)
    currency = Currency(dump_only=True)
    status = Choice(INVOICE_STATUSES)
    issued_at = Timestamp(dump_only=True)
    paid_at = Timestamp(dump_only=True)

    event = ToOne("event", foreign_key="event_id", dump_only=True)


TICKET: Final = register_type(ResourceType("ticket", TicketSchema, TICKETS))
ATTENDEE: Final = register_type(
    # With the order, since it says who may know of it.
    ResourceType("attendee", AttendeeSchema, ATTENDEES, joins=(Attendee.order,))
)
ORDER: Final = register_type(ResourceType("order", OrderSchema, ORDERS))
EVENT_INVOICE: Final = register_type(ResourceType("event-invoice", EventInvoiceSchema, EVENT_INVOICES))
