"""Orders that were not completed in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.models import Event, Mail, Order, User, db
from tests.conftest import People
from tests.support.api import Api
from tests.support.calendar import MINUTE, run_at, speaking
from tests.support.orders import change, order_for, ticket
from tests.support.rows import activities, count, mailed, notified

EXPIRED = "Mail Expired Orders"
NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


@pytest.fixture
def buyer(people: People) -> User:
    return people.user("buyer@example.org")


@pytest.fixture
def event(people: People) -> Event:
    return people.event(people.user("owner@example.org"))


def order_of(buyer: User, event: Event, age: timedelta, **values: Any) -> Order:
    values = {"status": "initializing", "amount": Decimal(20), "changed_at": NOW - age, **values}
    order = Order(user=buyer, event=event, **values)
    db.session.add(order)
    db.session.commit()
    return order


def status(order: Order) -> str:
    db.session.expire_all()
    return order.status


@pytest.mark.triggers("mail:Mail Expired Orders")
def test_an_order_over_http_that_nobody_completes_expires_and_stays_so(
    api: Api, people: People, buyer: User, event: Event
) -> None:
    order = order_for(api, buyer, event, "guest@example.org", ticket=ticket(event, "20"))
    placed = order.changed_at
    run_at(placed + 14 * MINUTE)
    assert change(api, buyer, order, status="pending").status_code == 200
    # The time begins anew with each change of the status.
    assert run_at(order.changed_at + 15 * MINUTE - timedelta(seconds=1)) == []
    assert run_at(order.changed_at + 15 * MINUTE) == [f"Mail Expired Orders: {order.invoice_id}"]
    shown = api.as_(buyer).get(f"/v1/orders/{order.id}").json["data"]["attributes"]
    assert shown["status"] == "expired"
    assert change(api, people.admin(), order, status="completed").status_code == 422
    assert mailed(EXPIRED) == ["buyer@example.org"]
    assert f"Order {order.invoice_id} is expired" in activities()


@pytest.mark.parametrize("before", ["initializing", "pending"])
def test_an_open_order_expires_when_its_time_is_over_and_its_buyer_is_told_once(
    buyer: User, event: Event, before: str
) -> None:
    order = order_of(buyer, event, 15 * MINUTE, status=before)
    assert run_at(NOW - timedelta(seconds=1)) == []
    assert run_at(NOW) == [f"Mail Expired Orders: {order.invoice_id}"]
    assert (status(order), order.changed_at) == ("expired", NOW)
    for later in (0, 1, 100_000):
        assert run_at(NOW + later * MINUTE) == []
    assert (mailed(EXPIRED), count(Mail)) == (["buyer@example.org"], 1)
    mail = db.session.scalars(select(Mail)).one()
    assert mail.subject == "Your order for Harbour Conference has expired"
    assert order.invoice_id in mail.text
    assert f"/orders/{order.identifier}" in mail.message


@pytest.mark.parametrize("before", ["completed", "cancelled", "expired"])
def test_an_order_that_has_ended_stays_as_it_is(buyer: User, event: Event, before: str) -> None:
    order = order_of(buyer, event, 1000 * MINUTE, status=before, completed_at=NOW - 1000 * MINUTE)
    assert run_at(NOW) == []
    assert status(order) == before


def test_the_settings_say_after_how_many_minutes(people: People, api: Api, buyer: User, event: Event) -> None:
    order_of(buyer, event, 16 * MINUTE)
    db.session.execute(text("UPDATE settings SET order_expiry_time = 30"))
    db.session.commit()
    assert run_at(NOW) == []
    assert len(run_at(NOW + 14 * MINUTE)) == 1


def test_orders_of_a_deleted_event_expire_and_nobody_is_told(
    people: People, api: Api, buyer: User, event: Event
) -> None:
    order = order_of(buyer, event, 16 * MINUTE)
    assert api.as_(people.admin()).delete(f"/v1/events/{event.id}").status_code == 204
    run_at(NOW)
    assert (status(order), count(Mail)) == ("expired", 0)


def test_a_buyer_whose_account_is_gone_is_not_told(buyer: User, event: Event) -> None:
    order = order_of(buyer, event, 16 * MINUTE)
    buyer.deleted_at = NOW
    db.session.commit()
    run_at(NOW)
    assert (status(order), count(Mail)) == ("expired", 0)


def test_an_order_that_is_being_completed_at_this_moment_is_left_to_whoever_does_it(buyer: User, event: Event) -> None:
    order = order_of(buyer, event, 16 * MINUTE)
    with Session(db.engine) as other:
        paid = other.scalars(select(Order).where(Order.id == order.id).with_for_update()).one()
        assert run_at(NOW) == []
        paid.status, paid.changed_at, paid.completed_at = "completed", NOW, NOW
        other.commit()
    assert run_at(NOW) == []
    assert (status(order), count(Mail)) == ("completed", 0)


def test_the_buyer_reads_it_in_the_own_language(buyer: User, event: Event) -> None:
    order_of(speaking(buyer, "de"), event, 16 * MINUTE)
    run_at(NOW)
    assert db.session.scalars(select(Mail.language)).one() == "de"


def test_many_orders_expire_in_one_run_each_with_its_own_mail(buyer: User, event: Event) -> None:
    for minutes in range(16, 46):
        order_of(buyer, event, minutes * MINUTE)
    assert len(run_at(NOW)) == 30
    assert mailed(EXPIRED) == ["buyer@example.org"] * 30
    assert notified(EXPIRED) == []
