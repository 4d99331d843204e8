"""What a mail and a notification both say of a session, an order or an invoice: values for their templates."""

from __future__ import annotations

from app.api.helpers.settings import get_settings
from app.language import Money, Month, Period, Value
from app.models import EventInvoice, Order, Session


def time_of(session: Session) -> Value:
    """When a session is, on the clocks of the event's place."""
    return Period(session.starts_at, session.ends_at, session.event.timezone)


def names_of(order: Order) -> dict[str, Value]:
    """What an order is called, and which event it is for."""
    return {"event_name": order.event.name, "invoice_id": order.invoice_id}


def cancellation_of(order: Order) -> dict[str, Value]:
    """The same, and why it was cancelled, if somebody wrote it down."""
    return {**names_of(order), "cancel_note": order.cancel_note or ""}


def amount_of(invoice: EventInvoice) -> dict[str, Value]:
    """What is to be paid, for which event and month, and to whom."""
    return {
        "event_name": invoice.event.name,
        "date": Month(invoice.month),
        "amount": Money(invoice.amount, invoice.currency),
        "app_name": get_settings().app_name,
    }
