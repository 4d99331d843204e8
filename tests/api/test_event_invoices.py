"""Event invoices: seen by who manages the event, noted as paid by admins."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from app.models import Event, EventInvoice, Mail, Notification, User, db
from tests.conftest import People
from tests.support.api import Api
from tests.support.errors import errors_of, pointer_of
from tests.support.rows import activities, count


@pytest.fixture
def owner(people: People) -> User:
    return people.user("owner@example.org")


def bill(event: Event, amount: str = "12.34", month: int = 10) -> EventInvoice:
    invoice = EventInvoice(event=event, month=date(2026, month, 1), amount=Decimal(amount), currency="EUR")
    db.session.add(invoice)
    db.session.commit()
    return invoice


def pay(api: Api, by: User, invoice: EventInvoice, status: Any = "paid") -> Any:
    return api.as_(by).update(f"/v1/event-invoices/{invoice.id}", "event-invoice", invoice.id, status=status)


def test_an_invoice_as_its_owner_reads_it(api: Api, people: People, owner: User) -> None:
    invoice = bill(people.event(owner))
    shown = api.as_(owner).get(f"/v1/event-invoices/{invoice.id}").json["data"]
    issued = shown["attributes"].pop("issued-at")
    assert issued.endswith("Z")
    assert shown["attributes"] == {
        "identifier": invoice.identifier,
        "month": "2026-10-01",
        "amount": 12.34,
        "currency": "EUR",
        "status": "due",
        "paid-at": None,
    }
    assert shown["relationships"]["event"]["data"] == {"type": "event", "id": str(invoice.event_id)}
    assert api.client.get(f"/event-invoices/{invoice.identifier}").status_code == 200


def test_who_sees_an_invoice(api: Api, people: People, owner: User) -> None:
    team = {role: people.user(f"{role}@example.org") for role in ("organizer", "coorganizer", "moderator")}
    event = people.event(owner, **team)
    invoice = bill(event)
    for user in (owner, team["organizer"], people.admin()):
        assert api.as_(user).get(f"/v1/event-invoices/{invoice.id}").status_code == 200
        for path in ("/v1/event-invoices", f"/v1/events/{event.id}/event-invoices"):
            assert len(api.as_(user).get(path).json["data"]) == 1
    for user in (team["coorganizer"], team["moderator"], people.user()):
        assert api.as_(user).get(f"/v1/event-invoices/{invoice.id}").status_code == 404
        assert api.as_(user).get("/v1/event-invoices").json["data"] == []
        assert api.as_(user).get(f"/v1/events/{event.id}/event-invoices").status_code == 403


def test_admins_note_what_was_paid_and_take_it_back(api: Api, people: People, owner: User) -> None:
    admin, invoice = people.admin(), bill(people.event(owner))
    assert pay(api, owner, invoice).status_code == 403
    paid_at = pay(api, admin, invoice).json["data"]["attributes"]["paid-at"]
    assert paid_at
    assert pay(api, admin, invoice).json["data"]["attributes"]["paid-at"] == paid_at
    assert pay(api, admin, invoice, "due").json["data"]["attributes"]["paid-at"] is None
    assert [sentence for sentence in activities() if "nvoice" in sentence] == [
        f"Invoice {invoice.identifier} is paid",
        f"Invoice {invoice.identifier} is due",
    ]
    assert count(Mail) == count(Notification) == 0


@pytest.mark.parametrize("odd", [None, "", "Paid", "open", 1, True, []])
def test_an_unknown_status_is_422(api: Api, people: People, owner: User, odd: Any) -> None:
    answer = pay(api, people.admin(), bill(people.event(owner)), odd)
    assert answer.status_code == 422
    assert pointer_of(answer) == "/data/attributes/status"


def test_nothing_else_of_an_invoice_is_written(api: Api, people: People, owner: User) -> None:
    admin, invoice = people.admin(), bill(people.event(owner))
    written = {"amount": 0, "currency": "USD", "month": "2020-01-01", "paid_at": "2020-01-01T00:00:00Z"}
    answer = api.as_(admin).update(f"/v1/event-invoices/{invoice.id}", "event-invoice", invoice.id, **written)
    assert answer.status_code == 200
    assert answer.json["data"]["attributes"]["amount"] == 12.34
    assert answer.json["data"]["attributes"]["month"] == "2026-10-01"
    for path in ("/v1/event-invoices", f"/v1/event-invoices/{invoice.id}"):
        assert api.as_(admin).post(path, {}).status_code == 405
        assert api.as_(admin).delete(path).status_code == 405


def test_invoices_are_filtered_by_month_and_amount(api: Api, people: People, owner: User) -> None:
    event, caller = people.event(owner), api.as_(owner)
    for month, amount in ((9, "5"), (10, "12.34"), (11, "100")):
        bill(event, amount, month)

    def months(condition: str) -> list[str]:
        answer = caller.get("/v1/event-invoices", filter=f"[{condition}]", sort="month")
        assert answer.status_code == 200, answer.text
        return [item["attributes"]["month"] for item in answer.json["data"]]

    assert months('{"name": "month", "op": "ge", "val": "2026-10-01"}') == ["2026-10-01", "2026-11-01"]
    assert months('{"name": "amount", "op": "eq", "val": 12.34}') == ["2026-10-01"]
    for odd in ('"2026-13-01"', '"2026-10"', "1", "true", '"0000-01-01"', '"2026-10-01T00:00:00Z"', "[]"):
        answer = caller.get("/v1/event-invoices", filter=f'[{{"name": "month", "op": "eq", "val": {odd}}}]')
        assert answer.status_code == 400, odd
        errors_of(answer)


def test_what_a_deleted_event_owes_is_seen_by_admins_only(api: Api, people: People, owner: User) -> None:
    event = people.event(owner)
    invoice, admin = bill(event), people.admin()
    api.as_(owner).delete(f"/v1/events/{event.id}")
    assert api.as_(owner).get(f"/v1/event-invoices/{invoice.id}").status_code == 404
    assert pay(api, admin, invoice).status_code == 200
    included = api.as_(admin).get(f"/v1/event-invoices/{invoice.id}", include="event").json["included"]
    assert included == []
