"""Orders: what they come to, and what they can become and by whom."""

from __future__ import annotations

from typing import Any

import pytest

from app.models import Attendee, Event, Order, User, db
from app.models.base import utc_now
from app.models.order import ORDER_STATUSES
from tests.conftest import People
from tests.support.api import Api
from tests.support.errors import errors_of, pointer_of
from tests.support.orders import change, enter, in_status, nobody_was_told, order_for, place, ticket
from tests.support.rows import count

STATUS = "/data/attributes/status"
ATTENDEES = "/data/relationships/attendees/data"
ALLOWED = {
    "initializing": {"pending", "completed", "cancelled"},
    "pending": {"completed", "cancelled"},
    "completed": {"cancelled"},
    "cancelled": set(),
    "expired": set(),
}


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
