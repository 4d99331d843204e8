"""What users follow: a type of happenings, or all of a prefix, everywhere or about one thing."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, BigId, CreatedAt
from app.models.event import Event
from app.models.session import Session
from app.models.user import User

EVERYWHERE: Final = "event_id IS NULL AND session_id IS NULL AND subject IS NULL"


class Listen(Base):
    """One user follows happenings whose type matches `pattern` and, if it names a thing, that are about it."""

    __tablename__ = "listens"
    __table_args__ = (
        # Two listens that say the same are one (NULLS NOT DISTINCT: PostgreSQL 15).
        UniqueConstraint("user_id", "pattern", "event_id", "session_id", "subject", postgresql_nulls_not_distinct=True),
        CheckConstraint("num_nonnulls(event_id, session_id, subject) <= 1", name="one_thing"),
        # Who is to be told: of what is about anything, and about each kind of thing. An index of their own for the
        # first, whose number PostgreSQL then knows.
        Index("ix_listens_everywhere", "pattern", "user_id", postgresql_where=text(EVERYWHERE)),
        Index("ix_listens_subject", "subject", postgresql_where=text("subject IS NOT NULL")),
        Index("ix_listens_event_id", "event_id", postgresql_where=text("event_id IS NOT NULL")),
        Index("ix_listens_session_id", "session_id", postgresql_where=text("session_id IS NOT NULL")),
    )

    id: Mapped[BigId]
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="CASCADE"))
    # A type ("sessions.session.decided"), all below a prefix ("sessions.*"), or all ("*").
    pattern: Mapped[str] = mapped_column(String(255))
    event_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("events.id", ondelete="CASCADE"))
    session_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("sessions.id", ondelete="CASCADE"))
    # A thing of another application, as that application calls it ("forums.post:99").
    subject: Mapped[str | None] = mapped_column(String(255))
    # Whether the user is also told of what he did himself.
    includes_own: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    created_at: Mapped[CreatedAt]

    user: Mapped[User] = relationship()
    event: Mapped[Event | None] = relationship()
    session: Mapped[Session | None] = relationship()
