"""A step of the small play: tickets are ordered, and nobody is told before the order is complete."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from app.demo.cast import Cast
from app.demo.checks import Check, equal, exactly_once
from app.demo.client import Answer, document
from app.demo.inbox import actions_of
from app.demo.people import Person, welcome

BUYER: Final = "Ticket(s) Purchased"
ATTENDEE: Final = "Ticket(s) purchased to Attendee"
ORGANIZER: Final = "Ticket(s) Purchased to Organizer"
ACTIONS: Final = (BUYER, ATTENDEE, ORGANIZER)
GUEST: Final = "dan@example.org"


def order_tickets(cast: Cast) -> list[Check]:
    """Carla orders a ticket for herself and one for Dan, who has no account; the organizer takes the payment."""
    screen = cast.play.screen
    screen.title("Carla orders two tickets, for herself and for Dan, who has no account")
    carla = welcome(cast.play.door, "Carla", "Castro")
    order = _order(cast, carla)
    before = _mails(cast)
    screen.answer(_set_status(carla, order, "pending"), "nobody is told before the payment")
    checks = [equal("mails about an order that waits for its payment", 0, len(_mails(cast)) - len(before))]
    screen.title("The payment is in: buyer, guest and organizer are told once")
    answer = _set_status(cast.organizer, order, "completed")
    attributes = answer.data["attributes"]
    screen.answer(answer, f"{attributes['invoice-id']}: {attributes['amount']} {attributes['currency']}")
    _await_mails(cast)
    for mail in _mails(cast):
        screen.say(f"to {mail[0]}: {mail[1]}", "cyan")
    return [*checks, *_told_once(cast, carla)]


def _order(cast: Cast, buyer: Person) -> str:
    """The order's id."""
    event = ("event", cast.event)
    price = {"name": "Regular", "price": 25.5, "currency": "EUR"}
    ticket = cast.organizer.client.post("/v1/tickets", document("ticket", price, {"event": event}))
    cast.play.screen.answer(ticket, f"ticket {ticket.id}, 25.50 EUR")
    attendees = []
    for first, address in (("Carla", buyer.email), ("Dan", GUEST)):
        related = {"event": event, "ticket": ("ticket", ticket.id)}
        answer = buyer.client.post(
            "/v1/attendees", document("attendee", {"firstname": first, "email": address}, related)
        )
        cast.play.screen.answer(answer, f"attendee {answer.id}, {first}")
        attendees.append(("attendee", answer.id))
    order = buyer.client.post("/v1/orders", document("order", {}, {"event": event, "attendees": attendees}))
    cast.play.screen.answer(order, f"order {order.id}, {order.data['attributes']['status']}")
    return order.id


def _set_status(person: Person, order: str, status: str) -> Answer:
    return person.client.patch(f"/v1/orders/{order}", document("order", {"status": status}, id_=order))


def _mails(cast: Cast) -> list[tuple[str, str]]:
    """Recipient and subject of each mail that arrived and speaks of the order."""
    mails = cast.play.stage.mailbox.mails()
    return [(mail.recipient, mail.subject) for mail in mails if "/orders/" in mail.text or "/tickets/" in mail.text]


def _await_mails(cast: Cast) -> None:
    what = "three mails about the order"
    with cast.play.screen.waiting(f"waiting for {what}"):
        cast.play.stage.wait(lambda: len(_mails(cast)) >= len(ACTIONS), what)


def _told_once(cast: Cast, buyer: Person) -> Iterator[Check]:
    wanted = [buyer.email, GUEST, cast.organizer.email]
    yield exactly_once("order: one mail for buyer, guest and organizer", wanted, [mail[0] for mail in _mails(cast)])
    told = Counter({(person.name, action): 1 for person, action in ((buyer, BUYER), (cast.organizer, ORGANIZER))})
    came = [(person.name, action) for person in (buyer, cast.organizer) for action in actions_of(person, ACTIONS)]
    yield exactly_once("order: one notification for buyer and organizer", told, came)
