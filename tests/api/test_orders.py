"""Orders: what they come to, what they can become and by whom, and who is told of it, once."""

from __future__ import annotations

import html
import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text

from app.models import Attendee, Event, Happening, Mail, Notification, Order, User, db
from app.models import mail as mails
from app.models import notification as notifs
from app.models.base import utc_now
from app.models.order import COMPLETED, ORDER_STATUSES
from tests.conftest import People
from tests.support.api import Api
from tests.support.errors import errors_of, pointer_of
from tests.support.orders import change, enter, order_for, place, resend, ticket
from tests.support.processes import wait_for
from tests.support.rows import activities, count, mailed, notified, statements

STATUS = "/data/attributes/status"
ATTENDEES = "/data/relationships/attendees/data"
ALLOWED = {
    "initializing": {"pending", "completed", "cancelled"},
    "pending": {"completed", "cancelled"},
    "completed": {"cancelled"},
    "cancelled": set(),
    "expired": set(),
}


@pytest.fixture
def owner(people: People) -> User:
    return people.user("owner@example.org")


@pytest.fixture
def bea(people: People) -> User:
    """The buyer."""
    return people.user("bea@example.org")


@pytest.fixture
def event(people: People, owner: User) -> Event:
    return people.event(owner)


def in_status(order: Order, status: str) -> Order:
    """Set the status straight in the table, telling nobody."""
    order.status = status
    order.completed_at = utc_now() if status == COMPLETED else None
    db.session.commit()
    return order


def nobody_was_told() -> bool:
    return count(Notification) == count(Mail) == count(Happening) == 0


# --- ordering


def test_an_order_is_the_buyers_and_has_an_amount_that_the_server_works_out(api: Api, bea: User, event: Event) -> None:
    seat = ticket(event, "12.50")
    body = {"status": "initializing", "amount": 1, "currency": "USD", "identifier": "mine", "invoice-id": "O1-1"}
    answer = place(api, bea, event, "gus@example.org", None, ticket=seat, **body)
    assert answer.status_code == 201
    shown = answer.json["data"]
    assert shown["attributes"]["amount"] == 25
    assert shown["attributes"]["currency"] == "EUR"
    assert shown["attributes"]["identifier"] != "mine"
    assert shown["attributes"]["invoice-id"] == f"O{utc_now():%Y}-{shown['id']}"
    assert shown["attributes"]["completed-at"] is None
    assert shown["relationships"]["user"]["data"] == {"type": "user", "id": str(bea.id)}
    assert nobody_was_told()


def test_an_order_may_begin_without_attendees_and_without_attributes(api: Api, bea: User, event: Event) -> None:
    body = {"data": {"type": "order", "relationships": {"event": {"data": {"type": "event", "id": str(event.id)}}}}}
    answer = api.as_(bea).post("/v1/orders", body)
    assert answer.status_code == 201
    shown = answer.json["data"]["attributes"]
    assert (shown["amount"], shown["currency"], shown["status"]) == (0, "USD", "initializing")


def test_the_amount_follows_the_attendees_while_the_order_is_open_and_not_the_prices(
    api: Api, owner: User, bea: User, event: Event
) -> None:
    cheap, dear = ticket(event, "10"), ticket(event, "99.90", name="Dear")
    order = order_for(api, bea, event, "gus@example.org", ticket=cheap)

    def amount() -> float:
        shown: float = api.as_(bea).get(f"/v1/orders/{order.id}").json["data"]["attributes"]["amount"]
        return shown

    assert enter(api, bea, event, ticket=dear, order=order).status_code == 201
    assert amount() == 109.9
    related = {"ticket": {"data": {"type": "ticket", "id": str(dear.id)}}}
    gus = order.attendees[0].id
    body = {"data": {"type": "attendee", "id": str(gus), "relationships": related}}
    assert api.as_(bea).patch(f"/v1/attendees/{gus}", body).status_code == 200
    assert amount() == 199.8
    assert api.as_(bea).delete(f"/v1/attendees/{gus}").status_code == 204
    assert amount() == 99.9
    api.as_(owner).update(f"/v1/tickets/{dear.id}", "ticket", dear.id, price=1)
    change(api, owner, order, status="completed")
    assert amount() == 99.9


