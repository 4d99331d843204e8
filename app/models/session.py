"""Sessions proposed to an event, and the speakers who give them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, String, Table, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, BigId, CreatedAt, one_of
from app.models.event import Event
from app.models.user import User

PENDING, ACCEPTED, CONFIRMED, REJECTED, CANCELED, WITHDRAWN = (
    "pending",
    "accepted",
    "confirmed",
    "rejected",
    "canceled",
    "withdrawn",
)
SESSION_STATES = (PENDING, ACCEPTED, CONFIRMED, REJECTED, CANCELED, WITHDRAWN)

speakers_sessions = Table(
    "speakers_sessions",
    Base.metadata,
    Column("session_id", BigInteger, ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
    Column("speaker_id", BigInteger, ForeignKey("speakers.id", ondelete="CASCADE"), primary_key=True),
    Index("ix_speakers_sessions_speaker_id", "speaker_id"),
)


class Speaker(Base):
    """A person who speaks at an event; `user` is the account that looks after this entry, if there is one."""

    __tablename__ = "speakers"
    __table_args__ = (
        Index("ix_speakers_email_lower", func.lower(text("email"))),
        Index("ix_speakers_event_id", "event_id"),
        Index("ix_speakers_user_id", "user_id"),
    )

    id: Mapped[BigId]
    name: Mapped[str] = mapped_column(String(500))
    email: Mapped[str | None] = mapped_column(String(254))
    organisation: Mapped[str | None] = mapped_column(String(500))
    country: Mapped[str | None] = mapped_column(String(255))
    event_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("events.id", ondelete="CASCADE"))
    user_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[CreatedAt]
    deleted_at: Mapped[datetime | None]

    event: Mapped[Event] = relationship()
    user: Mapped[User | None] = relationship()
    sessions: Mapped[list[Session]] = relationship(secondary=speakers_sessions, back_populates="speakers")


class Session(Base):
    """A talk, a workshop, a panel; proposed as pending, then accepted or rejected by the event's team."""

    __tablename__ = "sessions"
    __table_args__ = (
        CheckConstraint(one_of("state", SESSION_STATES), name="state"),
        CheckConstraint("ends_at >= starts_at", name="ends_after_start"),
        Index("ix_sessions_event_id_state", "event_id", "state"),
    )

    id: Mapped[BigId]
    title: Mapped[str] = mapped_column(String(500))
    short_abstract: Mapped[str | None] = mapped_column(Text)
    starts_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    state: Mapped[str] = mapped_column(String(16), default=PENDING, server_default=PENDING)
    event_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("events.id", ondelete="CASCADE"))
    created_at: Mapped[CreatedAt]
    deleted_at: Mapped[datetime | None]

    event: Mapped[Event] = relationship()
    speakers: Mapped[list[Speaker]] = relationship(
        secondary=speakers_sessions, back_populates="sessions", order_by=Speaker.id
    )
