"""The activity log: who did what, as a sentence for admins."""

from __future__ import annotations

from typing import Final

from flask import g, has_request_context

from app.api.helpers.templates import one_line
from app.api.viewer import ANONYMOUS, Viewer
from app.models import Activity, User, db

# The wording of the two templates that Open Event's clients search for is part of the API.
ACTIVITIES: Final[dict[str, str]] = {
    "mail_event": "Email to {email} for {action}: {subject}",
    "notification_event": "Notification to {user} for {action}: {title}",
    "create_user": "User {user} registered",
    "create_event": "Event {event_id} created",
    "update_event": "Event {event_id} changed",
    "delete_event": "Event {event_id} deleted",
    "create_session": "Session {session} created",
    "update_session": "Session {session} changed",
    "update_settings": "Settings changed: {names}",
    "update_message_setting": "Message setting of {action} changed",
}


def record_activity(template: str, login_user: User | None = None, **values: str | int | User) -> Activity:
    """Add a sentence to the activity log, in the caller's transaction.

    Args:
        template: a key of `ACTIVITIES`.
        login_user: who did it; by default the caller of the request, or "Anonymous".
        values: what the sentence needs; a user is written as `address (id)`.

    Raises:
        KeyError: there is no such template, or a value is missing.
    """
    shown = {name: one_line(_describe(value)) for name, value in values.items()}
    actor = login_user or current_viewer().user
    activity = Activity(
        actor=_describe(actor) if actor else "Anonymous",
        action=ACTIVITIES[template].format_map(shown),
    )
    db.session.add(activity)
    return activity


def current_viewer() -> Viewer:
    """The caller of the present request; nobody outside of one (a command, a task)."""
    viewer: Viewer = g.get("viewer", ANONYMOUS) if has_request_context() else ANONYMOUS
    return viewer


def _describe(value: str | int | User) -> str:
    return f"{value.email} ({value.id})" if isinstance(value, User) else str(value)
