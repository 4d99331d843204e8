"""Who is told of an order, once: that it is complete, that it was cancelled, and its tickets once more."""

from __future__ import annotations

import html
from typing import Any

import pytest
from sqlalchemy import select

from app.models import Event, Happening, Mail, Notification, User, db
from app.models import mail as mails
from app.models import notification as notifs
from app.models.base import utc_now
from tests.conftest import People
from tests.support.api import Api
from tests.support.errors import pointer_of
from tests.support.orders import change, in_status, nobody_was_told, order_for, place, resend, ticket
from tests.support.rows import activities, count, mailed, notified

# --- completing


@pytest.mark.triggers(
    "mail:Ticket(s) Purchased",
    "mail:Ticket(s) purchased to Attendee",
    "mail:Ticket(s) Purchased to Organizer",
    "notif:Ticket(s) Purchased",
    "notif:Ticket Purchased to Attendee",
    "notif:Ticket(s) Purchased to Organizer",
)
def test_completing_tells_buyer_attendees_and_organizers(api: Api, people: People, owner: User, bea: User) -> None:
    team = {role: people.user(f"{role}@example.org") for role in ("organizer", "coorganizer")}
    people.user("kim@example.org")
    event = people.event(owner, **team, moderator=people.user("moderator@example.org"))
    order = order_for(api, bea, event, "gus@example.org", "kim@example.org")
    assert change(api, owner, order, status="completed").status_code == 200
    organizers = ["coorganizer@example.org", "organizer@example.org", "owner@example.org"]
    assert mailed(mails.TICKET_PURCHASED) == notified(notifs.TICKET_PURCHASED) == ["bea@example.org"]
    assert mailed(mails.TICKET_PURCHASED_ATTENDEE) == ["gus@example.org", "kim@example.org"]
    assert notified(notifs.TICKET_PURCHASED_ATTENDEE) == ["kim@example.org"]
    assert mailed(mails.TICKET_PURCHASED_ORGANIZER) == notified(notifs.TICKET_PURCHASED_ORGANIZER) == organizers
    assert (count(Mail), count(Notification)) == (6, 5)
    assert activities().count(f"Order {order.invoice_id} is completed") == 1


def test_each_address_is_told_once_as_buyer_or_attendee_whatever_its_case(
    api: Api, people: People, owner: User, bea: User, event: Event
) -> None:
    people.user("kim@example.org")
    order = order_for(api, bea, event, "Kim@example.org", "BEA@example.org", "kim@EXAMPLE.ORG", "bea@example.org", None)
    change(api, owner, order, status="completed")
    assert mailed(mails.TICKET_PURCHASED) == ["bea@example.org"]
    assert mailed(mails.TICKET_PURCHASED_ATTENDEE) == ["Kim@example.org"]
    assert notified(notifs.TICKET_PURCHASED_ATTENDEE) == ["kim@example.org"]


def test_an_organizer_who_buys_gets_both_messages_each_once(api: Api, people: People, owner: User) -> None:
    event = people.event(owner, organizer=owner, coorganizer=owner)
    order = order_for(api, owner, event, "owner@example.org")
    change(api, owner, order, status="completed")
    for action in (mails.TICKET_PURCHASED, mails.TICKET_PURCHASED_ORGANIZER):
        assert mailed(action) == ["owner@example.org"]
    for action in (notifs.TICKET_PURCHASED, notifs.TICKET_PURCHASED_ORGANIZER):
        assert notified(action) == ["owner@example.org"]
    assert (count(Mail), count(Notification)) == (2, 2)


def test_an_account_whose_address_is_not_confirmed_is_not_told_in_the_app(
    api: Api, people: People, owner: User, bea: User, event: Event
) -> None:
    people.user("gus@example.org", verified=False)
    change(api, owner, order_for(api, bea, event, "gus@example.org"), status="completed")
    assert mailed(mails.TICKET_PURCHASED_ATTENDEE) == ["gus@example.org"]
    assert notified(notifs.TICKET_PURCHASED_ATTENDEE) == []


