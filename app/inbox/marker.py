"""How far a user has seen the inbox: a mark that only moves forward, by whoever knows where it is."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from app.inbox.unread import capped_count, inbox
from app.models import Notification, NotificationMarker, db
from app.models.base import utc_now


class OutdatedError(ValueError):
    """The marker was moved in the meantime; `marker` is as it is now."""

    def __init__(self, marker: NotificationMarker) -> None:
        super().__init__(f"The marker was moved in the meantime: its version is {marker.version}.")
        self.marker = marker


class MarkError(ValueError):
    """The marker cannot be moved there; the message says why."""


def read_marker(user_id: int) -> NotificationMarker:
    """A user's marker; of one who has not seen any, a new one that is not in the session."""
    found = db.session.get(NotificationMarker, user_id)
    return NotificationMarker(user_id=user_id, seen_id=0, version=0) if found is None else found


def seen_up_to(user_id: int) -> int:
    """The id of the newest notification that the user has seen; 0 if none was."""
    statement = select(NotificationMarker.seen_id).where(NotificationMarker.user_id == user_id)
    return db.session.scalar(statement) or 0


def unseen_count(marker: NotificationMarker) -> int | str:
    """How many notifications are newer than the marker, counted to 99."""
    return capped_count(inbox(marker.user_id), Notification.id > marker.seen_id)


def move_marker(user_id: int, seen_id: int, version: int) -> NotificationMarker:
    """Move the marker to one of the user's notifications, in the caller's transaction.

    Args:
        user_id: whose.
        seen_id: the newest notification that was seen; one that its owner has removed meanwhile is as good.
        version: the marker's, as the caller knows it.

    Raises:
        OutdatedError: it has another version now.
        MarkError: there is no such notification, or it is older than the marker.
    """
    db.session.execute(insert(NotificationMarker).values(user_id=user_id).on_conflict_do_nothing())
    marker = db.session.get_one(NotificationMarker, user_id, with_for_update=True, populate_existing=True)
    if marker.version != version:
        raise OutdatedError(marker)
    mine = select(Notification.id).where(Notification.id == seen_id, Notification.user_id == user_id)
    if db.session.scalar(mine) is None:
        raise MarkError(f"There is no notification with the id {seen_id} in this inbox.")
    if seen_id < marker.seen_id:
        raise MarkError(f"The marker only moves forward: it is at {marker.seen_id} already.")
    if seen_id > marker.seen_id:
        marker.seen_id, marker.seen_at, marker.version = seen_id, utc_now(), marker.version + 1
    return marker
