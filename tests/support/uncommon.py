"""Mails that are in whatever status a test needs, made straight in the table."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

from app.models import Mail, db
from app.models.base import utc_now
from app.models.mail import SENDING, SENT


def mail_that_is(status: str, **columns: Any) -> int:
    """The id of a committed mail of this status; `columns` are those that matter to the test."""
    needed: dict[str, Any] = {}
    if status == SENDING:
        needed = {"claim": str(uuid4()), "lease_until": utc_now() + timedelta(hours=1)}
    if status == SENT:
        needed = {"sent_at": utc_now()}
    texts = {"subject": "Hello", "message": "<p>Hello</p>", "text": "Hello"}
    values = {"recipient": "ana@example.org", "action": "Test", **texts, **needed, **columns}
    mail = Mail(status=status, message_id=f"{uuid4().hex}@example.org", **values)
    db.session.add(mail)
    db.session.commit()
    return mail.id
