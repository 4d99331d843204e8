"""How many notifications of an inbox are unread: counted to 99, which takes as long for ten as for a million."""

from __future__ import annotations

from typing import Final

from sqlalchemy import ColumnElement, and_, func, literal, select

from app.models import Notification, db

# The largest number that is counted, and what is said of more.
MOST: Final = 99
MORE: Final = f"{MOST}+"


def inbox(user_id: int) -> ColumnElement[bool]:
    """A user's notifications without those that he has removed, as the indexes of the table know them."""
    return and_(Notification.user_id == user_id, Notification.deleted_at.is_(None))


def unread_count(user_id: int) -> int | str:
    """How many are unread, for the badge: a number, or "99+"."""
    return capped_count(inbox(user_id), ~Notification.is_read)


def capped_count(*conditions: ColumnElement[bool]) -> int | str:
    """How many notifications fulfil the conditions, of which no more than a hundred are looked for."""
    some = select(literal(1)).select_from(Notification).where(*conditions).limit(MOST + 1).subquery()
    return capped(db.session.scalar(select(func.count()).select_from(some)) or 0)


def capped(count: int) -> int | str:
    """A number as badges show it."""
    return count if count <= MOST else MORE
