"""Tickets: who offers them, and what a price can be."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from app.models import Ticket, User, db
from tests.conftest import People
from tests.support.api import Api
from tests.support.errors import errors_of, pointer_of
from tests.support.orders import ticket


@pytest.fixture
def owner(people: People) -> User:
    return people.user("owner@example.org")


def offer(api: Api, by: User, event: Any, **attributes: Any) -> Any:
    return api.as_(by).create("/v1/tickets", "ticket", {"name": "Standard", **attributes}, event=("event", event.id))


def test_the_managers_of_an_event_offer_tickets(api: Api, people: People, owner: User) -> None:
    team = {role: people.user(f"{role}@example.org") for role in ("organizer", "coorganizer", "moderator")}
    event = people.event(owner, **team)
    for user, status in ((owner, 201), (team["organizer"], 201), (people.admin(), 201)):
        assert offer(api, user, event).status_code == status
    for user in (team["coorganizer"], team["moderator"], people.user()):
        answer = offer(api, user, event)
        assert answer.status_code == 403
        errors_of(answer)


def test_a_ticket_is_free_until_it_has_a_price(api: Api, people: People, owner: User) -> None:
    answer = offer(api, owner, people.event(owner))
    assert answer.json["data"]["attributes"] == {"name": "Standard", "price": 0.0, "currency": "USD"}


@pytest.mark.parametrize("price", [0, 1, 12.5, 12.34, 0.01, 999999.99, 1_000_000, 1e3])
def test_a_price_comes_back_as_it_went_in(api: Api, people: People, owner: User, price: float) -> None:
    answer = offer(api, owner, people.event(owner), price=price, currency="EUR")
    assert answer.status_code == 201
    shown = answer.json["data"]["attributes"]["price"]
    assert shown == price
    assert not isinstance(shown, str)
    assert db.session.query(Ticket.price).scalar() == Decimal(str(price))


@pytest.mark.parametrize(
    "price", [-1, -0.01, 12.345, 0.001, 1e-9, 1_000_000.01, 10**30, 1e300, "12.50", "", None, True, [], {}]
)
def test_what_is_no_price_is_422(api: Api, people: People, owner: User, price: Any) -> None:
    answer = offer(api, owner, people.event(owner), price=price)
    assert answer.status_code == 422
    assert pointer_of(answer) == "/data/attributes/price"


def test_a_price_below_zero_by_a_sign_alone_is_zero(api: Api, people: People, owner: User) -> None:
    assert offer(api, owner, people.event(owner), price=-0.0).json["data"]["attributes"]["price"] == 0


@pytest.mark.parametrize("currency", ["eur", "EURO", "XQQ", "", " EUR", "€", None, 978, []])
def test_what_is_no_currency_is_422(api: Api, people: People, owner: User, currency: Any) -> None:
    answer = offer(api, owner, people.event(owner), currency=currency)
    assert answer.status_code == 422
    assert pointer_of(answer) == "/data/attributes/currency"


def test_the_tickets_of_a_draft_are_its_teams(api: Api, people: People, owner: User) -> None:
    draft = people.event(owner, state="draft")
    row = ticket(draft)
    for user, status in ((owner, 200), (people.user(), 404)):
        assert api.as_(user).get(f"/v1/tickets/{row.id}").status_code == status
        assert api.as_(user).get(f"/v1/events/{draft.id}/tickets").status_code == status
    assert api.get("/v1/tickets").json["data"] == []


def test_a_ticket_stays_with_its_event(api: Api, people: People, owner: User) -> None:
    event, other = people.event(owner), people.event(owner, "Another")
    row = ticket(event)
    related = {"event": {"data": {"type": "event", "id": str(other.id)}}}
    body = {"data": {"type": "ticket", "id": str(row.id), "relationships": related}}
    answer = api.as_(owner).patch(f"/v1/tickets/{row.id}", body)
    assert answer.status_code == 422
    assert pointer_of(answer) == "/data/relationships/event/data"


def test_tickets_are_filtered_and_sorted_by_price(api: Api, people: People, owner: User) -> None:
    event = people.event(owner)
    for price in ("5", "12.50", "100"):
        ticket(event, price, name=price)

    def names(**query: str) -> list[str]:
        answer = api.get("/v1/tickets", **query)
        assert answer.status_code == 200, answer.text
        return [item["attributes"]["name"] for item in answer.json["data"]]

    assert names(sort="price") == ["5", "12.50", "100"]
    assert names(filter='[{"name": "price", "op": "gt", "val": 12.49}]', sort="-price") == ["100", "12.50"]
    assert names(**{"filter[price]": "12.50"}) == ["12.50"]
    for odd in ('"12.5"', "true", "null", "1e300", "[]", "{}"):
        answer = api.get("/v1/tickets", filter=f'[{{"name": "price", "op": "gt", "val": {odd}}}]')
        assert answer.status_code == 400, odd
    for odd in ("NaN", "Infinity", "1e5", "٣", "1" * 400):
        assert api.get("/v1/tickets", **{"filter[price]": odd}).status_code == 400, odd


def test_a_ticket_that_was_deleted_is_gone_and_cannot_be_taken(api: Api, people: People, owner: User) -> None:
    event = people.event(owner)
    row = ticket(event)
    assert api.as_(owner).delete(f"/v1/tickets/{row.id}").status_code == 204
    assert api.get(f"/v1/tickets/{row.id}").status_code == 404
    related = {"event": ("event", event.id), "ticket": ("ticket", row.id)}
    answer = api.as_(owner).create("/v1/attendees", "attendee", {"firstname": "Gus"}, **related)
    assert answer.status_code == 422
    assert pointer_of(answer) == "/data/relationships/ticket/data"
