"""Other programs that may use the API: service accounts, each with one token."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import CheckConstraint, String, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, BigId, CreatedAt

HAPPENINGS_WRITE: Final = "happenings:write"
EVENT_TYPES_WRITE: Final = "event-types:write"
SCOPES = (HAPPENINGS_WRITE, EVENT_TYPES_WRITE)


class ServiceToken(Base):
    """A service account; of its token only a digest is kept."""

    __tablename__ = "service_tokens"
    __table_args__ = (CheckConstraint(f"scopes <@ ARRAY[{', '.join(repr(scope) for scope in SCOPES)}]", name="scopes"),)

    id: Mapped[BigId]
    name: Mapped[str] = mapped_column(String(255), unique=True)
    # SHA-256 of the token, which has 256 random bits: nothing slower is needed to keep it from being guessed.
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
