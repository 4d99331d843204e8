"""The admin's switches: for each action, whether it sends mails and notifications."""

from __future__ import annotations

from sqlalchemy import String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, BigId
from app.models.event_type import EventTypeRow


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

    # The type of this name, for the rows of those that have no texts of their own.
    declared: Mapped[EventTypeRow | None] = relationship(
        primaryjoin="foreign(MessageSettings.action) == EventTypeRow.name", uselist=False, viewonly=True
    )
