"""The grouped inbox: happenings with one group key are one line, each other notification is one by itself.

Only the newest notifications are looked at, so that it takes as long for a million as for a thousand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select

from app.inbox.group_words import Told, group_title
from app.inbox.unread import inbox
from app.models import Happening, Notification, User, db

# So many of the newest notifications are grouped.
MOST: Final = 1000
# So many ids of a group are named.
MAX_IDS: Final = 20


@dataclass
class Group:
    """One line: the newest notification comes first."""

    key: str | None
    happening_id: int
    received_at: datetime
    notification_ids: list[int] = field(default_factory=list)
    unread: int = 0
    # Who did it, the newest first, each once; those whom nobody knows are not there.
    actor_ids: dict[int, None] = field(default_factory=dict)

    def add(self, row: Any) -> None:
        """Take one more notification, an older one, into it."""
        self.notification_ids.append(row.id)
        self.unread += not row.is_read
        if row.actor_id is not None:
            self.actor_ids[row.actor_id] = None


def load_groups(user_id: int) -> tuple[list[Group], bool]:
    """A user's groups, that with the newest notification first; and whether older notifications were left out."""
    statement = (
        select(
            Notification.id,
            Notification.is_read,
            Notification.received_at,
            Notification.happening_id,
            Happening.group_key,
            Happening.actor_id,
        )
        .join(Notification.happening)
        .where(inbox(user_id))
        .order_by(Notification.id.desc())
        .limit(MOST + 1)
    )
    rows = db.session.execute(statement).all()
    groups: dict[str | int, Group] = {}
    for row in rows[:MOST]:
        name = row.id if row.group_key is None else row.group_key
        if name not in groups:
            groups[name] = Group(row.group_key, row.happening_id, row.received_at)
        groups[name].add(row)
    return list(groups.values()), len(rows) > MOST


def describe(groups: Sequence[Group], language: str) -> list[tuple[Group, str, str | None]]:
    """The title of each of these groups in this language, and the type of its newest happening."""
    ids = [group.happening_id for group in groups]
    newest = {row.id: row for row in db.session.execute(_HAPPENINGS.where(Happening.id.in_(ids)))}
    names = _names({actor for group in groups for actor in group.actor_ids})
    described = []
    for group in groups:
        happening = newest[group.happening_id]
        known = [actor for actor in group.actor_ids if actor in names]
        told = Told(
            happening.title,
            happening.event_type,
            len(group.notification_ids),
            names[known[0]] if known else None,
            len(group.actor_ids) - 1,
        )
        described.append((group, group_title(told, language), happening.event_type))
    return described


_HAPPENINGS: Final = select(Happening.id, Happening.title, Happening.event_type)


def _names(user_ids: Iterable[int]) -> dict[int, str]:
    """The first names of those who have told one, and are still there."""
    statement = select(User.id, User.first_name).where(User.id.in_(list(user_ids)), User.deleted_at.is_(None))
    return {row.id: row.first_name for row in db.session.execute(statement) if (row.first_name or "").strip()}
