"""Attendees: who enters them, who knows of them, and until when they change."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.models import Attendee, Event, Mail, User, db
from tests.conftest import People
from tests.support.api import Api
from tests.support.errors import errors_of, pointer_of
from tests.support.orders import change, enter, order_for, place, ticket
from tests.support.rows import count, statements


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


def edit(api: Api, by: User, id_: int | str, **attributes: Any) -> Any:
    return api.as_(by).update(f"/v1/attendees/{id_}", "attendee", id_, **attributes)


def relate(api: Api, by: User, id_: int | str, **related: Any) -> Any:
    linkages = {
        name: {"data": row and {"type": name, "id": str(getattr(row, "id", row))}} for name, row in related.items()
    }
    return api.as_(by).patch(
        f"/v1/attendees/{id_}", {"data": {"type": "attendee", "id": str(id_), "relationships": linkages}}
    )


def test_any_user_enters_attendees_of_a_published_event(api: Api, bea: User, event: Event) -> None:
    answer = enter(api, bea, event, "gus@example.org", ticket=ticket(event))
    assert answer.status_code == 201
    shown = answer.json["data"]
    assert shown["attributes"]["email"] == "gus@example.org"
    assert len(shown["attributes"]["identifier"]) == 32
    assert db.session.query(Attendee.user_id).scalar() == bea.id
    assert count(Mail) == 0


def test_a_draft_takes_no_attendees_and_is_not_betrayed(api: Api, people: People, owner: User, bea: User) -> None:
    draft = people.event(owner, "Secret", state="draft")
    stranger, team = enter(api, bea, draft), enter(api, owner, draft)
    for answer in (stranger, team):
        assert answer.status_code == 422
        assert pointer_of(answer) == "/data/relationships/event/data"
    missing = Event(id=draft.id + 1)
    told = enter(api, bea, missing).text.replace(f"id {missing.id}", "id N")
    assert stranger.text.replace(f"id {draft.id}", "id N") == told
    assert "Publish" in team.text


def test_the_ticket_and_the_order_must_be_of_the_event(
    api: Api, people: People, owner: User, bea: User, event: Event
) -> None:
    other = people.event(owner, "Another")
    wrong_ticket = enter(api, bea, event, ticket=ticket(other))
    wrong_order = enter(api, bea, event, order=order_for(api, bea, other))
    for answer, name in ((wrong_ticket, "ticket"), (wrong_order, "order")):
        assert answer.status_code == 422
        assert pointer_of(answer) == f"/data/relationships/{name}/data"


def test_who_knows_of_an_attendee(api: Api, people: People, owner: User, bea: User) -> None:
    team = {role: people.user(f"{role}@example.org") for role in ("organizer", "coorganizer", "moderator")}
    event = people.event(owner, **team)
    gus = people.user("Gus@example.org")
    order = order_for(api, bea, event)
    id_ = enter(api, team["organizer"], event, "gus@EXAMPLE.org", order=order).json["data"]["id"]
    for user in (bea, gus, owner, team["organizer"], team["coorganizer"], people.admin()):
        assert api.as_(user).get(f"/v1/attendees/{id_}").status_code == 200, user.email
    for user in (team["moderator"], people.user()):
        answer = api.as_(user).get(f"/v1/attendees/{id_}")
        assert answer.status_code == 404
        errors_of(answer)
        assert api.as_(user).get("/v1/attendees").json["data"] == []


def test_an_address_that_is_not_confirmed_shows_nothing(api: Api, people: People, bea: User, event: Event) -> None:
    gus = people.user("gus@example.org", verified=False)
    id_ = enter(api, bea, event, "gus@example.org").json["data"]["id"]
    assert api.as_(gus).get(f"/v1/attendees/{id_}").status_code == 404


def test_the_account_with_the_address_sees_the_ticket_but_not_the_order_and_changes_nothing(
    api: Api, people: People, bea: User, event: Event
) -> None:
    gus = people.user("gus@example.org")
    order = order_for(api, bea, event, "gus@example.org")
    [item] = api.as_(gus).get("/v1/attendees").json["data"]
    assert "order" not in item["relationships"]
    assert item["attributes"]["identifier"] == order.attendees[0].identifier
    shown = api.as_(gus).get(f"/v1/attendees/{item['id']}", include="order").json
    assert shown["included"] == []
    query = {"filter": json.dumps([{"name": "order.status", "op": "eq", "val": "initializing"}])}
    assert api.as_(gus).get("/v1/attendees", **query).json["data"] == []
    assert len(api.as_(bea).get("/v1/attendees", **query).json["data"]) == 1
    assert edit(api, gus, item["id"], firstname="Mine").status_code == 403
    assert api.as_(gus).delete(f"/v1/attendees/{item['id']}").status_code == 403


def test_the_lists_of_an_event_are_its_organizers(api: Api, owner: User, bea: User, event: Event) -> None:
    order = order_for(api, bea, event, "gus@example.org")
    for path in (f"/v1/events/{event.id}/attendees", f"/v1/events/{event.id}/orders"):
        assert len(api.as_(owner).get(path).json["data"]) == 1
        assert api.as_(bea).get(path).status_code == 403
        assert api.get(path).status_code == 401
    assert len(api.as_(bea).get(f"/v1/orders/{order.id}/attendees").json["data"]) == 1


@pytest.mark.parametrize("status", ["completed", "cancelled", "expired"])
def test_attendees_of_an_order_that_is_not_open_stay_as_they_are(
    api: Api, owner: User, bea: User, event: Event, status: str
) -> None:
    order = order_for(api, bea, event, "gus@example.org")
    id_ = order.attendees[0].id
    assert edit(api, bea, id_, firstname="Gustav").status_code == 200
    if status == "expired":
        order.status = status
        db.session.commit()
    else:
        assert change(api, owner, order, status=status).status_code == 200
    for user in (bea, owner):
        for answer in (edit(api, user, id_, firstname="x"), api.as_(user).delete(f"/v1/attendees/{id_}")):
            assert answer.status_code == 409
            assert status in errors_of(answer)[0]["detail"]
        answer = enter(api, user, event, order=order)
        assert answer.status_code == 422
        assert pointer_of(answer) == "/data/relationships/order/data"


def test_an_attendee_goes_into_an_order_once_and_stays(api: Api, bea: User, event: Event) -> None:
    first, second = order_for(api, bea, event), order_for(api, bea, event)
    id_ = enter(api, bea, event, ticket=ticket(event, "20")).json["data"]["id"]
    assert relate(api, bea, id_, order=first).status_code == 200
    assert relate(api, bea, id_, order=first).status_code == 200
    for other in (second, None):
        answer = relate(api, bea, id_, order=other)
        assert answer.status_code == 422
        assert pointer_of(answer) == "/data/relationships/order/data"
    db.session.refresh(first)
    assert first.amount == 20


def test_somebody_elses_order_cannot_be_named(api: Api, people: People, bea: User, event: Event) -> None:
    order = order_for(api, bea, event)
    answer = enter(api, people.user(), event, order=order)
    assert answer.status_code == 422
    assert pointer_of(answer) == "/data/relationships/order/data"


def test_an_attendee_who_was_deleted_is_no_longer_in_the_order(api: Api, bea: User, event: Event) -> None:
    seat = ticket(event, "20")
    order = order_for(api, bea, event, "gus@example.org", "kim@example.org", ticket=seat)
    id_ = order.attendees[0].id
    assert api.as_(bea).delete(f"/v1/attendees/{id_}").status_code == 204
    shown = api.as_(bea).get(f"/v1/orders/{order.id}", include="attendees").json
    assert [item["attributes"]["email"] for item in shown["included"]] == ["kim@example.org"]
    assert shown["data"]["attributes"]["amount"] == 20
    assert api.as_(bea).get(f"/v1/attendees/{id_}").status_code == 404


def test_an_order_has_at_most_a_hundred_attendees(api: Api, bea: User, event: Event) -> None:
    order = order_for(api, bea, event)
    rows = [Attendee(firstname="Gus", event_id=event.id, order_id=order.id, user_id=bea.id) for _ in range(100)]
    db.session.add_all(rows)
    db.session.commit()
    answer = enter(api, bea, event, order=order)
    assert answer.status_code == 422
    assert pointer_of(answer) == "/data/relationships/order/data"
    assert count(Attendee) == 100
    assert place(api, bea, event, "gus@example.org").status_code == 201


def test_a_list_of_attendees_asks_a_few_questions_however_many_orders_they_are_in(
    api: Api, people: People, bea: User, event: Event
) -> None:
    gus = people.user("gus@example.org")
    for _ in range(12):
        order_for(api, bea, event, "gus@example.org")
    db.session.commit()
    db.session.expire_all()
    for user in (gus, bea):
        caller = api.as_(user)
        with statements() as seen:
            assert len(caller.get("/v1/attendees").json["data"]) == 12
        assert len(seen) <= 5, seen