def test_tickets_of_two_currencies_are_refused_but_free_ones_go_with_any(api: Api, bea: User, event: Event) -> None:
    euro, yen, free = ticket(event, "10"), ticket(event, "900", "JPY"), ticket(event, "0", "USD")
    order = order_for(api, bea, event, "gus@example.org", ticket=euro)
    assert enter(api, bea, event, ticket=free, order=order).status_code == 201
    answer = enter(api, bea, event, ticket=yen, order=order)
    assert answer.status_code == 422
    assert pointer_of(answer) == "/data/relationships/ticket/data"
    ids = [enter(api, bea, event, ticket=each).json["data"]["id"] for each in (euro, yen)]
    named = [("attendee", id_) for id_ in ids]
    answer = api.as_(bea).create("/v1/orders", "order", {}, event=("event", event.id), attendees=named)
    assert answer.status_code == 422
    assert pointer_of(answer) == ATTENDEES
    db.session.refresh(order)
    assert (order.amount, order.currency, count(Order), count(Attendee)) == (10, "EUR", 1, 4)


@pytest.mark.parametrize("status", ["completed", "cancelled", "expired"])
def test_an_order_does_not_begin_where_it_ends(api: Api, owner: User, event: Event, status: str) -> None:
    answer = place(api, owner, event, "gus@example.org", status=status)
    assert answer.status_code == 422
    assert pointer_of(answer) == STATUS
    assert count(Order) == 0
    assert nobody_was_told()


def test_only_free_attendees_of_ones_own_and_of_the_event_can_be_ordered_for(
    api: Api, people: People, owner: User, bea: User, event: Event
) -> None:
    other = people.event(owner, "Another")
    taken = order_for(api, bea, event, "gus@example.org").attendees[0].id
    elsewhere = enter(api, bea, other).json["data"]["id"]
    not_hers = enter(api, owner, event, "bea@example.org").json["data"]["id"]
    not_seen = enter(api, owner, event, "kim@example.org").json["data"]["id"]
    mine = enter(api, bea, event).json["data"]["id"]
    for id_ in (taken, elsewhere, not_hers, not_seen, 999):
        named = [("attendee", mine), ("attendee", id_)]
        answer = api.as_(bea).create("/v1/orders", "order", {}, event=("event", event.id), attendees=named)
        assert answer.status_code == 422
        assert pointer_of(answer) == f"{ATTENDEES}/1"
    assert count(Order) == 1


def test_a_draft_and_a_deleted_event_take_no_orders(api: Api, people: People, owner: User, bea: User) -> None:
    draft = people.event(owner, state="draft")
    for user in (owner, bea):
        answer = place(api, user, draft)
        assert answer.status_code == 422
        assert pointer_of(answer) == "/data/relationships/event/data"
    api.as_(owner).delete(f"/v1/events/{draft.id}")
    assert place(api, owner, draft).status_code == 422


def test_who_sees_an_order(api: Api, people: People, owner: User, bea: User) -> None:
    team = {role: people.user(f"{role}@example.org") for role in ("organizer", "coorganizer", "moderator")}
    event = people.event(owner, **team)
    order = order_for(api, bea, event, "guest@example.org")
    guest = people.user("guest@example.org")
    for user in (bea, owner, team["organizer"], team["coorganizer"], people.admin()):
        assert api.as_(user).get(f"/v1/orders/{order.id}").status_code == 200
        assert len(api.as_(user).get("/v1/orders").json["data"]) == 1
        assert len(api.as_(user).get(f"/v1/orders/{order.id}/attendees").json["data"]) == 1
    for user in (team["moderator"], guest, people.user()):
        assert api.as_(user).get(f"/v1/orders/{order.id}").status_code == 404
        assert change(api, user, order, status="cancelled").status_code == 404
        assert api.as_(user).get("/v1/orders").json["data"] == []
        assert api.as_(user).get(f"/v1/orders/{order.id}/attendees").status_code == 404


# --- what an order can become


@pytest.mark.parametrize("now", ORDER_STATUSES)
@pytest.mark.parametrize("then", ORDER_STATUSES)
def test_an_order_becomes_only_what_it_can(api: Api, owner: User, bea: User, event: Event, now: str, then: str) -> None:
    order = in_status(order_for(api, bea, event, "gus@example.org"), now)
    answer = change(api, owner, order, status=then)
    if now == then:
        assert answer.status_code == 200
        assert nobody_was_told()
    elif then in ALLOWED[now]:
        assert answer.status_code == 200
        assert answer.json["data"]["attributes"]["status"] == then
    else:
        assert answer.status_code == 422
        assert pointer_of(answer) == STATUS
        detail = errors_of(answer)[0]["detail"]
        assert all(status in detail for status in ALLOWED[now])
        assert ("new order" in detail) == (not ALLOWED[now])
        assert nobody_was_told()


