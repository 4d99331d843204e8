"""How a user wants to be told: `GET` and `PATCH /v1/users/<id>/preferences`, one resource with the user's id."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask import Response
from sqlalchemy import delete, insert, select

from app.api.jsonapi.access import require_visible
from app.api.jsonapi.document import read_resource
from app.api.jsonapi.errors import NotFound
from app.api.jsonapi.idempotency import commit_with
from app.api.jsonapi.links import self_link
from app.api.jsonapi.query import only_parameters
from app.api.jsonapi.response import document_response
from app.api.schema.preferences import (
    WEEKDAYS,
    Digest,
    PreferencesSchema,
    Quiet,
    Wanted,
    read_channels,
    read_digest,
    read_quiet,
    read_types,
)
from app.api.schema.users import USER
from app.api.viewer import current_viewer
from app.happenings.deciding.obeying import forget_wishes
from app.happenings.types import EVERYTHING, declared_types, patterns_of
from app.models import DeliveryHours, EventTypeRow, Preference, User, db
from app.models.event_type import CHANNELS


def get_preferences(user_id: int) -> Response:
    """What the user has said."""
    only_parameters()
    require_visible(USER, user_id, current_viewer())
    return document_response(_document(db.session.get_one(User, user_id)))


def change_preferences(user_id: int) -> Response:
    """Say something else: each attribute that is given takes the place of what it was."""
    only_parameters()
    # Two changes at once: the second sees what the first has made.
    user = db.session.get(User, user_id, with_for_update={"key_share": True}, populate_existing=True)
    if user is None or user.deleted_at is not None:
        raise NotFound(f"There is no user with the id {user_id}.")
    given = PreferencesSchema.load_resource(read_resource("preferences", user_id), partial=True)
    if "channels" in given:
        _replace(user, read_channels(given["channels"]), is_of_channels=True)
    if "types" in given:
        _replace(user, read_types(given["types"], _known_patterns(user)), is_of_channels=False)
    if given.keys() & {"quiet_hours", "digest"}:
        _set_hours(user, given)
    user.has_preferences = bool(_wishes(user)) or db.session.get(DeliveryHours, user.id) is not None
    db.session.flush()
    forget_wishes()
    return commit_with(document_response(_document(user)))


def _document(user: User) -> dict[str, Any]:
    wishes = _wishes(user)
    hours = db.session.get(DeliveryHours, user.id)
    digest = Digest() if hours is None else Digest(hours.digest_hour, hours.digest_weekday)
    attributes = {
        "channels": {wish.channel: _mode(wish) for wish in wishes if wish.pattern == EVERYTHING},
        "types": [
            {"type": wish.pattern, "channel": wish.channel, **_mode(wish)}
            for wish in wishes
            if wish.pattern != EVERYTHING
        ],
        "quiet-hours": _quiet(hours),
        "digest": {"hour": digest.hour, "weekday": WEEKDAYS[digest.weekday]},
        "timezone": user.timezone,
        "available-channels": list(CHANNELS),
    }
    item = {"type": "preferences", "id": str(user.id), "attributes": attributes}
    return {"data": item, "links": {"self": self_link()}}


def _wishes(user: User) -> list[Preference]:
    statement = select(Preference).where(Preference.user_id == user.id)
    return list(db.session.scalars(statement.order_by(Preference.pattern, Preference.channel)))


def _mode(wish: Preference) -> dict[str, Any]:
    return {"mode": wish.mode, "minutes": wish.minutes}


def _quiet(hours: DeliveryHours | None) -> dict[str, str] | None:
    if hours is None or hours.quiet_from is None or hours.quiet_until is None:
        return None
    return {"from": f"{hours.quiet_from:%H:%M}", "until": f"{hours.quiet_until:%H:%M}"}


def _replace(user: User, wanted: Iterable[Wanted], *, is_of_channels: bool) -> None:
    """Put these in place of all that was said of the channels, or of the types."""
    which = Preference.pattern == EVERYTHING if is_of_channels else Preference.pattern != EVERYTHING
    db.session.execute(delete(Preference).where(Preference.user_id == user.id, which))
    rows = [{"user_id": user.id, **wish._asdict()} for wish in wanted]
    if rows:
        db.session.execute(insert(Preference), rows)


def _set_hours(user: User, given: dict[str, Any]) -> None:
    """Keep the hours, unless they are those that everybody has who has said nothing."""
    hours = db.session.get(DeliveryHours, user.id) or DeliveryHours(
        user_id=user.id, digest_hour=Digest().hour, digest_weekday=Digest().weekday
    )
    if "quiet_hours" in given:
        quiet: Quiet | tuple[None, None] = read_quiet(given["quiet_hours"]) or (None, None)
        hours.quiet_from, hours.quiet_until = quiet
    if "digest" in given:
        hours.digest_hour, hours.digest_weekday = read_digest(given["digest"])
    is_said = hours.quiet_from is not None or (hours.digest_hour, hours.digest_weekday) != Digest()
    if is_said:
        db.session.add(hours)
    elif hours in db.session:
        db.session.delete(hours)
    db.session.flush()


def _known_patterns(user: User) -> set[str]:
    """The patterns that match a type, and those that the user has: a type that is gone is no typing mistake."""
    names = {each.name for each in declared_types()} | set(db.session.scalars(select(EventTypeRow.name)))
    stored = {wish.pattern for wish in _wishes(user)}
    return stored.union(*(patterns_of(name) for name in names))
