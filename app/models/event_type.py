"""The kinds of happenings that may be told of: each is declared once."""

from __future__ import annotations

from typing import Final

from sqlalchemy import CheckConstraint, String, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, BigId, CreatedAt, one_of

# The ways to a person. The inbox of the app is the only one that everybody has.
IN_APP, MAIL, SMS, CHAT = "in-app", "mail", "sms", "chat"
CHANNELS = (IN_APP, MAIL, SMS, CHAT)
# Where a type was declared: in the program, which writes its rows with every `db upgrade`, or over the API.
CODE, API = "code", "api"
ORIGINS: Final = (CODE, API)


class EventTypeRow(Base):
    """A declared type, so that clients can list them and admins can add some; the program's are written by it."""

    __tablename__ = "event_types"
    __table_args__ = (
        CheckConstraint(one_of("origin", ORIGINS), name="origin"),
        CheckConstraint(f"channels <@ ARRAY[{', '.join(repr(name) for name in CHANNELS)}]", name="channels"),
    )

    id: Mapped[BigId]
    name: Mapped[str] = mapped_column(String(255), unique=True)
    title: Mapped[str] = mapped_column(String(255))
    description: Mapped[str | None] = mapped_column(Text)
    # The channels that tell of it where neither the admins nor the user say otherwise.
    channels: Mapped[list[str]] = mapped_column(ARRAY(Text), default=lambda: [IN_APP], server_default="{in-app}")
    # Told whatever the admins and the user have switched off.
    is_critical: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    # Whether users may follow it by themselves; if not, only those who are named are told.
    is_listenable: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    origin: Mapped[str] = mapped_column(String(8), default=API, server_default=API)
    created_at: Mapped[CreatedAt]
