"""Telling many: who is still to be told of a happening, in parts that any worker can take."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, BigId, CreatedAt, JsonObject, one_of
from app.models.happening import Happening

# `waiting`: its audience is not yet in parts. `telling`: some parts are left.
WAITING, TELLING, TOLD, RECALLED = "waiting", "telling", "told", "recalled"
FANOUT_STATES = (WAITING, TELLING, TOLD, RECALLED)


class Fanout(Base):
    """How far a happening was told to a large audience."""

    __tablename__ = "fanouts"
    __table_args__ = (
        CheckConstraint(one_of("state", FANOUT_STATES), name="state"),
        Index("ix_fanouts_open", "happening_id", postgresql_where=text("state IN ('waiting', 'telling')")),
        # Those that are not yet taken back from everybody.
        Index(
            "ix_fanouts_recalled",
            "happening_id",
            postgresql_where=text("state = 'recalled' AND finished_at IS NULL"),
        ),
    )

    happening_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("happenings.id", ondelete="CASCADE"), primary_key=True
    )
    state: Mapped[str] = mapped_column(String(8), default=WAITING, server_default=WAITING)
    # How to find the audience (see app/happenings/audience.py); None: it is in the parts already.
    audience: Mapped[JsonObject | None] = mapped_column(JSONB(none_as_null=True))
    # How many are to be told, how many were, and what was made for them.
    recipients: Mapped[int | None] = mapped_column(BigInteger)
    done: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    notifications: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    mails: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    created_at: Mapped[CreatedAt]
    # When a worker last began with it or told a part; None: none has come yet.
    worked_at: Mapped[datetime | None]
    # When all were told, or, if it was recalled, when it was taken back from all.
    finished_at: Mapped[datetime | None]
    # How far a recall has come: what it takes back now, and from whom it has done so (see recall.py).
    taken_back: Mapped[JsonObject | None] = mapped_column(JSONB(none_as_null=True))

    happening: Mapped[Happening] = relationship(innerjoin=True)


class FanoutPart(Base):
    """Some thousands of people who are still to be told; the row goes in the transaction that tells them."""

    __tablename__ = "fanout_parts"
    __table_args__ = (Index("ix_fanout_parts_happening_id", "happening_id", "id"),)

    id: Mapped[BigId]
    happening_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("fanouts.happening_id", ondelete="CASCADE"))
    user_ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
