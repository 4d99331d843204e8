"""The platform's share of ticket sales: an invoice for each month, and one reminder of it. The rows are the markers.

A month is that of the event's time zone. It is billed from its end until the end of the next month, so that a server
that was down on the 1st, or is installed on the 20th, still bills it; what is older is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from babel.numbers import get_currency_precision
from sqlalchemy import Row, func, select, update
from sqlalchemy.dialects.postgresql import insert

from app.api.helpers.mail import (
    send_email_for_monthly_fee_payment,
    send_followup_email_for_monthly_fee_payment,
)
from app.api.helpers.notification import (
    About,
    send_followup_notif_monthly_fee_payment,
    send_notif_monthly_fee_payment,
)
from app.api.helpers.recipients import owners_of
from app.api.helpers.settings import get_settings, make_frontend_url
from app.models import Event, EventInvoice, Order, User, db
from app.models.mail import MONTHLY_PAYMENT_EMAIL, MONTHLY_PAYMENT_FOLLOWUP_EMAIL
from app.models.order import COMPLETED, DUE
from app.periodic.clock import beginning, month_after, month_before, month_of
from app.periodic.work import Outcome, each, hold_event, tell_all

# An order that was completed just before the month's end may still be on its way into the table.
SETTLING: Final = timedelta(minutes=5)
FOLLOW_UP_DAY: Final = 15
# Days that an owner has at least before being reminded, also of an invoice that came late.
PATIENCE: Final = timedelta(days=7)
# More than any place's clock differs from UTC.
A_DAY: Final = timedelta(days=1)
# Less than there is, anywhere, between the 1st of a month and the 15th of the next.
FORTY_DAYS: Final = timedelta(days=40)
# The table keeps two decimals.
MAX_DECIMALS: Final = 2


def bill_last_month(now: datetime) -> Iterator[Outcome]:
    """Make the invoices of the last month, one for each event and currency, and tell the owners."""
    fee, settled = get_settings().service_fee, now - SETTLING
    if fee <= 0:
        return iter(())
    billed = _billed(settled)

    def bill(row: Row[Any]) -> Outcome | None:
        month = month_before(month_of(settled, row.timezone))
        return None if (row.event_id, row.currency, month) in billed else _bill(row, month, fee, now)

    return each(MONTHLY_PAYMENT_EMAIL, _sellers(settled), bill)


def follow_up(now: datetime) -> Iterator[Outcome]:
    """Remind the owners, once, of invoices that are due from the 15th of the month after the one that was billed."""
    statement = (
        select(EventInvoice.id, EventInvoice.month, EventInvoice.event_id, Event.timezone)
        .join(Event, Event.id == EventInvoice.event_id)
        .where(
            EventInvoice.status == DUE,
            EventInvoice.followed_up_at.is_(None),
            EventInvoice.month <= (now - FORTY_DAYS).date(),
            EventInvoice.issued_at <= now - PATIENCE,
            Event.deleted_at.is_(None),
        )
        .order_by(EventInvoice.month, EventInvoice.id)
    )
    rows: list[Row[Any]] = list(db.session.execute(statement))
    return each(MONTHLY_PAYMENT_FOLLOWUP_EMAIL, rows, lambda row: _follow_up(row, now))


def fee_of(total: Decimal, percent: Decimal, currency: str) -> Decimal:
    """So many percent of an amount, rounded half up to what the currency has: cents, or whole yen."""
    decimals = min(get_currency_precision(currency), MAX_DECIMALS)
    return (total * percent / 100).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)


def _sellers(now: datetime) -> list[Row[Any]]:
    """Who may have sold something in the last month, as any place on earth counts: event, its time zone, currency."""
    first, last = (month_before(month_of(now + shift, "UTC")) for shift in (-A_DAY, A_DAY))
    statement = (
        select(Order.event_id, Order.currency, Event.timezone)
        .join(Event, Event.id == Order.event_id)
        .where(
            Order.status == COMPLETED,
            Order.amount > 0,
            Order.completed_at >= beginning(first, "UTC") - A_DAY,
            Order.completed_at < beginning(month_after(last), "UTC") + A_DAY,
            Event.deleted_at.is_(None),
        )
        .distinct()
        .order_by(Order.event_id, Order.currency)
    )
    return list(db.session.execute(statement))


def _billed(now: datetime) -> set[tuple[int, str, date]]:
    """What has its invoice already, so that it need not be added up again every minute."""
    months = {month_before(month_of(now + shift, "UTC")) for shift in (-A_DAY, A_DAY)}
    statement = select(EventInvoice.event_id, EventInvoice.currency, EventInvoice.month)
    rows = db.session.execute(statement.where(EventInvoice.month.in_(months)))
    return {(event_id, currency, month) for event_id, currency, month in rows}


def _bill(row: Row[Any], month: date, fee: Decimal, now: datetime) -> Outcome | None:
    event = hold_event(row.event_id)
    if event is None:
        return None
    total = db.session.scalar(
        select(func.sum(Order.amount)).where(
            Order.event_id == event.id,
            Order.currency == row.currency,
            Order.status == COMPLETED,
            Order.completed_at >= beginning(month, event.timezone),
            Order.completed_at < beginning(month_after(month), event.timezone),
        )
    )
    amount = fee_of(total or Decimal(0), fee, row.currency)
    if amount <= 0:
        return None
    values = {"event_id": event.id, "month": month, "currency": row.currency, "amount": amount, "issued_at": now}
    made = insert(EventInvoice).values(values).on_conflict_do_nothing().returning(EventInvoice.id)
    invoice_id = db.session.scalar(made)
    if invoice_id is None:
        return None
    invoice, owners, link, about = _read(invoice_id)
    notifications = tell_all(owners, lambda owner: send_notif_monthly_fee_payment(owner, invoice, link, about))
    mails = tell_all(owners, lambda owner: send_email_for_monthly_fee_payment(owner, invoice, link))
    return Outcome(MONTHLY_PAYMENT_EMAIL, event.name, mails, notifications)


def _follow_up(row: Row[Any], now: datetime) -> Outcome | None:
    if now < beginning(month_after(row.month).replace(day=FOLLOW_UP_DAY), row.timezone):
        return None
    if hold_event(row.event_id) is None:
        return None
    marked = db.session.scalar(
        update(EventInvoice)
        .where(EventInvoice.id == row.id, EventInvoice.status == DUE, EventInvoice.followed_up_at.is_(None))
        .values(followed_up_at=now)
        .returning(EventInvoice.id)
    )
    if marked is None:
        return None
    invoice, owners, link, about = _read(marked)
    notifications = tell_all(owners, lambda owner: send_followup_notif_monthly_fee_payment(owner, invoice, link, about))
    mails = tell_all(owners, lambda owner: send_followup_email_for_monthly_fee_payment(owner, invoice, link))
    return Outcome(MONTHLY_PAYMENT_FOLLOWUP_EMAIL, invoice.event.name, mails, notifications)


def _read(invoice_id: int) -> tuple[EventInvoice, list[User], str, About]:
    """The invoice, whom it concerns, where it is paid, and what a notification says of it to programs."""
    invoice = db.session.get_one(EventInvoice, invoice_id, populate_existing=True)
    link = make_frontend_url(f"/event-invoices/{invoice.identifier}")
    data = {"event-id": str(invoice.event_id), "event-invoice-id": str(invoice.id)}
    return invoice, owners_of(invoice.event), link, About(link=link, data=data, event=invoice.event)
