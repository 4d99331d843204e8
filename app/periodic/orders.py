"""Orders that were not completed in time: they expire, and their buyers are told. The status is the marker."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, select

from app.api.helpers.log import record_activity
from app.api.helpers.mail import send_email_expired_order
from app.api.helpers.order_messages import order_url
from app.api.helpers.settings import get_settings
from app.models import Order, db
from app.models.mail import MAIL_TO_EXPIRED_ORDERS
from app.models.order import EXPIRED, OPEN_STATUSES
from app.periodic.work import Outcome, each, hold_event, tell_all

# As many as one run takes up; the rest is the next one's.
BATCH = 1000


def expire_orders(now: datetime) -> Iterator[Outcome]:
    """Expire what stays open for longer than the settings allow since its status changed last."""
    latest = now - timedelta(minutes=get_settings().order_expiry_time)
    statement = (
        select(Order.id)
        .where(Order.status.in_(OPEN_STATUSES), Order.changed_at <= latest)
        .order_by(Order.changed_at)
        .limit(BATCH)
    )
    rows: list[Row[Any]] = list(db.session.execute(statement))
    return each(MAIL_TO_EXPIRED_ORDERS, rows, lambda row: _expire(row.id, latest, now))


def _expire(order_id: int, latest: datetime, now: datetime) -> Outcome | None:
    order = db.session.scalar(
        select(Order)
        .where(Order.id == order_id, Order.status.in_(OPEN_STATUSES), Order.changed_at <= latest)
        # Whoever has the order locked is completing, cancelling or expiring it at this moment.
        .with_for_update(of=Order, skip_locked=True)
        .execution_options(populate_existing=True)
    )
    if order is None:
        return None
    order.status, order.changed_at = EXPIRED, now
    record_activity("update_order", order=order.invoice_id, status=order.status)
    has_event = hold_event(order.event_id) is not None
    buyers = [order.user] if has_event and order.user.deleted_at is None else []
    mails = tell_all(buyers, lambda buyer: send_email_expired_order(buyer, order, order_url(order)))
    return Outcome(MAIL_TO_EXPIRED_ORDERS, order.invoice_id, mails)