def test_people_who_were_removed_are_not_told(api: Api, people: People, owner: User, bea: User) -> None:
    gone = people.user("gone@example.org")
    event = people.event(owner, organizer=gone)
    order = order_for(api, bea, event, "gus@example.org")
    gone.deleted_at = bea.deleted_at = utc_now()
    db.session.commit()
    assert change(api, owner, order, status="completed").status_code == 200
    assert mailed(mails.TICKET_PURCHASED) == []
    assert mailed(mails.TICKET_PURCHASED_ORGANIZER) == ["owner@example.org"]


def test_the_links_lead_to_the_order_and_to_each_ones_ticket(api: Api, owner: User, bea: User, event: Event) -> None:
    order = order_for(api, bea, event, "gus@example.org", "kim@example.org", ticket=ticket(event, "12.50"))
    change(api, owner, order, status="completed")
    sent = {mail.recipient: mail for mail in db.session.scalars(select(Mail))}
    for attendee in order.attendees:
        link = f"/tickets/{attendee.identifier}"
        assert link in sent[attendee.email or ""].message
        assert api.client.get(link).status_code == 200
    for recipient in ("bea@example.org", "owner@example.org"):
        mail = sent[recipient]
        assert f"/orders/{order.identifier}" in mail.message
        assert "€12.50" not in mail.message
        assert "€25.00" in mail.message
        assert order.invoice_id in mail.subject
    assert api.client.get(f"/orders/{order.identifier}").status_code == 200
    [item] = api.as_(bea).get(f"/v1/users/{bea.id}/notifications").json["data"]
    assert item["attributes"]["link"].endswith(f"/orders/{order.identifier}")
    assert item["attributes"]["data"] == {
        "event-id": str(event.id),
        "order-id": str(order.id),
        "status": "completed",
    }


# --- cancelling


@pytest.mark.triggers("mail:Ticket(s) cancelled", "notif:Ticket(s) cancelled", "notif:Ticket(s) cancelled organizer")
def test_cancelling_a_completed_order_tells_buyer_and_organizers_with_the_note(
    api: Api, owner: User, bea: User, event: Event
) -> None:
    order = in_status(order_for(api, bea, event, "gus@example.org"), "completed")
    note = "<script>alert(1)</script> {0.__class__} {event_name}\nBcc: eve@example.org"
    assert change(api, owner, order, status="cancelled", cancel_note=note).status_code == 200
    assert mailed(mails.TICKET_CANCELLED) == ["bea@example.org"]
    assert notified(notifs.TICKET_CANCELLED) == ["bea@example.org"]
    assert notified(notifs.TICKET_CANCELLED_ORGANIZER) == ["owner@example.org"]
    assert (count(Mail), count(Notification)) == (1, 2)
    texts = [db.session.scalars(select(Mail.message)).one(), *db.session.scalars(select(Happening.message))]
    for shown in texts:
        assert "<script" not in shown
        assert html.escape("<script>alert(1)</script> {0.__class__} {event_name}") in shown
    mail = db.session.scalars(select(Mail)).one()
    assert "alert" not in mail.subject
    assert "\nBcc" not in mail.text


@pytest.mark.parametrize("status", ["initializing", "pending"])
def test_organizers_are_not_told_of_the_end_of_what_they_never_heard_of(
    api: Api, bea: User, event: Event, status: str
) -> None:
    order = in_status(order_for(api, bea, event, "gus@example.org"), status)
    assert change(api, bea, order, status="cancelled").status_code == 200
    assert mailed(mails.TICKET_CANCELLED) == notified(notifs.TICKET_CANCELLED) == ["bea@example.org"]
    assert (count(Mail), count(Notification)) == (1, 1)


