"""`POST /v1/realtime-tickets`: what a browser opens its stream with, since it can set no header on one."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from flask import Response

from app.api.helpers.settings import get_config
from app.api.jsonapi.errors import Unauthorized
from app.api.jsonapi.response import document_response
from app.api.jsonapi.timestamps import format_timestamp
from app.api.viewer import current_viewer
from app.auth.limits import TICKETS_PER_ACCOUNT, caller_key, limiter
from app.models.base import utc_now
from app.realtime.keys import TICKET_SECONDS
from app.realtime.tickets import new_ticket, sign_ticket

TYPE: Final = "realtime-ticket"


@limiter.limit(TICKETS_PER_ACCOUNT, key_func=caller_key)
def create_realtime_ticket() -> Response:
    """A ticket of the caller's own: it opens one stream or one socket, and nothing else. A body says nothing."""
    user, config = current_viewer().user, get_config()
    if user is None:  # the table of routes lets nobody else in
        raise Unauthorized("This needs a login.")
    ticket = new_ticket(user.id, user.token_version)
    signed = sign_ticket(ticket, config.secret_key)
    base = config.realtime_url
    socket_base = f"ws{base.removeprefix('http')}"
    attributes = {
        "ticket": signed,
        "expires-at": format_timestamp(utc_now() + timedelta(seconds=TICKET_SECONDS)),
        "stream-url": f"{base}/v1/users/{user.id}/notifications/stream?ticket={signed}",
        "socket-url": f"{socket_base}/ws/notifications?ticket={signed}",
    }
    # The id names the ticket for a log, say; it is not a part of what is secret.
    data = {"type": TYPE, "id": ticket.number[:8], "attributes": attributes}
    return document_response({"data": data}, 201, {"Cache-Control": "no-store"})
