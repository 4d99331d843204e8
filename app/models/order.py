"""Tickets, orders and the people they are for; and what an event owes the platform for its sales."""

from __future__ import annotations

import datetime as dt
import secrets
from datetime import datetime
from decimal import Decimal

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Date,
    ForeignKey,
    Index,
    Numeric,
    String,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, BigId, CreatedAt, one_of, utc_now
from app.models.event import Event
from app.models.user import User

INITIALIZING, PENDING, COMPLETED, CANCELLED, EXPIRED = "initializing", "pending", "completed", "cancelled", "expired"
ORDER_STATUSES = (INITIALIZING, PENDING, COMPLETED, CANCELLED, EXPIRED)
# Those in which an order still changes what it is for.
OPEN_STATUSES = (INITIALIZING, PENDING)

DUE, PAID = "due", "paid"
INVOICE_STATUSES = (DUE, PAID)


def new_identifier() -> str:
    """A name for a public address that nobody guesses: 128 random bits."""
    return secrets.token_hex(16)


class Ticket(Base):
    """A kind of ticket: its name and price. A price of 0 is free."""

    __tablename__ = "tickets"
    __table_args__ = (
        CheckConstraint("price >= 0", name="price"),
        Index("ix_tickets_event_id", "event_id"),
    )

    id: Mapped[BigId]
    name: Mapped[str] = mapped_column(String(255))
    price: Mapped[Decimal] = mapped_column(Numeric(12, 2), default=Decimal(0), server_default="0")
    currency: Mapped[str] = mapped_column(String(3), default="USD", server_default="USD")
    event_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("events.id", ondelete="CASCADE"))
    created_at: Mapped[CreatedAt]
    deleted_at: Mapped[datetime | None]

    event: Mapped[Event] = relationship()


class Order(Base):
    """What one person buys for one event; `amount` is kept as it was when it was ordered."""

    __tablename__ = "orders"
    __table_args__ = (
        CheckConstraint(one_of("status", ORDER_STATUSES), name="status"),
        CheckConstraint("amount >= 0", name="amount"),
        CheckConstraint("(completed_at IS NOT NULL) OR status <> 'completed'", name="completed_at"),
        Index("ix_orders_event_id_completed_at", "event_id", "completed_at"),
        Index("ix_orders_user_id", "user_id"),
        # What may expire.
        Index("ix_orders_open", "changed_at", postgresql_where=text("status IN ('initializing', 'pending')")),
        # What a month's invoices are made of.
        Index(
            "ix_orders_sold",
            "completed_at",
            "event_id",
            "currency",
            postgresql_where=text("status = 'completed' AND amount > 0"),
        ),
    )

    id: Mapped[BigId]
    identifier: Mapped[str] = mapped_column(String(32), unique=True, default=new_identifier)
    status: Mapped[str] = mapped_column(String(16), default=INITIALIZING, server_default=INITIALIZING)
    amount: Mapped[Decimal] = mapped_column(Numeric(12, 2), default=Decimal(0), server_default="0")
    currency: Mapped[str] = mapped_column(String(3), default="USD", server_default="USD")
    cancel_note: Mapped[str | None] = mapped_column(Text)
    event_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("events.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="CASCADE"))
    created_at: Mapped[CreatedAt]
    # When `status` changed last: an open order expires some time after it.
    changed_at: Mapped[datetime] = mapped_column(default=utc_now, server_default=func.now())
    completed_at: Mapped[datetime | None]

    event: Mapped[Event] = relationship()
    user: Mapped[User] = relationship()
    attendees: Mapped[list[Attendee]] = relationship(back_populates="order", order_by="Attendee.id")

    @property
    def invoice_id(self) -> str:
        """What people call the order, such as `O2026-17`."""
        return f"O{self.created_at:%Y}-{self.id}"


class Attendee(Base):
    """A person who will come, and the ticket; `user` is the account that entered the person."""

    __tablename__ = "attendees"
    __table_args__ = (
        Index("ix_attendees_order_id", "order_id"),
        Index("ix_attendees_event_id", "event_id"),
        Index("ix_attendees_ticket_id", "ticket_id"),
        Index("ix_attendees_user_id", "user_id"),
        Index("ix_attendees_email_lower", func.lower(text("email"))),
    )

    id: Mapped[BigId]
    identifier: Mapped[str] = mapped_column(String(32), unique=True, default=new_identifier)
    firstname: Mapped[str] = mapped_column(String(255))
    lastname: Mapped[str | None] = mapped_column(String(255))
    email: Mapped[str | None] = mapped_column(String(254))
    event_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("events.id", ondelete="CASCADE"))
    ticket_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("tickets.id", ondelete="SET NULL"))
    order_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("orders.id", ondelete="CASCADE"))
    user_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[CreatedAt]
    deleted_at: Mapped[datetime | None]

    event: Mapped[Event] = relationship()
    ticket: Mapped[Ticket | None] = relationship()
    order: Mapped[Order | None] = relationship(back_populates="attendees")
    user: Mapped[User | None] = relationship()


class EventInvoice(Base):
    """The platform's share of one event's sales in one month. The row is also the marker that it was billed."""

    __tablename__ = "event_invoices"
    __table_args__ = (
        UniqueConstraint("event_id", "month", "currency"),
        CheckConstraint(one_of("status", INVOICE_STATUSES), name="status"),
        Index("ix_event_invoices_month", "month"),
        Index("ix_event_invoices_due", "month", postgresql_where=text("status = 'due' AND followed_up_at IS NULL")),
    )

    id: Mapped[BigId]
    identifier: Mapped[str] = mapped_column(String(32), unique=True, default=new_identifier)
    # The first day of the month that was sold in, in the event's time zone.
    month: Mapped[dt.date] = mapped_column(Date)
    amount: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    currency: Mapped[str] = mapped_column(String(3))
    status: Mapped[str] = mapped_column(String(16), default=DUE, server_default=DUE)
    event_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("events.id", ondelete="CASCADE"))
    issued_at: Mapped[CreatedAt]
    followed_up_at: Mapped[datetime | None]
    paid_at: Mapped[datetime | None]

    event: Mapped[Event] = relationship()