def test_the_note_is_written_with_the_cancelling_and_stays(api: Api, owner: User, bea: User, event: Event) -> None:
    order = order_for(api, bea, event, "gus@example.org")
    pointer = "/data/attributes/cancel-note"
    early = change(api, owner, order, cancel_note="No")
    assert (early.status_code, pointer_of(early)) == (422, pointer)
    assert change(api, owner, order, status="cancelled", cancel_note="No").status_code == 200
    late = change(api, bea, order, cancel_note="Yes")
    assert (late.status_code, pointer_of(late)) == (422, pointer)
    assert change(api, bea, order, status="cancelled", cancel_note="No").status_code == 200
    assert place(api, bea, event, cancel_note="No").status_code == 422
    assert len(mailed(mails.TICKET_CANCELLED)) == 1


def test_an_order_of_a_deleted_event_is_gone_and_tells_nobody(
    api: Api, people: People, owner: User, bea: User, event: Event
) -> None:
    order = order_for(api, bea, event, "gus@example.org")
    done = in_status(order_for(api, bea, event, "gus@example.org"), "completed")
    api.as_(owner).delete(f"/v1/events/{event.id}")
    for user in (bea, owner, people.admin()):
        assert change(api, user, order, status="completed").status_code == 404
        assert change(api, user, done, status="cancelled").status_code == 404
        assert resend(api, user, done.identifier).status_code == 404
        assert api.as_(user).get("/v1/orders").json["data"] == []
    assert nobody_was_told()


# --- sending again


@pytest.mark.triggers("notif:Ticket Resend")
def test_resending_mails_buyer_and_attendees_again_and_tells_the_organizers(
    api: Api, people: People, owner: User, bea: User, event: Event
) -> None:
    people.user("gus@example.org")
    order = in_status(order_for(api, bea, event, "gus@example.org", "Bea@example.org", "gus@example.org"), "completed")
    answer = resend(api, bea, order.identifier)
    assert answer.status_code == 200
    assert answer.json["message"]
    assert mailed(mails.TICKET_PURCHASED) == ["bea@example.org"]
    assert mailed(mails.TICKET_PURCHASED_ATTENDEE) == ["gus@example.org"]
    assert notified(notifs.TICKET_RESEND_ORGANIZER) == ["owner@example.org"]
    assert (count(Mail), count(Notification)) == (2, 1)


def test_who_may_resend(api: Api, people: People, owner: User, bea: User) -> None:
    coorganizer, guest = people.user("co@example.org"), people.user("guest@example.org")
    event = people.event(owner, coorganizer=coorganizer)
    order = in_status(order_for(api, bea, event, "guest@example.org"), "completed")
    for user in (bea, owner, coorganizer, people.admin()):
        assert resend(api, user, order.identifier).status_code == 200
    for user in (guest, people.user()):
        unknown, hidden = resend(api, user, "0" * 32), resend(api, user, order.identifier)
        assert hidden.status_code == 404
        assert hidden.text == unknown.text


@pytest.mark.parametrize("status", ["initializing", "pending", "cancelled", "expired"])
def test_there_is_nothing_to_resend_of_an_order_that_is_not_complete(
    api: Api, bea: User, event: Event, status: str
) -> None:
    order = in_status(order_for(api, bea, event, "gus@example.org"), status)
    answer = resend(api, bea, order.identifier)
    assert answer.status_code == 422
    assert pointer_of(answer) == "/data/order"
    assert nobody_was_told()


@pytest.mark.parametrize("odd", [None, "", 1, [], {}, True])
def test_resending_needs_the_identifier(api: Api, bea: User, odd: Any) -> None:
    answer = resend(api, bea, odd)
    assert answer.status_code == 400
    assert pointer_of(answer) == "/data/order"


def test_resending_is_limited_to_five_a_minute_for_each_user(api: Api, owner: User, bea: User, event: Event) -> None:
    order = in_status(order_for(api, bea, event, "gus@example.org"), "completed")
    got = [resend(api, bea, order.identifier).status_code for _ in range(6)]
    assert got == [200] * 5 + [429]
    assert resend(api, owner, order.identifier).status_code == 200
    assert len(mailed(mails.TICKET_PURCHASED)) == 6
