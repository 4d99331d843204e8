"""Invitations: to a role on an event, and to send papers to it."""

from __future__ import annotations

import secrets
from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, BigId, CreatedAt, one_of
from app.models.event import COORGANIZER, MODERATOR, ORGANIZER, TRACK_ORGANIZER, Event
from app.models.user import User

PENDING, ACCEPTED, DECLINED = "pending", "accepted", "declined"
INVITE_STATUSES = (PENDING, ACCEPTED, DECLINED)
# An event has one owner, who made it: nobody is invited to that.
INVITED_ROLES = (ORGANIZER, COORGANIZER, TRACK_ORGANIZER, MODERATOR)

PUBLIC, PRIVATE = "public", "private"
PRIVACIES = (PUBLIC, PRIVATE)


class RoleInvite(Base):
    """An address is asked to take a role on an event; whoever holds it says yes or no."""

    __tablename__ = "role_invites"
    __table_args__ = (
        CheckConstraint(one_of("role_name", INVITED_ROLES), name="role_name"),
        CheckConstraint(one_of("status", INVITE_STATUSES), name="status"),
        # One open question at a time; after a no, one may ask again.
        Index(
            "uq_role_invites_open",
            "event_id",
            func.lower(text("email")),
            "role_name",
            unique=True,
            postgresql_where=text("status = 'pending'"),
        ),
        Index("ix_role_invites_email_lower", func.lower(text("email"))),
    )

    id: Mapped[BigId]
    email: Mapped[str] = mapped_column(String(254))
    role_name: Mapped[str] = mapped_column(String(32))
    status: Mapped[str] = mapped_column(String(16), default=PENDING, server_default=PENDING)
    event_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("events.id", ondelete="CASCADE"))
    created_at: Mapped[CreatedAt]
    answered_at: Mapped[datetime | None]

    event: Mapped[Event] = relationship()


class SpeakersCall(Base):
    """The call for papers of an event: when proposals are taken, and whether everybody sees that they are."""

    __tablename__ = "speakers_calls"
    __table_args__ = (
        CheckConstraint(one_of("privacy", PRIVACIES), name="privacy"),
        CheckConstraint("ends_at >= starts_at", name="ends_after_start"),
    )

    id: Mapped[BigId]
    announcement: Mapped[str] = mapped_column(Text)
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    privacy: Mapped[str] = mapped_column(String(16), default=PUBLIC, server_default=PUBLIC)
    hash: Mapped[str] = mapped_column(String(32), unique=True, default=lambda: secrets.token_hex(16))
    event_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("events.id", ondelete="CASCADE"), unique=True)
    created_at: Mapped[CreatedAt]

    event: Mapped[Event] = relationship()


class PaperInvite(Base):
    """Somebody was asked to propose a session; asked once for each call."""

    __tablename__ = "paper_invites"
    __table_args__ = (Index("uq_paper_invites_email", "speakers_call_id", func.lower(text("email")), unique=True),)

    id: Mapped[BigId]
    email: Mapped[str] = mapped_column(String(254))
    speakers_call_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("speakers_calls.id", ondelete="CASCADE"))
    inviter_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="SET NULL"), index=True)
    created_at: Mapped[CreatedAt]

    speakers_call: Mapped[SpeakersCall] = relationship()
    inviter: Mapped[User | None] = relationship()
