"""Marking many notifications read or unread at once: one UPDATE, however many there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from marshmallow import ValidationError
from sqlalchemy import ColumnElement, and_, case, false, func, select, true, update

from app.api.jsonapi.document import read_resources
from app.api.jsonapi.errors import NotFound, Unprocessable
from app.api.jsonapi.fields import Timestamp
from app.api.jsonapi.jsontext import parse_id
from app.api.schema.notifications import NotificationSchema
from app.inbox.changes import READ, RESYNC, note_change
from app.inbox.marker import seen_up_to
from app.inbox.unread import inbox
from app.models import Happening, Notification, db

# Notifications that one request marks at most when it names each.
MAX_MARKED: Final = 1000
# Of so many of them whoever shows the inbox is told one by one.
MAX_TOLD: Final = 20
# What says which are meant when not each is named.
_META: Final = ("is-read", "received-before", "up-to", "group-key")


def mark_named(user_id: int) -> int:
    """Mark each notification that the body names as it says, and return how many changed.

    Raises:
        NotFound: one of them is not there, or not this user's; then none is marked.
        Unprocessable: one does not say how.
    """
    wanted = _read_wanted()
    if not wanted:
        return 0
    _wait_for_turn(user_id)
    mine = and_(inbox(user_id), Notification.id.in_(wanted))
    found = set(db.session.scalars(select(Notification.id).where(mine).order_by(Notification.id).with_for_update()))
    for index, id_ in enumerate(wanted):
        if id_ not in found:
            raise NotFound(f"There is no notification with the id {id_}.", pointer=f"/data/{index}/id")
    read = [id_ for id_, is_read in wanted.items() if is_read]
    wanted_state = Notification.id.in_(read) if read else false()
    changed = _mark(and_(mine, Notification.is_read.is_distinct_from(wanted_state)), wanted_state)
    if changed:
        # Of many, whoever shows the inbox had better read it anew.
        few = len(wanted) <= MAX_TOLD
        note_change(db.session(), READ if few else RESYNC, (user_id,), wanted if few else ())
    return changed


def mark_all(user_id: int, meta: Any) -> int:
    """Mark all of a user's notifications, or all that were received before a time, and return how many changed.

    Args:
        user_id: whose.
        meta: `{"is-read": bool}`, and where not all are meant `"received-before"` (RFC 3339), `"up-to"` (the id of a
            notification, or "marker": those that were seen) or `"group-key"` (one line of the grouped inbox).

    Raises:
        Unprocessable: it is something else.
    """
    if not isinstance(meta, dict) or not isinstance(meta.get("is-read"), bool):
        raise Unprocessable('meta must have "is-read": true or false.', pointer="/meta/is-read")
    for name in meta:
        if name not in _META:
            raise Unprocessable(f"meta has only {', '.join(_META)}.", pointer="/meta")
    _wait_for_turn(user_id)
    # Said as the index of unread ones knows it, so that nobody's read ones are looked at.
    other = ~Notification.is_read if meta["is-read"] else Notification.is_read
    where = and_(inbox(user_id), other, *_meant(user_id, meta))
    changed = _mark(where, true() if meta["is-read"] else false())
    if changed:
        note_change(db.session(), RESYNC, (user_id,))
    return changed


def _meant(user_id: int, meta: Mapping[str, Any]) -> Iterator[ColumnElement[bool]]:
    """Which of a user's notifications, by each of the names that were given."""
    if meta.get("received-before") is not None:
        yield Notification.received_at < _time(meta["received-before"])
    # Null, as a marker that was never moved and a line without a key have it, means none of them and not all.
    if "up-to" in meta:
        yield Notification.id <= _place(user_id, meta["up-to"])
    if "group-key" in meta:
        key = meta["group-key"]
        if not isinstance(key, str):
            raise Unprocessable("This must be the group-key of a notification-group.", pointer="/meta/group-key")
        yield Notification.happening_id.in_(select(Happening.id).where(Happening.group_key == key))


def _place(user_id: int, value: Any) -> int:
    if value == "marker":
        return seen_up_to(user_id)
    id_ = parse_id(value)
    if id_ is None:
        raise Unprocessable('This must be the id of a notification, or "marker".', pointer="/meta/up-to")
    return id_


def _wait_for_turn(user_id: int) -> None:
    """Mark in one inbox one after another: two that lock its rows in different orders would wait for each other."""
    db.session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"usher.marks.{user_id}", 0))))


def _mark(where: ColumnElement[bool], wanted: ColumnElement[bool]) -> int:
    """Set `is_read` of these, which is another now, to what is wanted, and the time of reading with it."""
    statement = (
        update(Notification)
        .where(where)
        .values(is_read=wanted, read_at=case((wanted, func.now())))
        .execution_options(synchronize_session=False)
    )
    changed: int = db.session.execute(statement).rowcount  # type: ignore[attr-defined]  # an UPDATE has it
    return changed


def _read_wanted() -> dict[int, bool]:
    wanted: dict[int, bool] = {}
    for index, (id_, item) in enumerate(read_resources("notification", MAX_MARKED)):
        values = NotificationSchema.load_resource(item, partial=True, pointer=f"/data/{index}")
        if "is_read" not in values:
            raise Unprocessable("is-read is missing.", pointer=f"/data/{index}/attributes/is-read")
        wanted[id_] = values["is_read"]
    return wanted


def _time(value: Any) -> datetime:
    try:
        moment: datetime = Timestamp().deserialize(value)
    except ValidationError as error:
        raise Unprocessable(str(error.messages[0]), pointer="/meta/received-before") from error
    return moment
