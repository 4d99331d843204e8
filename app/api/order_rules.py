"""What an order comes to, and who may do something about the orders of an event."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from sqlalchemy import func, select

from app.api.jsonapi.access import require_visible
from app.api.jsonapi.errors import Forbidden, NotFound, Unprocessable
from app.api.schema.events import EVENT
from app.api.viewer import Viewer
from app.models import Attendee, Event, Order, Ticket, db
from app.models.event import ORGANIZERS, PUBLISHED

# Each attendee may get a mail: an order is no way to send thousands.
MAX_ATTENDEES: Final = 100
# Where a document names them.
ATTENDEES: Final = "/data/relationships/attendees/data"


def require_organizer(event_id: int, viewer: Viewer) -> None:
    """Let only the organizers of the event in the address go on, and admins.

    Raises:
        NotFound: there is no such event that the caller may know of.
        Forbidden: the caller is no organizer.
    """
    require_visible(EVENT, event_id, viewer)
    if not viewer.has_role(event_id, *ORGANIZERS):
        raise Forbidden("Only the event's owner, organizers and coorganizers and admins may see this.")


def require_published(event: Event, viewer: Viewer) -> None:
    """Refuse orders for an event that is not published; who is not of its team is not told that there is a draft.

    Raises:
        Unprocessable: it is not.
    """
    if event.state == PUBLISHED:
        return
    in_team = viewer.has_role(event.id)
    detail = "Publish the event first." if in_team else f"There is no event with the id {event.id}."
    raise Unprocessable(detail, pointer="/data/relationships/event/data")


def lock_order(order: Order) -> Order:
    """The order as it is now, which no other transaction changes until this one ends.

    Raises:
        NotFound: it is gone.
    """
    statement = select(Order).where(Order.id == order.id).with_for_update()
    locked = db.session.scalar(statement.execution_options(populate_existing=True))
    if locked is None:
        raise NotFound(f"There is no order with the id {order.id}.")
    return locked


def require_room(count: int, pointer: str) -> None:
    """Refuse an order of this many attendees if they are too many.

    Raises:
        Unprocessable: they are; `pointer` tells where in the document they are named.
    """
    if count > MAX_ATTENDEES:
        raise Unprocessable(f"An order has at most {MAX_ATTENDEES} attendees.", pointer=pointer)


def reckon(order: Order, pointer: str = ATTENDEES) -> None:
    """Work out anew what an open order comes to: the sum of its tickets' prices of today.

    Free tickets go with any currency. `pointer` tells where in the document the cause of a refusal is.

    Raises:
        Unprocessable: its tickets have several currencies.
    """
    db.session.flush()
    rows = db.session.execute(
        select(Ticket.currency, func.sum(Ticket.price))
        .join(Attendee, Attendee.ticket_id == Ticket.id)
        .where(Attendee.order_id == order.id)
        .group_by(Ticket.currency)
        .order_by(Ticket.currency)
    ).all()
    priced = [(currency, amount) for currency, amount in rows if amount > 0]
    if len(priced) > 1:
        currencies = " and ".join(currency for currency, _ in priced)
        detail = f"The tickets of an order must all be of one currency, and these are of {currencies}."
        raise Unprocessable(detail, pointer=pointer)
    order.amount = sum((amount for _, amount in priced), Decimal(0))
    if rows:
        order.currency = priced[0][0] if priced else rows[0].currency