def test_the_buyer_completes_only_what_costs_nothing(api: Api, owner: User, bea: User, event: Event) -> None:
    free = order_for(api, bea, event, "gus@example.org", ticket=ticket(event))
    dear = order_for(api, bea, event, "gus@example.org", ticket=ticket(event, "0.01"))
    assert change(api, bea, free, status="completed").status_code == 200
    assert change(api, bea, dear, status="pending").status_code == 200
    answer = change(api, bea, dear, status="completed")
    assert answer.status_code == 403
    errors_of(answer)
    assert change(api, owner, dear, status="completed").status_code == 200
    assert change(api, bea, dear, status="cancelled").status_code == 200


def test_an_order_without_attendees_cannot_be_completed(api: Api, owner: User, bea: User, event: Event) -> None:
    order = order_for(api, bea, event)
    answer = change(api, owner, order, status="completed")
    assert answer.status_code == 422
    assert pointer_of(answer) == STATUS
    assert nobody_was_told()


def test_the_times_follow_the_status(api: Api, owner: User, bea: User, event: Event) -> None:
    order = order_for(api, bea, event, "gus@example.org")
    begun = order.changed_at
    change(api, bea, order)
    db.session.refresh(order)
    assert (order.changed_at, order.completed_at) == (begun, None)
    change(api, owner, order, status="completed")
    db.session.refresh(order)
    assert order.changed_at > begun
    completed = order.changed_at
    assert order.completed_at == completed
    change(api, owner, order, status="cancelled")
    db.session.refresh(order)
    assert order.changed_at > completed
    assert order.completed_at == completed


@pytest.mark.parametrize("odd", [None, "", "Completed", "completed ", "unknown", 1, [], {}, True])
def test_an_unknown_status_is_422(api: Api, owner: User, bea: User, event: Event, odd: Any) -> None:
    order = order_for(api, bea, event, "gus@example.org")
    answer = change(api, owner, order, status=odd)
    assert answer.status_code == 422
    assert pointer_of(answer) == STATUS
    assert nobody_was_told()


def test_a_client_may_send_back_all_that_it_read(api: Api, owner: User, bea: User, event: Event) -> None:
    order = in_status(order_for(api, bea, event, "gus@example.org"), "expired")
    read = api.as_(bea).get(f"/v1/orders/{order.id}").json["data"]
    linkage = [{"type": "attendee", "id": str(order.attendees[0].id)}]
    read["relationships"]["attendees"] = {"data": linkage}
    assert api.as_(bea).patch(f"/v1/orders/{order.id}", {"data": read}).status_code == 200
    read["relationships"]["attendees"] = {"data": []}
    answer = api.as_(bea).patch(f"/v1/orders/{order.id}", {"data": read})
    assert answer.status_code == 422
    assert pointer_of(answer) == ATTENDEES


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


def test_completing_a_hundred_attendees_asks_a_few_questions(
    api: Api, people: People, owner: User, bea: User, event: Event
) -> None:
    order = order_for(api, bea, event)
    rows = [
        Attendee(firstname="Gus", email=f"gus{n}@example.org", event_id=event.id, order_id=order.id, user_id=bea.id)
        for n in range(100)
    ]
    db.session.add_all([*rows, *(people.make(f"gus{n}@example.org") for n in range(10))])
    db.session.commit()
    with statements() as seen:
        assert change(api, owner, order, status="completed").status_code == 200
    assert len(mailed(mails.TICKET_PURCHASED_ATTENDEE)) == 100
    assert len(notified(notifs.TICKET_PURCHASED_ATTENDEE)) == 10
    # One for each attendee with an account, whose text has a link of its own; the rest does not grow with the order.
    assert len(seen) <= 20 + 10, seen


