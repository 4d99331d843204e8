"""Exports and imports of events: what was asked for, how far it is, and the file."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, BigId, CreatedAt, one_of, utc_now
from app.models.event import Event
from app.models.user import User

EXPORT, IMPORT = "export", "import"
TRANSFER_KINDS = (EXPORT, IMPORT)

QUEUED, RUNNING, SUCCEEDED, FAILED = "queued", "running", "succeeded", "failed"
TRANSFER_STATES = (QUEUED, RUNNING, SUCCEEDED, FAILED)

# How long an export's file can be downloaded.
KEPT: Final = timedelta(days=7)


class Transfer(Base):
    """One export or import. The file is in the database: web and worker share no disk."""

    __tablename__ = "transfers"
    __table_args__ = (
        CheckConstraint(one_of("kind", TRANSFER_KINDS), name="kind"),
        CheckConstraint(one_of("state", TRANSFER_STATES), name="state"),
        CheckConstraint("done BETWEEN 0 AND total", name="progress"),
        Index("ix_transfers_user_id", "user_id"),
        Index("ix_transfers_event_id", "event_id"),
        Index("ix_transfers_open", "id", postgresql_where=text("state IN ('queued', 'running')")),
        Index("ix_transfers_finished_at", "finished_at", postgresql_where=text("content IS NOT NULL")),
    )

    id: Mapped[BigId]
    kind: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16), default=QUEUED, server_default=QUEUED)
    # How many of its sessions, speakers and the like are done.
    done: Mapped[int] = mapped_column(default=0, server_default="0")
    total: Mapped[int] = mapped_column(default=0, server_default="0")
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    error: Mapped[str | None] = mapped_column(Text)
    filename: Mapped[str | None] = mapped_column(String(255))
    # The file: given for an import until it has ended, made by an export and kept for some days.
    content: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="CASCADE"))
    # What is exported, or what came of the import.
    event_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("events.id", ondelete="SET NULL"))
    created_at: Mapped[CreatedAt]
    finished_at: Mapped[datetime | None]

    user: Mapped[User] = relationship()
    event: Mapped[Event | None] = relationship()

    @property
    def progress(self) -> int:
        """How much of it is done, in percent."""
        if self.state == SUCCEEDED:
            return 100
        return 100 * self.done // self.total if self.total else 0

    @property
    def has_file(self) -> bool:
        """Whether it is an export whose file can be downloaded."""
        if self.kind != EXPORT or self.state != SUCCEEDED or self.finished_at is None:
            return False
        return utc_now() < self.finished_at + KEPT
