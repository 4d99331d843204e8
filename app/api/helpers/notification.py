"""Saving notifications: one general function, and a thin one for each action.

All of them only add rows to the caller's transaction: what it commits is told, what it rolls back is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import insert

from app.api.helpers.log import record_activity
from app.api.helpers.settings import get_settings, notification_is_on
from app.api.helpers.system_notifications import NOTIF_TEMPLATES
from app.api.helpers.templates import one_line, render
from app.api.viewer import current_viewer
from app.models import Event, Notification, User, db
from app.models.base import Base, JsonObject
from app.models.notification import NEW_SESSION, PASSWORD_CHANGE, SESSION_ACCEPT_REJECT

_HAPPENINGS: Final = "usher.happenings"
_TABLE: Final = Base.metadata.tables["happenings"]


@dataclass(frozen=True)
class About:
    """What a happening is about, beyond its text: a link, data for programs, and the event it belongs to."""

    link: str | None = None
    data: JsonObject | None = None
    event: Event | None = None


def send_notification(
    user: User, action: str, title: str, message: str, about: About | None = None
) -> Notification | None:
    """Tell a user something in the app.

    Args:
        user: who is told.
        action: what kind of thing happened: one of the constants in `app.models.notification`, or your own.
        title: one line of text; control characters and line breaks are taken out.
        message: HTML; values of other people in it must be escaped (the functions below do that).
        about: a link and the like.

    Returns:
        The row, in the caller's session and not committed; None if the admins switched this action off.
    """
    if not notification_is_on(action):
        return None
    if user not in db.session:
        db.session.add(user)
    if user in db.session.new:
        db.session.flush()
    title = one_line(title)
    notification = Notification(user_id=user.id, happening_id=_happening(action, title, message, about or About()))
    db.session.add(notification)
    record_activity("notification_event", user=user, action=action, title=title)
    return notification


def send_notification_with_action(
    user: User, action: str, about: About | None = None, **values: str
) -> Notification | None:
    """Tell a user in the words of `NOTIFS[action]`, filled with `values`.

    Raises:
        TemplateError: a value is missing, or one has no place in the template.
    """
    rendered = render(NOTIF_TEMPLATES[action], values)
    return send_notification(user, action, rendered.line, rendered.html, about or About(link=values.get("link")))


def send_notif_new_session_organizer(
    user: User, event_name: str, link: str, about: About | None = None
) -> Notification | None:
    """Tell an organizer that a session was proposed."""
    return send_notification_with_action(user, NEW_SESSION, about, event_name=event_name, link=link)


def send_notif_session_accept_reject(
    user: User, session_name: str, acceptance: str, link: str, about: About | None = None
) -> Notification | None:
    """Tell a speaker that a session was accepted or rejected."""
    return send_notification_with_action(
        user, SESSION_ACCEPT_REJECT, about, session_name=session_name, acceptance=acceptance, link=link
    )


def send_notif_password_change(user: User) -> Notification | None:
    """Tell a user that the password was changed."""
    return send_notification_with_action(user, PASSWORD_CHANGE, app_name=get_settings().app_name)


def _happening(action: str, title: str, message: str, about: About) -> int:
    """The id of this transaction's happening with this content: what several people are told is stored once.

    Written at once, and not with the next flush: the rows that point to it need its id.
    """
    known: dict[tuple[str, str, str, str | None], int] = db.session.info.setdefault(_HAPPENINGS, {})
    key = (action, title, message, about.link)
    if key not in known:
        if about.event in db.session.new:
            db.session.flush()
        values: dict[str, Any] = {
            "action": action,
            "title": title,
            "message": message,
            "link": about.link,
            "actor_id": current_viewer().id,
            "event_id": about.event.id if about.event else None,
        }
        if about.data is not None:
            values["data"] = about.data
        known[key] = db.session.scalars(insert(_TABLE).values(values).returning(_TABLE.c.id)).one()
    return known[key]


def forget_happenings() -> None:
    """Begin with none; called at the end of every transaction and savepoint."""
    db.session.info.pop(_HAPPENINGS, None)
