"""Ordering over HTTP, in the words of the tests."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from app.models import Event, Happening, Mail, Notification, Order, Ticket, User, db
from app.models.base import utc_now
from app.models.order import COMPLETED
from tests.support.api import Api
from tests.support.rows import count


def ticket(event: Event, price: str = "0", currency: str = "EUR", name: str = "Standard") -> Ticket:
    """A ticket made straight in the table."""
    row = Ticket(name=name, price=Decimal(price), currency=currency, event=event)
    db.session.add(row)
    db.session.commit()
    return row


def enter(api: Api, by: User, event: Event, email: str | None = None, **related: Any) -> Any:
    """POST an attendee; `ticket` and `order` are rows or ids."""
    named = {name: (name, getattr(row, "id", row)) for name, row in related.items() if row is not None}
    attributes = {"firstname": "Gus", "email": email}
    return api.as_(by).create("/v1/attendees", "attendee", attributes, event=("event", event.id), **named)


def place(api: Api, by: User, event: Event, *emails: str | None, ticket: Ticket | None = None, **more: Any) -> Any:
    """POST an order for one attendee with each of these addresses."""
    entered = [enter(api, by, event, email, ticket=ticket).json["data"]["id"] for email in emails]
    attendees = [("attendee", id_) for id_ in entered]
    return api.as_(by).create("/v1/orders", "order", more, event=("event", event.id), attendees=attendees)


def order_for(api: Api, by: User, event: Event, *emails: str | None, ticket: Ticket | None = None) -> Order:
    """The row of such an order."""
    answer = place(api, by, event, *emails, ticket=ticket)
    assert answer.status_code == 201, answer.text
    order = db.session.get(Order, int(answer.json["data"]["id"]))
    assert order is not None
    return order


def change(api: Api, by: User, order: Order, **attributes: Any) -> Any:
    """PATCH an order."""
    return api.as_(by).update(f"/v1/orders/{order.id}", "order", order.id, **attributes)


def resend(api: Api, by: User, identifier: Any) -> Any:
    """Ask for an order's mails once more."""
    return api.as_(by).post("/v1/orders/resend-email", {"data": {"order": identifier}})


def in_status(order: Order, status: str) -> Order:
    """Set the status straight in the table, telling nobody."""
    order.status = status
    order.completed_at = utc_now() if status == COMPLETED else None
    db.session.commit()
    return order


def nobody_was_told() -> bool:
    """Whether there is no message of any kind."""
    return count(Notification) == count(Mail) == count(Happening) == 0
