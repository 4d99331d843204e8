"""What a happening of these tests says, and whom it has told."""

from __future__ import annotations

from sqlalchemy import select

from app.happenings.telling.fanout import work_on
from app.models import Happening, Mail, Notification, User, db

TYPE = "sessions.session.rescheduled"
TITLE, MESSAGE = "A session has moved", "<p>It begins at <strong>ten</strong>.</p>"


def told(happening: Happening) -> list[int]:
    """The ids of those who have a notification of it."""
    ids = select(Notification.user_id).where(Notification.happening_id == happening.id)
    return sorted(db.session.scalars(ids))


def mailed(happening: Happening) -> list[str]:
    """The addresses that a mail of it is for."""
    return sorted(db.session.scalars(select(Mail.recipient).where(Mail.happening_id == happening.id)))


def ids_of(users: list[User]) -> list[int]:
    """Their ids, in order."""
    return sorted(user.id for user in users)


def finish(happening: Happening) -> None:
    """Tell all who are left, as a worker would."""
    while work_on(happening.id, 60):
        continue
