"""Broadcasts: what an admin or an organizer tells many people at once."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    String,
    Text,
    and_,
    case,
    exists,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, BigId, CreatedAt, one_of
from app.models.event import Event
from app.models.fanout import TELLING, WAITING, Fanout
from app.models.happening import Happening
from app.models.mail import MailBatch
from app.models.user import User

# `sent` is never stored: it is what is shown of one that is `sending` when all have been told.
DRAFT, SENDING, SENT, RECALLED = "draft", "sending", "sent", "recalled"
BROADCAST_STATES = (DRAFT, SENDING, SENT, RECALLED)
EVERYONE, ROLES, SPEAKERS, TICKET_HOLDERS = "everyone", "roles", "speakers", "ticket-holders"
AUDIENCES = (EVERYONE, ROLES, SPEAKERS, TICKET_HOLDERS)


class Broadcast(Base):
    """A message to everyone, or to the people of one event; a draft until it is sent, and then a happening."""

    __tablename__ = "broadcasts"
    __table_args__ = (
        CheckConstraint(one_of("state", BROADCAST_STATES), name="state"),
        CheckConstraint(one_of("audience", AUDIENCES), name="audience"),
        CheckConstraint("(audience = 'everyone') = (event_id IS NULL)", name="event"),
        CheckConstraint("(audience = 'roles') = (roles <> '{}')", name="roles"),
        CheckConstraint("(state = 'draft') = (sent_at IS NULL)", name="sent_at"),
        CheckConstraint("(state = 'recalled') = (recalled_at IS NOT NULL)", name="recalled_at"),
        Index("ix_broadcasts_event_id", "event_id", postgresql_where=text("event_id IS NOT NULL")),
        Index("ix_broadcasts_happening_id", "happening_id", unique=True),
    )

    id: Mapped[BigId]
    title: Mapped[str] = mapped_column(Text)
    message: Mapped[str] = mapped_column(Text)
    link: Mapped[str | None] = mapped_column(Text)
    audience: Mapped[str] = mapped_column(String(16))
    event_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("events.id", ondelete="CASCADE"))
    roles: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list, server_default="{}")
    state: Mapped[str] = mapped_column(String(8), default=DRAFT, server_default=DRAFT)
    user_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="SET NULL"))
    happening_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("happenings.id", ondelete="SET NULL"))
    # The mails of an event's broadcast, which its managers may see.
    batch_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("mail_batches.id", ondelete="SET NULL"))
    # How many it was for when it was sent; None as long as it is a draft.
    recipients: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[CreatedAt]
    sent_at: Mapped[datetime | None]
    recalled_at: Mapped[datetime | None]

    event: Mapped[Event | None] = relationship()
    user: Mapped[User | None] = relationship()
    happening: Mapped[Happening | None] = relationship()
    batch: Mapped[MailBatch | None] = relationship()
    fanout: Mapped[Fanout | None] = relationship(
        primaryjoin="Broadcast.happening_id == foreign(Fanout.happening_id)", uselist=False, viewonly=True
    )

    @property
    def recall_finished_at(self) -> datetime | None:
        """When a recall had come to everybody whom it had been sent to."""
        return self.fanout.finished_at if self.state == RECALLED and self.fanout else None

    @hybrid_property
    def shown_state(self) -> str:
        """The state as people know it: what is `sending` is `sent` once all have been told."""
        is_open = self.fanout is not None and self.fanout.state in (WAITING, TELLING)
        return SENT if self.state == SENDING and not is_open else self.state

    @shown_state.inplace.expression
    @classmethod
    def _shown_state(cls) -> ColumnElement[str]:
        is_open = exists().where(Fanout.happening_id == cls.happening_id, Fanout.state.in_((WAITING, TELLING)))
        return case((and_(cls.state == SENDING, ~is_open), SENT), else_=cls.state)
