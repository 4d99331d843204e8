"""Answers that were given to requests with an `Idempotency-Key`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Index, SmallInteger, String, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, BigId, CreatedAt


class IdempotencyKey(Base):
    """A request that was carried out, and what was answered: the same request again gets the same answer."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (UniqueConstraint("scope", "key"), Index("ix_idempotency_keys_created_at", "created_at"))

    id: Mapped[BigId]
    # Whose key it is: keys of different users have nothing to do with each other.
    scope: Mapped[str] = mapped_column(String(64))
    key: Mapped[str] = mapped_column(String(255))
    # Of method, address and body, under the server's key: a body may hold a password.
    digest: Mapped[str] = mapped_column(String(64))
    status: Mapped[int] = mapped_column(SmallInteger)
    body: Mapped[Any] = mapped_column(JSONB)
    location: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[CreatedAt]
