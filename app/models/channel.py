"""SMS and chat: the services that carry them, and one row for each message with its own timeline."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, SmallInteger, String, Text, func, text
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, BigId, CreatedAt, one_of, utc_now
from app.models.event_type import CHAT, SMS
from app.models.happening import Happening
from app.models.mail import ERROR_CLASSES
from app.models.types import EncryptedText
from app.models.user import User

TEXT_CHANNELS = (SMS, CHAT)
QUEUED, SENDING, DEFERRED, SENT, FAILED, SUPPRESSED, CANCELLED, UNCERTAIN = (
    "queued",
    "sending",
    "deferred",
    "sent",
    "failed",
    "suppressed",
    "cancelled",
    "uncertain",
)
CHANNEL_STATUSES = (QUEUED, SENDING, DEFERRED, SENT, FAILED, SUPPRESSED, CANCELLED, UNCERTAIN)
DEFAULT_TRIES = 3


class ChannelService(Base):
    """A service for SMS or chat, as an Apprise URL with `{to}` where the recipient belongs. The URL is a secret."""

    __tablename__ = "channel_services"
    __table_args__ = (
        CheckConstraint(one_of("channel", TEXT_CHANNELS), name="channel"),
        CheckConstraint("max_attempts BETWEEN 1 AND 20", name="max_attempts"),
    )

    id: Mapped[BigId]
    name: Mapped[str] = mapped_column(String(32), unique=True)
    channel: Mapped[str] = mapped_column(String(8))
    url: Mapped[str | None] = mapped_column(EncryptedText)
    is_enabled: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    # How often a message is tried before it has failed.
    max_attempts: Mapped[int] = mapped_column(SmallInteger, default=DEFAULT_TRIES, server_default="3")
    created_at: Mapped[CreatedAt]


class ChannelMessage(Base):
    """One SMS or chat message to one user; what becomes of it is nothing to his mail or his notification."""

    __tablename__ = "channel_messages"
    __table_args__ = (
        CheckConstraint(one_of("channel", TEXT_CHANNELS), name="channel"),
        CheckConstraint(one_of("status", CHANNEL_STATUSES), name="status"),
        CheckConstraint(one_of("error_class", ERROR_CLASSES), name="error_class"),
        CheckConstraint("(status = 'sending') = (claim IS NOT NULL)", name="claim"),
        CheckConstraint("(status = 'sending') = (lease_until IS NOT NULL)", name="lease"),
        # What the next claim of a channel takes, in the order in which it takes it.
        Index(
            "ix_channel_messages_due",
            "channel",
            "next_attempt_at",
            "id",
            # For counting them without a look at the table.
            postgresql_include=["status"],
            postgresql_where=text("status IN ('queued', 'deferred')"),
        ),
        Index("ix_channel_messages_lease", "lease_until", postgresql_where=text("status = 'sending'")),
        Index("ix_channel_messages_uncertain", "next_attempt_at", postgresql_where=text("status = 'uncertain'")),
        # For counting those that are over, and for finding the old ones.
        Index(
            "ix_channel_messages_over",
            "status",
            "channel",
            "time",
            postgresql_where=text("status IN ('sent', 'failed', 'suppressed', 'cancelled')"),
        ),
        Index(
            "uq_channel_messages_happening",
            "happening_id",
            "user_id",
            "channel",
            unique=True,
            postgresql_where=text("happening_id IS NOT NULL"),
        ),
        Index("ix_channel_messages_user_id", "user_id"),
    )

    id: Mapped[BigId]
    happening_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("happenings.id", ondelete="SET NULL"))
    user_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="CASCADE"))
    channel: Mapped[str] = mapped_column(String(8))
    recipient: Mapped[str] = mapped_column(String(255))
    action: Mapped[str] = mapped_column(String(255))
    title: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    time: Mapped[datetime] = mapped_column(default=utc_now, server_default=func.now())
    status: Mapped[str] = mapped_column(String(16), default=QUEUED, server_default=QUEUED)
    attempts: Mapped[int] = mapped_column(SmallInteger, default=0, server_default="0")
    next_attempt_at: Mapped[datetime] = mapped_column(default=utc_now, server_default=func.now())
    claim: Mapped[str | None] = mapped_column(UUID(as_uuid=False))
    lease_until: Mapped[datetime | None]
    # The name of the service that took it, or was tried last.
    service: Mapped[str | None] = mapped_column(String(32))
    error_class: Mapped[str | None] = mapped_column(String(16))
    last_error: Mapped[str | None] = mapped_column(Text)
    sent_at: Mapped[datetime | None]

    user: Mapped[User | None] = relationship()
    happening: Mapped[Happening | None] = relationship()
    events: Mapped[list[ChannelMessageEvent]] = relationship(order_by="ChannelMessageEvent.id", viewonly=True)


class ChannelMessageEvent(Base):
    """One entry of the timeline of an SMS or chat message."""

    __tablename__ = "channel_message_events"
    __table_args__ = (Index("ix_channel_message_events_message_id", "message_id", "id"),)

    id: Mapped[BigId]
    message_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("channel_messages.id", ondelete="CASCADE"))
    time: Mapped[datetime] = mapped_column(default=utc_now, server_default=func.now())
    event: Mapped[str] = mapped_column(String(16))
    service: Mapped[str | None] = mapped_column(String(32))
    text: Mapped[str | None] = mapped_column(Text)
