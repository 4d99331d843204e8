"""The admin's switches: for each action, whether it sends mails and notifications."""

from __future__ import annotations

from sqlalchemy import String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, BigId


class MessageSettings(Base):
    """One row per action; an action without a row is on."""

    __tablename__ = "message_settings"

    id: Mapped[BigId]
    action: Mapped[str] = mapped_column(String(255), unique=True)
    mail_status: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    notification_status: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    sms_status: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    chat_status: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    # Whether a user's preferences count for it.
    user_control_status: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
