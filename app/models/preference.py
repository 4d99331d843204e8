"""What users want to be told, by which channel, and when; and what was decided for those who said something."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, SmallInteger, String, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, BigId, CreatedAt, one_of
from app.models.event_type import CHANNELS

ON, OFF = "on", "off"
HOURLY, DAILY, WEEKLY = "hourly", "daily", "weekly"
# A mail some minutes later, unless the notification was read in the meantime.
UNREAD = "unread"
DIGESTS = (HOURLY, DAILY, WEEKLY)
MODES = (ON, OFF, *DIGESTS, UNREAD)
MAX_MINUTES = 7 * 24 * 60


class Preference(Base):
    """One wish of one user: how a channel is to tell of the types that match `pattern` (`*`: of all)."""

    __tablename__ = "preferences"
    __table_args__ = (
        CheckConstraint(one_of("channel", CHANNELS), name="channel"),
        CheckConstraint(one_of("mode", MODES), name="mode"),
        CheckConstraint("(mode = 'unread') = (minutes IS NOT NULL)", name="minutes"),
        CheckConstraint(f"minutes BETWEEN 1 AND {MAX_MINUTES}", name="minutes_range"),
        CheckConstraint("channel = 'mail' OR mode IN ('on', 'off')", name="only_mail_waits"),
    )

    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    pattern: Mapped[str] = mapped_column(String(255), primary_key=True)
    channel: Mapped[str] = mapped_column(String(8), primary_key=True)
    mode: Mapped[str] = mapped_column(String(8))
    minutes: Mapped[int | None] = mapped_column(SmallInteger)


class DeliveryHours(Base):
    """When a user wants to be left alone, and when his digests come, on the clocks of his timezone."""

    __tablename__ = "delivery_hours"
    __table_args__ = (
        CheckConstraint("(quiet_from IS NULL) = (quiet_until IS NULL)", name="quiet"),
        CheckConstraint("digest_hour BETWEEN 0 AND 23", name="digest_hour"),
        CheckConstraint("digest_weekday BETWEEN 0 AND 6", name="digest_weekday"),
    )

    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    # From the first to the second, over midnight if that is the earlier one.
    quiet_from: Mapped[time | None]
    quiet_until: Mapped[time | None]
    digest_hour: Mapped[int] = mapped_column(SmallInteger, default=8, server_default="8")
    # 0 is Monday.
    digest_weekday: Mapped[int] = mapped_column(SmallInteger, default=0, server_default="0")


class Decision(Base):
    """Why a channel told, or did not tell, a user whose wishes (or lacking address) mattered.

    Who has no row was told as the happening's `plan` says for everybody.
    """

    __tablename__ = "decisions"
    __table_args__ = (CheckConstraint(one_of("channel", CHANNELS), name="channel"),)

    happening_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("happenings.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    channel: Mapped[str] = mapped_column(String(8), primary_key=True)
    outcome: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(String(16))
    # The pattern of the preference that decided, if one did.
    pattern: Mapped[str | None] = mapped_column(String(255))
    # When it is to be sent, if later.
    due_at: Mapped[datetime | None]


class HeldMail(Base):
    """A mail that waits for its user's digest, or for whether its notification is read."""

    __tablename__ = "held_mails"
    __table_args__ = (
        CheckConstraint(one_of("mode", (*DIGESTS, UNREAD)), name="mode"),
        UniqueConstraint("happening_id", "user_id"),
        Index("ix_held_mails_due", "due_at", "user_id"),
        Index("ix_held_mails_user_id", "user_id"),
    )

    id: Mapped[BigId]
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="CASCADE"))
    # What it tells of; None for a mail of an action that the app did not tell of.
    happening_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("happenings.id", ondelete="CASCADE"))
    mode: Mapped[str] = mapped_column(String(8))
    due_at: Mapped[datetime]
    action: Mapped[str] = mapped_column(String(255))
    subject: Mapped[str] = mapped_column(Text)
    # The other columns of the mail that it becomes; None: they are made of the happening.
    words: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    created_at: Mapped[CreatedAt]
