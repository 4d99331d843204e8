"""Events and the roles that people have on them."""

from __future__ import annotations

import secrets
import string
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, BigId, CreatedAt, one_of
from app.models.user import User

if TYPE_CHECKING:
    from app.models.invite import SpeakersCall

DRAFT, PUBLISHED = "draft", "published"
EVENT_STATES = (DRAFT, PUBLISHED)

OWNER, ORGANIZER, COORGANIZER, TRACK_ORGANIZER, MODERATOR = (
    "owner",
    "organizer",
    "coorganizer",
    "track_organizer",
    "moderator",
)
ROLES = (OWNER, ORGANIZER, COORGANIZER, TRACK_ORGANIZER, MODERATOR)
# Who is told of a new proposal, and who may change or delete the event itself.
ORGANIZERS = (OWNER, ORGANIZER, COORGANIZER)
MANAGERS = (OWNER, ORGANIZER)


def new_identifier() -> str:
    """A short name of an event for its public address: eight letters and digits, not guessable in sequence."""
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(8))


class Event(Base):
    """A conference, a meeting, a concert: what sessions are proposed to."""

    __tablename__ = "events"
    __table_args__ = (
        CheckConstraint(one_of("state", EVENT_STATES), name="state"),
        CheckConstraint("ends_at >= starts_at", name="ends_after_start"),
        # Of which events people are to be reminded.
        Index("ix_events_starts_at", "starts_at", postgresql_where=text("state = 'published' AND deleted_at IS NULL")),
        Index("ix_events_ends_at", "ends_at", postgresql_where=text("state = 'published' AND deleted_at IS NULL")),
    )

    id: Mapped[BigId]
    identifier: Mapped[str] = mapped_column(String(16), unique=True, default=new_identifier)
    name: Mapped[str] = mapped_column(String(500))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    timezone: Mapped[str] = mapped_column(String(64), default="UTC", server_default="UTC")
    location_name: Mapped[str | None] = mapped_column(String(500))
    state: Mapped[str] = mapped_column(String(16), default=DRAFT, server_default=DRAFT)
    created_at: Mapped[CreatedAt]
    deleted_at: Mapped[datetime | None]

    roles: Mapped[list[EventRole]] = relationship(back_populates="event", cascade="all, delete-orphan")
    # To read only: a call is written by itself, and the database lets an event have one.
    speakers_call: Mapped[SpeakersCall | None] = relationship(viewonly=True)


class EventRole(Base):
    """One person's role on one event."""

    __tablename__ = "users_events_roles"
    __table_args__ = (
        UniqueConstraint("user_id", "event_id", "role"),
        CheckConstraint(one_of("role", ROLES), name="role"),
        Index("ix_users_events_roles_event_id_role", "event_id", "role"),
    )

    id: Mapped[BigId]
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="CASCADE"))
    event_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("events.id", ondelete="CASCADE"))
    role: Mapped[str] = mapped_column(String(32))

    user: Mapped[User] = relationship()
    event: Mapped[Event] = relationship(back_populates="roles")
