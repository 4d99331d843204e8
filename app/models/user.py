"""People who can log in."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Index, String, func, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, BigId, CreatedAt

if TYPE_CHECKING:
    from app.models.suppression import Suppression


class User(Base):
    """An account. The address is unique without regard to case (RFC 5321 lets case matter; no provider does)."""

    __tablename__ = "users"
    __table_args__ = (
        Index("uq_users_email_lower", func.lower(text("email")), unique=True),
        Index("ix_users_tokens_ended_at", "tokens_ended_at", postgresql_where=text("tokens_ended_at IS NOT NULL")),
        # Of ten thousand who are told, the few who have said how.
        Index("ix_users_has_preferences", "id", postgresql_where=text("has_preferences")),
    )

    id: Mapped[BigId]
    email: Mapped[str] = mapped_column(String(254))
    password_hash: Mapped[str] = mapped_column(String(255), default="", server_default="")
    first_name: Mapped[str | None] = mapped_column(String(255))
    last_name: Mapped[str | None] = mapped_column(String(255))
    language: Mapped[str] = mapped_column(String(35), default="en", server_default="en")
    timezone: Mapped[str] = mapped_column(String(64), default="UTC", server_default="UTC")
    is_admin: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    is_verified: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    # Part of every login token: raising it ends all the tokens given out before.
    token_version: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    # The address that the user wants in place of `email`; it counts once the link sent to it was followed.
    new_email: Mapped[str | None] = mapped_column(String(254))
    # When the tokens given out before were ended: the realtime gateway, which has no database, is told of it.
    tokens_ended_at: Mapped[datetime | None]
    # Where SMS (E.164) and chat messages go.
    phone: Mapped[str | None] = mapped_column(String(32))
    chat_address: Mapped[str | None] = mapped_column(String(255))
    # Whether there are rows in `preferences` or `delivery_hours`: nearly nobody has any, and telling asks for all.
    has_preferences: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    was_registered_with_order: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    created_at: Mapped[CreatedAt]
    deleted_at: Mapped[datetime | None]

    # Why no mail is sent to the address, or to the one that is to be the new one, if none is.
    suppression: Mapped[Suppression | None] = relationship(
        primaryjoin="func.lower(User.email) == foreign(Suppression.address)", uselist=False, viewonly=True
    )
    new_suppression: Mapped[Suppression | None] = relationship(
        primaryjoin="func.lower(User.new_email) == foreign(Suppression.address)", uselist=False, viewonly=True
    )
