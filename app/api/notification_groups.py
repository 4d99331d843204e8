"""The grouped inbox: `GET /v1/users/<id>/notification-groups`."""

from __future__ import annotations

from typing import Any

from flask import Response

from app.api.jsonapi.errors import NotFound
from app.api.jsonapi.links import page_links
from app.api.jsonapi.pages import Rows
from app.api.jsonapi.paging import LIMIT, NUMBER, OFFSET, SIZE, read_page
from app.api.jsonapi.query import only_parameters
from app.api.jsonapi.response import document_response
from app.api.jsonapi.timestamps import format_timestamp
from app.inbox.groups import MAX_IDS, Group, describe, load_groups
from app.inbox.unread import capped, unread_count
from app.models import User, db


def notification_groups(user_id: int) -> Response:
    """A page of the lines, in the language of the one whose inbox it is."""
    page = read_page(only_parameters(NUMBER, SIZE, LIMIT, OFFSET))
    user = db.session.get(User, user_id)
    if user is None or user.deleted_at is not None:
        raise NotFound(f"There is no user with the id {user_id}.")
    groups, is_cut = load_groups(user_id)
    shown = groups[page.offset : page.offset + page.size]
    return document_response(
        {
            "data": [_resource(*each) for each in describe(shown, user.language)],
            "links": page_links(page, Rows(shown, len(groups))),
            "meta": {"count": len(groups), "unread-count": unread_count(user_id), "is-complete": not is_cut},
        }
    )


def _resource(group: Group, title: str, event_type: str | None) -> dict[str, Any]:
    """A line; its id is that of its newest notification."""
    ids = [str(id_) for id_ in group.notification_ids[:MAX_IDS]]
    attributes = {
        "group-key": group.key,
        "title": title,
        "event-type": event_type,
        "count": len(group.notification_ids),
        "unread-count": capped(group.unread),
        "received-at": format_timestamp(group.received_at),
        "notification-ids": ids,
    }
    return {"type": "notification-group", "id": ids[0], "attributes": attributes}
