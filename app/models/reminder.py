"""Markers of what the clock has sent: each is there once, whoever else looks at the clock."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, String, func
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, one_of, utc_now

NEXT_EVENT, AFTER_EVENT = "next-event", "after-event"
REMINDER_KINDS = (NEXT_EVENT, AFTER_EVENT)


class Reminder(Base):
    """A periodic message of one kind was sent about one event."""

    __tablename__ = "reminders"
    __table_args__ = (CheckConstraint(one_of("kind", REMINDER_KINDS), name="kind"),)

    event_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("events.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    sent_at: Mapped[datetime] = mapped_column(default=utc_now, server_default=func.now())
