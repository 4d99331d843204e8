"""The activity log: who did what, as a sentence for admins.

The sentences of a transaction are kept until its commit and then written together, with one INSERT: a request that
tells fifty people writes a hundred of them.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import insert
from sqlalchemy.orm import Session, SessionTransaction

from app.api.helpers.queued import is_within
from app.api.helpers.templates import one_line
from app.api.viewer import current_viewer
from app.models import Activity, User, db
from app.models.base import utc_now

_ENTRIES: Final = "usher.activities"

# The wording of the two templates that Open Event's clients search for is part of the API.
ACTIVITIES: Final[dict[str, str]] = {
    "mail_event": "Email to {email} for {action}: {subject}",
    "mails_event": "Email to {count} recipients for {action}: {subject}",
    "sms_event": "SMS to {recipient} for {action}",
    "notification_event": "Notification to {user} for {action}: {title}",
    "announce": "Happening {happening}: {title}",
    "create_user": "User {user} registered",
    "update_user_email": "User {user} changed the address from {old} to {new}",
    "invite_user": "{email} invited to be {role} of event {event_id}",
    "create_role": "{user} is {role} of event {event_id}",
    "create_event": "Event {event_id} created",
    "update_event": "Event {event_id} changed",
    "delete_event": "Event {event_id} deleted",
    "export_event": "Event {event_id} exported",
    "import_event": "Event {event_id} imported",
    "create_session": "Session {session} created",
    "update_session": "Session {session} changed",
    "send_broadcast": "Broadcast {broadcast} sent to {recipients} people",
    "recall_broadcast": "Broadcast {broadcast} recalled",
    "create_order": "Order {order} created",
    "update_order": "Order {order} is {status}",
    "update_event_invoice": "Invoice {invoice} is {status}",
    "update_settings": "Settings changed: {names}",
    "create_mail_service": "Mail service {service} created",
    "update_mail_service": "Mail service {service} changed: {names}",
    "delete_mail_service": "Mail service {service} deleted",
    "create_channel_service": "Channel service {service} created",
    "update_channel_service": "Channel service {service} changed: {names}",
    "delete_channel_service": "Channel service {service} deleted",
    "create_suppression": "No mail to {email} any more",
    "delete_suppression": "Mail to {email} again, which was suppressed ({reason})",
    "test_mail": "Test mail to {email} by {service}: {outcome}",
    "change_mails": "{deed}: {mails}",
    "create_token": "Service account {service} created: {scopes}",
    "revoke_token": "Service account {service} revoked",
    "create_event_type": "Type of happenings {type} declared",
    "update_event_type": "Type of happenings {type} changed: {names}",
    "delete_event_type": "Type of happenings {type} deleted",
    "update_message_setting": "Message setting of {action} changed",
}


def record_activity(template: str, login_user: User | str | None = None, **values: str | int | User) -> None:
    """Add a sentence to the activity log: it is written when the caller's transaction is committed, and only then.

    Args:
        template: a key of `ACTIVITIES`.
        login_user: who did it; by default the caller of the request, or "Anonymous"; a text names a command.
        values: what the sentence needs; a user is written as `address (id)`.

    Raises:
        KeyError: there is no such template, or a value is missing.
    """
    shown = {name: one_line(_describe(value)) for name, value in values.items()}
    actor = login_user or _caller()
    row = {
        "actor": _describe(actor) if actor else "Anonymous",
        "time": utc_now(),
        "action": ACTIVITIES[template].format_map(shown),
    }
    db.session.info.setdefault(_ENTRIES, []).append((db.session().get_nested_transaction(), row))


def write_activities(session: Session) -> None:
    """Write the sentences of the transaction that is about to be committed."""
    entries = session.info.pop(_ENTRIES, ())
    if entries:
        session.execute(insert(Activity.__table__), [row for _, row in entries])  # type: ignore[arg-type]  # a Table


def forget_activities(session: Session, savepoint: SessionTransaction | None = None) -> None:
    """Drop the sentences of a transaction, or only of a savepoint and those within it, that was rolled back."""
    entries = session.info.pop(_ENTRIES, ())
    if savepoint is not None:
        session.info[_ENTRIES] = [entry for entry in entries if not is_within(entry[0], savepoint)]


def _caller() -> User | str | None:
    """Who is asking: the user, or the service account by its name."""
    viewer = current_viewer()
    return one_line(f"Service account {viewer.service.name}") if viewer.service else viewer.user


def _describe(value: str | int | User) -> str:
    return f"{value.email} ({value.id})" if isinstance(value, User) else str(value)
