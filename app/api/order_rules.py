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
_ATTENDEES: Final = "/data/relationships/attendees/data"


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


def reckon(order: Order, pointer: str = _ATTENDEES) -> None:
    """Work out anew what an open order comes to: the sum of its tickets' prices of today.

    Free tickets go with any currency. `pointer` tells where in the document the cause of a refusal is.

    Raises:
        Unprocessable: its tickets have several currencies, or it has too many attendees.
    """
    db.session.flush()
    rows = db.session.execute(
        select(func.count(Attendee.id), Ticket.currency, func.sum(Ticket.price), func.bool_or(Ticket.price > 0))
        .outerjoin(Ticket, Ticket.id == Attendee.ticket_id)
        .where(Attendee.order_id == order.id, Attendee.deleted_at.is_(None))
        .group_by(Ticket.currency)
        .order_by(Ticket.currency)
    ).all()
    if sum(count for count, *_ in rows) > MAX_ATTENDEES:
        raise Unprocessable(f"An order has at most {MAX_ATTENDEES} attendees.", pointer=pointer)
    priced = {currency: amount for _, currency, amount, costs in rows if costs}
    if len(priced) > 1:
        detail = f"The tickets of an order must all be of one currency, and these are of {' and '.join(priced)}."
        raise Unprocessable(detail, pointer=pointer)
    free = [currency for _, currency, *_ in rows if currency is not None]
    for currency in [*priced, *free][:1]:
        order.currency = currency
    order.amount = sum(priced.values(), Decimal(0))
