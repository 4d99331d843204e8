"""How far a user has seen the inbox: `GET` and `PATCH /v1/users/<id>/notification-marker`, with the user's id."""

from __future__ import annotations

from typing import Any

from flask import Response
from marshmallow import ValidationError, fields

from app.api.jsonapi.access import require_visible
from app.api.jsonapi.document import read_resource
from app.api.jsonapi.errors import Conflict, Unprocessable
from app.api.jsonapi.fields import JsonValue, Timestamp, WholeNumber
from app.api.jsonapi.idempotency import commit_with
from app.api.jsonapi.jsontext import parse_id
from app.api.jsonapi.links import self_link
from app.api.jsonapi.query import only_parameters
from app.api.jsonapi.response import document_response
from app.api.jsonapi.schema import Schema
from app.api.jsonapi.timestamps import format_timestamp
from app.api.schema.users import USER
from app.api.viewer import current_viewer
from app.inbox.marker import MarkError, OutdatedError, move_marker, read_marker, unseen_count
from app.models import NotificationMarker


class _SeenId(fields.Field[int]):
    """The id of a notification: a string of digits."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:  # noqa: ARG002 - marshmallow's
        id_ = parse_id(value)
        if id_ is None:
            raise ValidationError("This must be the id of a notification, which is a string of digits.")
        return id_


class NotificationMarkerSchema(Schema):
    """What is seen, though not necessarily read."""

    class Meta:
        type_ = "notification-marker"

    seen_id = _SeenId(required=True)
    seen_at = Timestamp(dump_only=True)
    version = WholeNumber(required=True)
    unseen_count = JsonValue(dump_only=True)


def get_marker(user_id: int) -> Response:
    """Where it is."""
    only_parameters()
    require_visible(USER, user_id, current_viewer())
    return document_response(_document(read_marker(user_id)))


def patch_marker(user_id: int) -> Response:
    """Move it forward, knowing where it was."""
    only_parameters()
    item = read_resource("notification-marker", user_id)
    given = NotificationMarkerSchema.load_resource(item, partial=False)
    try:
        marker = move_marker(user_id, given["seen_id"], given["version"])
    except OutdatedError as error:
        outdated = Conflict(str(error), pointer="/data/attributes/version")
        outdated.meta = _attributes(error.marker)
        raise outdated from error
    except MarkError as error:
        raise Unprocessable(str(error), pointer="/data/attributes/seen-id") from error
    return commit_with(document_response(_document(marker)))


def _document(marker: NotificationMarker) -> dict[str, Any]:
    attributes = {**_attributes(marker), "unseen-count": unseen_count(marker)}
    data = {"type": "notification-marker", "id": str(marker.user_id), "attributes": attributes}
    return {"data": {**data, "links": {"self": self_link()}}, "links": {"self": self_link()}}


def _attributes(marker: NotificationMarker) -> dict[str, Any]:
    return {
        "seen-id": str(marker.seen_id) if marker.seen_id else None,
        "seen-at": format_timestamp(marker.seen_at) if marker.seen_at else None,
        "version": marker.version,
    }