def test_two_completions_at_once_tell_once(app: Flask, api: Api, owner: User, bea: User, event: Event) -> None:
    order = order_for(api, bea, event, "gus@example.org")
    path, body = f"/v1/orders/{order.id}", {"data": {"type": "order", "id": str(order.id)}}
    body["data"]["attributes"] = {"status": "completed"}  # type: ignore[assignment]  # JSON
    token, answers, start = api.as_(owner).token, [], threading.Barrier(4)

    def complete() -> None:
        mine = Api(app.test_client(), token)
        start.wait()
        answers.append(mine.patch(path, body).status_code)

    db.session.rollback()
    threads = [threading.Thread(target=complete) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 4
    assert mailed(mails.TICKET_PURCHASED) == notified(notifs.TICKET_PURCHASED) == ["bea@example.org"]
    assert mailed(mails.TICKET_PURCHASED_ATTENDEE) == ["gus@example.org"]
    assert mailed(mails.TICKET_PURCHASED_ORGANIZER) == ["owner@example.org"]


def test_a_completion_waits_for_one_that_is_under_way(
    app: Flask, api: Api, owner: User, bea: User, event: Event
) -> None:
    """While another connection holds the row the request waits, and then it finds the order completed."""
    order = order_for(api, bea, event, "gus@example.org")
    path, token = f"/v1/orders/{order.id}", api.as_(owner).token
    body = {"data": {"type": "order", "id": str(order.id), "attributes": {"status": "completed"}}}
    answer = during_completion(order, lambda: Api(app.test_client(), token).patch(path, body))
    assert answer.status_code == 200
    assert nobody_was_told()


def test_nobody_is_added_to_an_order_that_is_being_completed(app: Flask, api: Api, bea: User, event: Event) -> None:
    order = order_for(api, bea, event, "gus@example.org")
    token, event_id, order_id = api.as_(bea).token, event.id, order.id

    def add() -> Any:
        related = {"event": ("event", event_id), "order": ("order", order_id)}
        return Api(app.test_client(), token).create("/v1/attendees", "attendee", {"firstname": "Kim"}, **related)

    answer = during_completion(order, add)
    assert answer.status_code == 422
    assert pointer_of(answer) == "/data/relationships/order/data"
    assert count(Attendee) == 1


def test_nobody_leaves_an_order_that_is_being_completed(app: Flask, api: Api, bea: User, event: Event) -> None:
    order = order_for(api, bea, event, "gus@example.org")
    path, token = f"/v1/attendees/{order.attendees[0].id}", api.as_(bea).token
    answer = during_completion(order, lambda: Api(app.test_client(), token).delete(path))
    assert answer.status_code == 409
    db.session.refresh(order)
    assert [attendee.email for attendee in order.attendees] == ["gus@example.org"]


def during_completion(order: Order, request: Callable[[], Any]) -> Any:
    """The answer to a request that comes while another connection has completed the order and not yet committed."""
    values, answers = {"id": order.id}, []
    db.session.rollback()
    with db.engine.connect() as other:
        other.execute(text("UPDATE orders SET status = 'completed', completed_at = now() WHERE id = :id"), values)
        thread = threading.Thread(target=lambda: answers.append(request()))
        thread.start()
        wait_for(waits_for_a_lock, "the request to wait for the row")
        assert answers == []
        other.commit()
        thread.join()
    [answer] = answers
    return answer


def waits_for_a_lock() -> bool:
    """Whether a connection waits for a row that another one holds."""
    with db.engine.connect() as connection:
        waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        return bool(connection.scalar(waiting))


def test_two_orders_at_once_do_not_share_an_attendee(app: Flask, api: Api, bea: User, event: Event) -> None:
    id_ = enter(api, bea, event, "gus@example.org").json["data"]["id"]
    token, answers, start = api.as_(bea).token, [], threading.Barrier(4)
    event_id = event.id

    def buy() -> None:
        mine = Api(app.test_client(), token)
        start.wait()
        related = {"event": ("event", event_id), "attendees": [("attendee", id_)]}
        answers.append(mine.create("/v1/orders", "order", {}, **related).status_code)

    db.session.rollback()
    threads = [threading.Thread(target=buy) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [201, 422, 422, 422]
    assert count(Order) == 1


def test_a_rollback_tells_nobody(api: Api, owner: User, bea: User, event: Event) -> None:
    """The database refuses at the very end: neither the status nor a message is kept."""
    order = order_for(api, bea, event, "gus@example.org")
    db.session.execute(text("ALTER TABLE mails ADD CONSTRAINT no_organizers CHECK (recipient <> 'owner@example.org')"))
    db.session.commit()
    try:
        answer = change(api, owner, order, status="completed")
    finally:
        db.session.rollback()
        db.session.execute(text("ALTER TABLE mails DROP CONSTRAINT no_organizers"))
        db.session.commit()
    assert answer.status_code == 422
    db.session.refresh(order)
    assert order.status == "initializing"
    assert nobody_was_told()


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
