"""The services that mail goes through when the one of the settings cannot take it."""

from __future__ import annotations

from typing import Final

from sqlalchemy import CheckConstraint, Integer, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, BigId, one_of
from app.models.setting import SMTP, SMTP_ENCRYPTIONS
from app.models.types import EncryptedText

SENDGRID: Final = "sendgrid"
SERVICE_KINDS: Final = (SMTP, SENDGRID)
# What the settings' own service is called in the timeline, the metrics and Redis.
OWN_NAMES: Final = (SMTP, SENDGRID, "disable")


class MailService(Base):
    """A further service. The settings' own is the first; these follow in the order of `position`.

    The columns bear the names of the settings' own, so that one function reads both.
    """

    __tablename__ = "mail_services"
    __table_args__ = (
        CheckConstraint(one_of("email_service", SERVICE_KINDS), name="email_service"),
        CheckConstraint(one_of("smtp_encryption", SMTP_ENCRYPTIONS), name="smtp_encryption"),
        CheckConstraint("smtp_port BETWEEN 1 AND 65535", name="smtp_port"),
        CheckConstraint("mails_per_second > 0", name="mails_per_second"),
        CheckConstraint("mails_per_day > 0", name="mails_per_day"),
        CheckConstraint(f"name NOT IN {OWN_NAMES}", name="name"),
    )

    id: Mapped[BigId]
    name: Mapped[str] = mapped_column(String(32), unique=True)
    position: Mapped[int] = mapped_column(SmallInteger, default=1, server_default="1")
    is_enabled: Mapped[bool] = mapped_column(default=True, server_default="true")
    email_service: Mapped[str] = mapped_column(String(16), default=SMTP, server_default=SMTP)
    sendgrid_key: Mapped[str | None] = mapped_column(EncryptedText)
    smtp_host: Mapped[str | None] = mapped_column(String(255))
    smtp_port: Mapped[int | None] = mapped_column(Integer)
    smtp_username: Mapped[str | None] = mapped_column(String(255))
    smtp_password: Mapped[str | None] = mapped_column(EncryptedText)
    smtp_encryption: Mapped[str] = mapped_column(String(16), default="tls", server_default="tls")
    # What it takes from us at most; None, there is no limit.
    mails_per_second: Mapped[int | None] = mapped_column(Integer)
    mails_per_day: Mapped[int | None] = mapped_column(Integer)
