"""Invoices of the platform's share of a month's sales, and the reminder of them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, text

from app.models import Event, EventInvoice, Mail, Notification, Order, User, db
from app.models.event import EventRole
from app.periodic.clock import beginning, month_after, month_of
from app.periodic.invoices import fee_of
from tests.conftest import People
from tests.support.api import Api
from tests.support.calendar import DAY, MINUTE, at, create_event, run_at, speaking
from tests.support.orders import change, order_for, ticket
from tests.support.rows import count, mailed, notified

INVOICE, REMINDER = "Monthly Payment Email", "Monthly Payment Follow Up Email"
INVOICE_NOTIF, REMINDER_NOTIF = "Monthly Payment Notification", "Monthly Payment Follow Up Notification"
ZONE = "Europe/Berlin"
FIRST, FIFTEENTH = at(ZONE, 2026, 11, 1, 0, 5), at(ZONE, 2026, 11, 15)
OCTOBER = date(2026, 10, 1)
OWNER = ["owner@example.org"]


@pytest.fixture
def owner(people: People) -> User:
    return people.user("owner@example.org")


@pytest.fixture
def buyer(people: People) -> User:
    return people.user("buyer@example.org")


@pytest.fixture
def event(api: Api, owner: User) -> Event:
    """An event a year later, of which nobody is to be reminded meanwhile."""
    set_fee("5")
    return create_event(api.as_(owner), at(ZONE, 2027, 10, 1, 9, 0))


def set_fee(percent: str) -> None:
    db.session.execute(text("UPDATE settings SET service_fee = :fee"), {"fee": percent})
    db.session.commit()


def sell(event: Event, buyer: User, completed: datetime, amount: str = "100", **values: Any) -> Order:
    values = {"status": "completed", "currency": "EUR", "completed_at": completed, "changed_at": completed, **values}
    order = Order(event=event, user=buyer, amount=Decimal(amount), **values)
    db.session.add(order)
    db.session.commit()
    return order


def invoices() -> list[tuple[date, str, str]]:
    db.session.expire_all()
    found = db.session.scalars(select(EventInvoice).order_by(EventInvoice.month, EventInvoice.currency))
    return [(invoice.month, str(invoice.amount), invoice.currency) for invoice in found]


def pay() -> None:
    db.session.execute(text("UPDATE event_invoices SET status = 'paid', paid_at = now()"))
    db.session.commit()


@pytest.mark.triggers("mail:Monthly Payment Email", "notif:Monthly Payment Notification")
@pytest.mark.triggers("mail:Monthly Payment Follow Up Email", "notif:Monthly Payment Follow Up Notification")
def test_an_order_that_was_completed_over_http_is_billed_followed_up_and_paid_over_http(
    api: Api, people: People, buyer: User, owner: User, event: Event
) -> None:
    admin = people.admin()
    order = order_for(api, buyer, event, "guest@example.org", ticket=ticket(event, "80"))
    assert change(api, owner, order, status="completed").status_code == 200
    assert order.completed_at is not None
    first = beginning(month_after(month_of(order.completed_at, ZONE)), ZONE)
    assert run_at(first + 5 * MINUTE) == ["Monthly Payment Email: Harbour Conference"]
    [shown] = api.as_(owner).get("/v1/event-invoices").json["data"]
    assert (shown["attributes"]["amount"], shown["attributes"]["status"]) == (4, "due")
    assert run_at(first + 20 * DAY) == ["Monthly Payment Follow Up Email: Harbour Conference"]
    path = f"/v1/event-invoices/{shown['id']}"
    assert api.as_(admin).update(path, "event-invoice", shown["id"], status="paid").status_code == 200
    assert run_at(first + 21 * DAY) == []
    assert (mailed(INVOICE), mailed(REMINDER)) == (OWNER, OWNER)


def test_on_the_first_the_owner_gets_the_invoice_of_the_last_month_and_on_the_fifteenth_a_reminder(
    event: Event, buyer: User
) -> None:
    sell(event, buyer, at(ZONE, 2026, 10, 1, 0, 0), "100.50")
    sell(event, buyer, at(ZONE, 2026, 10, 31, 23, 59), "60")
    assert run_at(FIRST - MINUTE) == []
    assert run_at(FIRST) == ["Monthly Payment Email: Harbour Conference"]
    assert invoices() == [(OCTOBER, "8.03", "EUR")]
    assert (mailed(INVOICE), notified(INVOICE_NOTIF)) == (OWNER, OWNER)
    assert run_at(FIFTEENTH - MINUTE) == []
    assert run_at(FIFTEENTH) == ["Monthly Payment Follow Up Email: Harbour Conference"]
    assert (mailed(REMINDER), notified(REMINDER_NOTIF)) == (OWNER, OWNER)
    for days in range(120):
        assert run_at(FIFTEENTH + days * DAY) == []


def test_the_messages_name_month_amount_and_the_place_to_pay_and_no_key_is_missing_as_in_thread_6820(
    event: Event, buyer: User
) -> None:
    sell(event, buyer, FIRST - DAY)
    run_at(FIRST)
    run_at(FIFTEENTH)
    identifier = db.session.scalars(select(EventInvoice.identifier)).one()
    for mail in db.session.scalars(select(Mail)):
        assert "invoice of October 2026 for Harbour Conference" in mail.subject
        assert "€5.00" in mail.text
        assert f"/event-invoices/{identifier}" in mail.message
    for notification in db.session.scalars(select(Notification)):
        assert "October 2026" in notification.title
        assert f"/event-invoices/{identifier}" in str(notification.happening.link)
        assert notification.happening.data["event-id"] == str(event.id)


def test_a_paid_invoice_has_no_reminder(event: Event, buyer: User) -> None:
    sell(event, buyer, FIRST - DAY)
    run_at(FIRST)
    pay()
    assert run_at(FIFTEENTH) == []
    assert mailed(REMINDER) == []


@pytest.mark.parametrize(
    ("zone", "in_month", "after_month"),
    [
        ("Pacific/Kiritimati", "2026-10-31T09:59:00+00:00", "2026-10-31T10:00:00+00:00"),
        ("Asia/Kathmandu", "2026-10-31T18:14:00+00:00", "2026-10-31T18:15:00+00:00"),
        ("Pacific/Pago_Pago", "2026-11-01T10:59:00+00:00", "2026-11-01T11:00:00+00:00"),
        # The clocks go back a week before the end of the month.
        ("Europe/Berlin", "2026-10-31T22:59:00+00:00", "2026-10-31T23:00:00+00:00"),
    ],
)
def test_a_month_begins_and_ends_with_the_clocks_of_the_events_place(
    api: Api, owner: User, buyer: User, zone: str, in_month: str, after_month: str
) -> None:
    set_fee("10")
    event = create_event(api.as_(owner), at(zone, 2027, 10, 1, 9, 0))
    end = datetime.fromisoformat(after_month)
    sell(event, buyer, datetime.fromisoformat(in_month), "10")
    sell(event, buyer, end, "20")
    assert run_at(end + 4 * MINUTE) == []
    run_at(end + 5 * MINUTE)
    assert invoices() == [(OCTOBER, "1.00", "EUR")]
    run_at(end + 31 * DAY)
    assert invoices() == [(OCTOBER, "1.00", "EUR"), (date(2026, 11, 1), "2.00", "EUR")]


def test_only_completed_orders_count(event: Event, buyer: User) -> None:
    october = FIRST - 5 * DAY
    sell(event, buyer, october, "10")
    for status in ("cancelled", "expired", "pending", "initializing"):
        sell(event, buyer, october, "1000", status=status)
    sell(event, buyer, october, "0")
    sell(event, buyer, at(ZONE, 2026, 9, 30, 23, 59), "1000")
    run_at(FIRST)
    assert invoices() == [(OCTOBER, "0.50", "EUR")]


def test_each_currency_has_an_invoice_and_yen_have_no_cents(event: Event, buyer: User) -> None:
    for amount, currency in (("10.30", "EUR"), ("1510", "JPY"), ("10", "USD")):
        sell(event, buyer, FIRST - DAY, amount, currency=currency)
    assert len(run_at(FIRST)) == 3
    assert invoices() == [(OCTOBER, "0.52", "EUR"), (OCTOBER, "76.00", "JPY"), (OCTOBER, "0.50", "USD")]
    assert mailed(INVOICE) == OWNER * 3
    assert "¥76" in "".join(db.session.scalars(select(Mail.text)))


@pytest.mark.parametrize(
    ("total", "percent", "currency", "expected"),
    [
        ("0.10", "5", "EUR", "0.01"),
        ("0.09", "5", "EUR", "0.00"),
        ("0.50", "5", "EUR", "0.03"),
        ("110", "0.5", "JPY", "1"),
        ("100", "0.5", "JPY", "1"),
        ("99", "0.5", "JPY", "0"),
        ("1.10", "5", "BHD", "0.06"),
        ("9999999999.99", "100", "EUR", "9999999999.99"),
        ("33.33", "33.33", "XXX", "11.11"),
    ],
)
def test_a_fee_is_rounded_half_up_to_what_the_currency_has(
    total: str, percent: str, currency: str, expected: str
) -> None:
    assert fee_of(Decimal(total), Decimal(percent), currency) == Decimal(expected)


def test_without_a_fee_or_with_one_below_a_cent_there_is_no_invoice(event: Event, buyer: User) -> None:
    sell(event, buyer, FIRST - DAY, "0.09")
    assert run_at(FIRST) == []
    sell(event, buyer, FIRST - DAY, "1000")
    set_fee("0")
    assert run_at(FIRST) == []
    assert count(EventInvoice) == 0


def test_a_server_that_was_down_on_the_first_bills_until_the_end_of_the_month_and_no_longer(
    event: Event, buyer: User
) -> None:
    sell(event, buyer, FIRST - DAY)
    december = at(ZONE, 2026, 12, 1, 0, 5)
    assert run_at(december) == []
    assert run_at(december - MINUTE) == ["Monthly Payment Email: Harbour Conference"]
    assert invoices() == [(OCTOBER, "5.00", "EUR")]


def test_an_invoice_that_came_late_is_followed_up_a_week_later(event: Event, buyer: User) -> None:
    sell(event, buyer, FIRST - DAY)
    late = at(ZONE, 2026, 11, 28, 12, 0)
    assert run_at(late) == ["Monthly Payment Email: Harbour Conference"]
    assert run_at(late + 7 * DAY - MINUTE) == []
    assert run_at(late + 7 * DAY) == ["Monthly Payment Follow Up Email: Harbour Conference"]


def test_a_deleted_event_gets_neither_invoice_nor_reminder(api: Api, people: People, buyer: User, event: Event) -> None:
    sell(event, buyer, FIRST - DAY)
    other = create_event(api.as_(people.user()), at(ZONE, 2027, 10, 1, 9, 0))
    sell(other, buyer, FIRST - DAY)
    admin = api.as_(people.admin())
    assert admin.delete(f"/v1/events/{event.id}").status_code == 204
    assert len(run_at(FIRST)) == 1
    assert admin.delete(f"/v1/events/{other.id}").status_code == 204
    assert run_at(FIFTEENTH) == []


def test_it_is_the_owner_who_pays_and_nobody_else_of_the_team(people: People, buyer: User, event: Event) -> None:
    for role in ("organizer", "coorganizer"):
        db.session.add(EventRole(event=event, user=people.user(), role=role))
    db.session.commit()
    sell(event, buyer, FIRST - DAY)
    run_at(FIRST)
    assert (mailed(INVOICE), notified(INVOICE_NOTIF)) == (OWNER, OWNER)


def test_the_owner_reads_month_and_amount_in_the_own_language(owner: User, buyer: User, event: Event) -> None:
    speaking(owner, "de")
    sell(event, buyer, FIRST - DAY, "24691")
    run_at(FIRST)
    mail = db.session.scalars(select(Mail)).one()
    assert mail.language == "de"
    assert "Oktober 2026" in mail.subject
    assert "1.234,55\xa0€" in mail.text


def test_a_clock_that_steps_back_and_forth_bills_and_follows_up_once(buyer: User, event: Event) -> None:
    sell(event, buyer, FIRST - DAY)
    for now in (FIRST, FIRST - 3 * DAY, FIFTEENTH, FIRST, FIRST - 60 * DAY, FIFTEENTH, FIFTEENTH + timedelta(hours=1)):
        run_at(now)
    assert (mailed(INVOICE), mailed(REMINDER)) == (OWNER, OWNER)
    assert count(EventInvoice) == 1


def test_an_order_that_is_cancelled_after_the_invoice_changes_nothing(buyer: User, event: Event) -> None:
    order = sell(event, buyer, FIRST - DAY)
    run_at(FIRST)
    order.status = "cancelled"
    db.session.commit()
    assert run_at(FIRST + DAY) == []
    assert invoices() == [(OCTOBER, "5.00", "EUR")]
    assert db.session.scalars(select(EventInvoice.issued_at)).one() == FIRST.astimezone(UTC)
