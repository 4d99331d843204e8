"""How far users have seen their inboxes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class NotificationMarker(Base):
    """One user's marker: he has seen the notifications up to this one, whether or not he has read them."""

    __tablename__ = "notification_markers"

    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    # No foreign key: it stays a mark in the order of the inbox when the notification itself is gone.
    seen_id: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    seen_at: Mapped[datetime | None]
    # Goes up with every change, so that two devices do not set it back.
    version: Mapped[int] = mapped_column(default=0, server_default="0")
