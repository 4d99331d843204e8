"""The texts of the notifications: what the app shows for each action."""

from __future__ import annotations

from typing import Final

from app.api.helpers.templates import Compiled, NotifTemplate, compile_notification
from app.models.notification import NEW_SESSION, PASSWORD_CHANGE, SESSION_ACCEPT_REJECT

NOTIFS: Final[dict[str, NotifTemplate]] = {
    NEW_SESSION: {
        "recipient": "Owner, Organizer, Coorganizer",
        "title": "New session proposal for {event_name}",
        "message": (
            "A new session was proposed for <strong>{event_name}</strong>.<br><a href='{link}'>Look at the proposal</a>"
        ),
    },
    SESSION_ACCEPT_REJECT: {
        "recipient": "Speaker",
        "title": "{session_name} was {acceptance}",
        "message": (
            "Your session <strong>{session_name}</strong> was <strong>{acceptance}</strong>."
            "<br><a href='{link}'>Look at the session</a>"
        ),
    },
    PASSWORD_CHANGE: {
        "recipient": "User",
        "title": "Your {app_name} password was changed",
        "message": "Your password was changed. If that was not you, set a new one at once and tell the organizers.",
    },
}

NOTIF_TEMPLATES: Final[dict[str, Compiled]] = {
    action: compile_notification(action, entry) for action, entry in NOTIFS.items()
}
