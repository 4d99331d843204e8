"""Who is told of what becomes of an order: the buyer, the attendees and the event's organizers, each once.

Buyer and attendees count by address: who bought and comes too gets the buyer's mail, and two attendees with one address
get one mail. An organizer who bought gets both, as the two tell different things.
"""

from __future__ import annotations

from collections.abc import Mapping

from app.api.helpers.addresses import same_address
from app.api.helpers.mail import (
    send_email_ticket_cancelled,
    send_email_ticket_purchased,
    send_email_ticket_purchased_attendee,
    send_email_ticket_purchased_organizer,
)
from app.api.helpers.notification import (
    About,
    send_notif_ticket_cancelled,
    send_notif_ticket_cancelled_organizer,
    send_notif_ticket_purchase_organizer,
    send_notif_ticket_purchased,
    send_notif_ticket_purchased_attendee,
    send_notif_ticket_resend_organizer,
)
from app.api.helpers.recipients import accounts_by_address, organizers_of, recipients
from app.api.helpers.settings import make_frontend_url
from app.models import Attendee, Order, User, db


def tell_of_completion(order: Order) -> None:
    """Tell buyer, attendees and organizers that the order is complete."""
    url, about = order_url(order), _about(order)
    holders = _holders(order)
    organizers, accounts = organizers_of(order.event), accounts_by_address(holders)
    # All is read: what is added from here on goes to the database together.
    with db.session.no_autoflush:
        for buyer in _buyer(order):
            send_notif_ticket_purchased(buyer, order, url, about)
        for key, attendee in holders.items():
            if key in accounts:
                link = ticket_url(attendee)
                data = {"event-id": str(order.event_id), "attendee-id": str(attendee.id)}
                about_ticket = About(link=link, data=data, event=order.event)
                send_notif_ticket_purchased_attendee(accounts[key], order, link, about_ticket)
        for organizer in organizers:
            send_notif_ticket_purchase_organizer(organizer, order, url, about)
            send_email_ticket_purchased_organizer(organizer, order, url)
    # After the notifications: a mail belongs to what its recipient was told in the app.
    _mail_tickets(order, holders)


def tell_of_cancellation(order: Order, *, was_completed: bool) -> None:
    """Tell the buyer, and the organizers if they know of the order because it had been completed."""
    about = _about(order)
    organizers = organizers_of(order.event) if was_completed else []
    with db.session.no_autoflush:
        for buyer in _buyer(order):
            send_notif_ticket_cancelled(buyer, order, about)
            send_email_ticket_cancelled(buyer, order, order_url(order))
        for organizer in organizers:
            send_notif_ticket_cancelled_organizer(organizer, order, about)


def send_tickets_again(order: Order) -> None:
    """Mail buyer and attendees again, and tell the organizers in the app that it was done."""
    organizers = organizers_of(order.event)
    _mail_tickets(order, _holders(order))
    with db.session.no_autoflush:
        for organizer in organizers:
            send_notif_ticket_resend_organizer(organizer, order, _about(order))


def order_url(order: Order) -> str:
    """Where the front end shows the order."""
    return make_frontend_url(f"/orders/{order.identifier}")


def ticket_url(attendee: Attendee) -> str:
    """Where the front end shows an attendee's ticket."""
    return make_frontend_url(f"/tickets/{attendee.identifier}")


def _mail_tickets(order: Order, holders: Mapping[str, Attendee]) -> None:
    told = recipients(*(attendee.email or "" for attendee in holders.values()))
    with db.session.no_autoflush:
        for buyer in _buyer(order):
            send_email_ticket_purchased(buyer, order, order_url(order))
        for each in told:
            send_email_ticket_purchased_attendee(each, order, ticket_url(holders[same_address(each.address)]))


def _buyer(order: Order) -> list[User]:
    """The buyer; nobody if the account was deleted since."""
    return [order.user] if order.user.deleted_at is None else []


def _holders(order: Order) -> dict[str, Attendee]:
    """The attendees who have an address that is not the buyer's, by address; of several with one, the first."""
    found: dict[str, Attendee] = {}
    for attendee in order.attendees:
        if attendee.email and attendee.deleted_at is None:
            found.setdefault(same_address(attendee.email), attendee)
    found.pop(same_address(order.user.email), None)
    return found


def _about(order: Order) -> About:
    data = {"event-id": str(order.event_id), "order-id": str(order.id), "status": order.status}
    return About(link=order_url(order), data=data, event=order.event)
