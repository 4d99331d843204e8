"""What happened, once, however many people are told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.associationproxy import AssociationProxy, association_proxy
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, BigId, CreatedAt, JsonObject
from app.models.event import Event
from app.models.session import Session
from app.models.user import User

if TYPE_CHECKING:
    from app.models.fanout import Fanout


class Happening(Base):
    """One thing that happened; its notifications and mails point here, so the text is stored once."""

    __tablename__ = "happenings"
    __table_args__ = (
        Index("ix_happenings_event_id", "event_id", postgresql_where=text("event_id IS NOT NULL")),
        Index("ix_happenings_actor_id", "actor_id", postgresql_where=text("actor_id IS NOT NULL")),
        Index("ix_happenings_session_id", "session_id", postgresql_where=text("session_id IS NOT NULL")),
        Index("ix_happenings_group_key", "group_key", postgresql_where=text("group_key IS NOT NULL")),
    )

    id: Mapped[BigId]
    # An action in Open Event's words, or the type.
    action: Mapped[str] = mapped_column(String(255))
    # The declared type (`sessions.session.decided`); None for an action of somebody's own.
    event_type: Mapped[str | None] = mapped_column(String(255))
    title: Mapped[str] = mapped_column(Text)
    message: Mapped[str] = mapped_column(Text)
    link: Mapped[str | None] = mapped_column(Text)
    data: Mapped[JsonObject | None] = mapped_column(JSONB)
    actor_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="SET NULL"))
    event_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("events.id", ondelete="SET NULL"))
    session_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("sessions.id", ondelete="SET NULL"))
    # What it is about in another application, as that application calls it.
    subject: Mapped[str | None] = mapped_column(String(255))
    # Happenings with the same key are one line in a grouped inbox.
    group_key: Mapped[str | None] = mapped_column(String(255))
    # Who was to be told, and what every channel did for those who had said nothing (app/happenings/deciding/plan.py).
    plan: Mapped[JsonObject | None] = mapped_column(JSONB(none_as_null=True))
    created_at: Mapped[CreatedAt]

    actor: Mapped[User | None] = relationship()
    event: Mapped[Event | None] = relationship()
    session: Mapped[Session | None] = relationship()
    # How far it was told; there is none for what is told to one person at a time.
    fanout: Mapped[Fanout | None] = relationship(
        primaryjoin="Happening.id == foreign(Fanout.happening_id)", uselist=False, viewonly=True
    )

    recipients: AssociationProxy[int | None] = association_proxy("fanout", "recipients")
    told: AssociationProxy[int | None] = association_proxy("fanout", "done")
    state: AssociationProxy[str | None] = association_proxy("fanout", "state")
