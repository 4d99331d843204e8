"""The one row of settings that admins change while the server runs."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from sqlalchemy import CheckConstraint, Integer, Numeric, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, one_of
from app.models.types import EncryptedText

SETTING_ID: Final = 1
SMTP: Final = "smtp"
EMAIL_SERVICES = (SMTP, "sendgrid", "disable")
# Open Event's admin pages write the spellings with hyphens; both are taken, and read back as they were written.
SMTP_ENCRYPTIONS = ("tls", "ssl", "tls_optional", "tls-optional", "none", "no-encryption")
# What becomes of a mail that a server may have taken: tried again (and it may arrive twice), or held for an operator.
RETRY, HOLD = "retry", "hold"
UNCERTAIN_MAILS = (RETRY, HOLD)


class Setting(Base):
    """The settings; the check keeps them one row."""

    __tablename__ = "settings"
    __table_args__ = (
        CheckConstraint(f"id = {SETTING_ID}", name="one_row"),
        CheckConstraint(one_of("email_service", EMAIL_SERVICES), name="email_service"),
        CheckConstraint(one_of("smtp_encryption", SMTP_ENCRYPTIONS), name="smtp_encryption"),
        CheckConstraint("smtp_port BETWEEN 1 AND 65535", name="smtp_port"),
        CheckConstraint("mails_per_second > 0", name="mails_per_second"),
        CheckConstraint("mails_per_day > 0", name="mails_per_day"),
        CheckConstraint(one_of("uncertain_mails", UNCERTAIN_MAILS), name="uncertain_mails"),
        CheckConstraint("mail_body_days BETWEEN 1 AND 36500", name="mail_body_days"),
        CheckConstraint("mail_days BETWEEN 1 AND 36500", name="mail_days"),
        CheckConstraint("mail_problem_days BETWEEN 1 AND 36500", name="mail_problem_days"),
        CheckConstraint("order_expiry_time BETWEEN 1 AND 43200", name="order_expiry_time"),
        CheckConstraint("service_fee BETWEEN 0 AND 100", name="service_fee"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False, default=SETTING_ID)
    app_name: Mapped[str] = mapped_column(String(255), default="Usher", server_default="Usher")
    frontend_url: Mapped[str | None] = mapped_column(String(500))
    email_service: Mapped[str] = mapped_column(String(16), default="smtp", server_default="smtp")
    email_from: Mapped[str] = mapped_column(
        String(254), default="noreply@example.org", server_default="noreply@example.org"
    )
    email_from_name: Mapped[str | None] = mapped_column(String(255))
    sendgrid_key: Mapped[str | None] = mapped_column(EncryptedText)
    smtp_host: Mapped[str | None] = mapped_column(String(255))
    smtp_port: Mapped[int | None] = mapped_column(Integer)
    smtp_username: Mapped[str | None] = mapped_column(String(255))
    smtp_password: Mapped[str | None] = mapped_column(EncryptedText)
    smtp_encryption: Mapped[str] = mapped_column(String(16), default="tls", server_default="tls")
    # What the service takes from us at most; None, there is no limit.
    mails_per_second: Mapped[int | None] = mapped_column(Integer)
    mails_per_day: Mapped[int | None] = mapped_column(Integer)
    # The public key that SendGrid signs its events with: base64 of its DER form, as SendGrid shows it.
    sendgrid_webhook_key: Mapped[str | None] = mapped_column(Text)
    uncertain_mails: Mapped[str] = mapped_column(String(8), default=RETRY, server_default=RETRY)
    # Days after which a mail that is over loses its body, and its row: of those that arrived, and of all others. None
    # keeps them for ever.
    mail_body_days: Mapped[int | None] = mapped_column(Integer, default=90, server_default="90")
    mail_days: Mapped[int | None] = mapped_column(Integer, default=365, server_default="365")
    mail_problem_days: Mapped[int | None] = mapped_column(Integer, default=730, server_default="730")
    # Minutes after which an order that was not completed expires.
    order_expiry_time: Mapped[int] = mapped_column(Integer, default=15, server_default="15")
    # The platform's share of ticket sales, in percent; with 0 no event gets an invoice.
    service_fee: Mapped[Decimal] = mapped_column(Numeric(5, 2), default=Decimal(0), server_default="0")
