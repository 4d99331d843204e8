"""The log of who did what, for admins."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, Text, desc, func
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, BigId, utc_now


class Activity(Base):
    """One rendered sentence about one deed."""

    __tablename__ = "activities"
    __table_args__ = (Index("ix_activities_time", desc("time"), desc("id")),)

    id: Mapped[BigId]
    actor: Mapped[str] = mapped_column(Text)
    time: Mapped[datetime] = mapped_column(default=utc_now, server_default=func.now())
    action: Mapped[str] = mapped_column(Text)
