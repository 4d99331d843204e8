"""`GET /v1/happenings/<id>/explain?user=<id>`: why somebody did or did not get something, for admins."""

from __future__ import annotations

from typing import Any

from flask import Response

from app.api.jsonapi.errors import BadRequest, NotFound
from app.api.jsonapi.jsontext import parse_id
from app.api.jsonapi.links import self_link
from app.api.jsonapi.query import only_parameters
from app.api.jsonapi.response import document_response
from app.api.jsonapi.timestamps import format_timestamp
from app.happenings.explaining.explain import ChannelAnswer, explain
from app.models import Happening, User, db


def explain_happening(id: int) -> Response:  # noqa: A002 - the name in the address
    """The audience, and for each channel what was decided, why, and what came of it."""
    given = only_parameters("user").get("user")
    user_id = parse_id(given)
    if user_id is None:
        raise BadRequest("Name the user by id: ?user=1.", parameter="user")
    happening, user = db.session.get(Happening, id), db.session.get(User, user_id)
    if happening is None:
        raise NotFound(f"There is no happening with the id {id}.")
    if user is None or user.deleted_at is not None:
        raise NotFound(f"There is no user with the id {user_id}.", parameter="user")
    found = explain(happening, user)
    attributes = {
        "action": happening.action,
        "event-type": happening.event_type,
        "audience": {
            "is-in": found.belonging.is_in,
            "reason": found.belonging.reason,
            "sentence": found.belonging.sentence,
        },
        "channels": [_channel(each) for each in found.channels],
    }
    item = {
        "type": "explanation",
        "id": f"{happening.id}-{user.id}",
        "attributes": attributes,
        "relationships": {
            "happening": {"data": {"type": "happening", "id": str(happening.id)}},
            "user": {"data": {"type": "user", "id": str(user.id)}},
        },
    }
    return document_response({"data": item, "links": {"self": self_link()}})


def _channel(answer: ChannelAnswer) -> dict[str, Any]:
    result = answer.result
    return {
        "channel": answer.channel,
        "outcome": answer.outcome,
        "reason": answer.reason,
        "sentence": answer.sentence,
        "pattern": answer.pattern,
        "due-at": None if answer.due_at is None else format_timestamp(answer.due_at),
        "result": result and {"type": result.type_, "id": str(result.id), "status": result.status},
    }
