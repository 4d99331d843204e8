"""Addresses that mail is not sent to any more, and those that are on the way there."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, SmallInteger, String, Text, func
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, BigId, CreatedAt, one_of, utc_now
from app.models.mail import Mail
from app.models.user import User

HARD_BOUNCE, SOFT_BOUNCES, COMPLAINT, MANUAL = "hard-bounce", "soft-bounces", "complaint", "manual"
SUPPRESSION_REASONS: Final = (HARD_BOUNCE, SOFT_BOUNCES, COMPLAINT, MANUAL)


class Suppression(Base):
    """An address that no mail goes to, and why. It is stored in lower case."""

    __tablename__ = "suppressions"
    __table_args__ = (
        CheckConstraint(one_of("reason", SUPPRESSION_REASONS), name="reason"),
        CheckConstraint("address = lower(address)", name="address"),
    )

    id: Mapped[BigId]
    address: Mapped[str] = mapped_column(String(254), unique=True)
    reason: Mapped[str] = mapped_column(String(16))
    # The words of the server that refused, or of the admin.
    text: Mapped[str | None] = mapped_column(Text)
    mail_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("mails.id", ondelete="SET NULL"), index=True)
    # The admin who added it by hand.
    user_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[CreatedAt]

    mail: Mapped[Mail | None] = relationship()
    user: Mapped[User | None] = relationship()


class SoftBounce(Base):
    """How often in a row mail to an address came back for a reason that may pass; a delivery forgets it."""

    __tablename__ = "soft_bounces"

    address: Mapped[str] = mapped_column(String(254), primary_key=True)
    count: Mapped[int] = mapped_column(SmallInteger)
    last_at: Mapped[datetime] = mapped_column(default=utc_now, server_default=func.now())
    text: Mapped[str | None] = mapped_column(Text)
