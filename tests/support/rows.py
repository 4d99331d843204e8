"""What the tables hold, in the words of the tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event, func, select

from app.models import Activity, Happening, Mail, Notification, User, db


def mailed(action: str) -> list[str]:
    """The recipients of an action's mails, in the order of the alphabet; one who got two is there twice."""
    return sorted(db.session.scalars(select(Mail.recipient).where(Mail.action == action)), key=str.lower)


def notified(action: str) -> list[str]:
    """The addresses of the users whom an action's notifications are for, likewise."""
    statement = select(User.email).join(Notification, Notification.user_id == User.id).join(Notification.happening)
    return sorted(db.session.scalars(statement.where(Happening.action == action)))


def count(model: Any) -> int:
    """How many rows a table has."""
    return db.session.scalar(select(func.count()).select_from(model)) or 0


def token_for(recipient: str, action: str) -> str:
    """The token in the link of the newest mail of an action to somebody."""
    newest = select(Mail.secret).where(Mail.action == action, Mail.recipient == recipient).order_by(Mail.id.desc())
    found = re.search(r"token=([^&]+)$", db.session.scalars(newest).first() or "")
    assert found, f"no link to {recipient} for {action}"
    return found[1]


def activities() -> list[str]:
    """The sentences of the activity log, the oldest first."""
    return list(db.session.scalars(select(Activity.action).order_by(Activity.id)))


def notify(user: User, title: str = "News", action: str = "Test", **more: Any) -> Notification:
    """A notification made straight in the table; what is not given is as the table has it by default."""
    happening = Happening(action=action, title=title, message=more.pop("message", f"<b>{title}</b>"))
    notification = Notification(user=user, happening=happening, **more)
    db.session.add(notification)
    db.session.commit()
    return notification


@contextmanager
def statements() -> Iterator[list[str]]:
    """The SQL statements that run within the block."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
