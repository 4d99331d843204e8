"""Saving notifications: one general function, and a thin one for each action.

All of them only add rows to the caller's transaction: what it commits is told, what it rolls back is not.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.api.helpers.log import record_activity
from app.api.helpers.settings import get_settings, notification_is_on
from app.api.helpers.system_notifications import NOTIF_TEMPLATES
from app.api.helpers.templates import one_line, render
from app.api.helpers.wording import amount_of, cancellation_of, names_of, time_of
from app.happenings.current import Content, happening_for
from app.happenings.deciding.obeying import tells_in_app
from app.language import DEFAULT, Value, Word, best_language
from app.models import Event, EventInvoice, Notification, Order, Session, User, db
from app.models.base import JsonObject
from app.models.notification import (
    AFTER_EVENT,
    EVENT_EXPORT_FAIL,
    EVENT_EXPORTED,
    EVENT_IMPORT_FAIL,
    EVENT_IMPORTED,
    EVENT_PUBLISH,
    EVENT_ROLE_INVITE,
    INVITE_PAPERS,
    MONTHLY_PAYMENT_FOLLOWUP_NOTIF,
    MONTHLY_PAYMENT_NOTIF,
    NEW_SESSION,
    NEXT_EVENT,
    PASSWORD_CHANGE,
    SESSION_ACCEPT_REJECT,
    SESSION_SCHEDULE,
    TICKET_CANCELLED,
    TICKET_CANCELLED_ORGANIZER,
    TICKET_PURCHASED,
    TICKET_PURCHASED_ATTENDEE,
    TICKET_PURCHASED_ORGANIZER,
    TICKET_RESEND_ORGANIZER,
    USER_CHANGE_EMAIL,
)


@dataclass(frozen=True)
class About:
    """What a happening is about, beyond its text: a link, data for programs, the event and the session it belongs to.

    Happenings with the same `group_key` are one line in a grouped inbox.
    """

    link: str | None = None
    data: JsonObject | None = None
    event: Event | None = None
    session: Session | None = None
    group_key: str | None = None

    def columns(self) -> JsonObject:
        """The columns of a happening, besides its text and link."""
        if {self.event, self.session} & set(db.session.new):
            db.session.flush()
        found = {
            "data": self.data,
            "event_id": self.event.id if self.event else None,
            "session_id": self.session.id if self.session else None,
            "group_key": self.group_key,
        }
        return {name: value for name, value in found.items() if value is not None}


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
        The row, in the caller's session and not committed; None if the admins switched this action off, or the user
        does not want to be told of such things in the app.
    """
    if not notification_is_on(action):
        return None
    if user not in db.session:
        db.session.add(user)
    if user in db.session.new:
        db.session.flush()
    title, about = one_line(title), about or About()
    happening_id = happening_for(user.id, Content(action, title, message, about.link), about.columns())
    if not tells_in_app(user, action, happening_id):
        return None
    notification = Notification(user_id=user.id, happening_id=happening_id)
    db.session.add(notification)
    record_activity("notification_event", user=user, action=action, title=title)
    return notification


def send_notification_with_action(
    user: User, action: str, about: About | None = None, **values: Value
) -> Notification | None:
    """Tell a user in the words of `NOTIFS[action]`, in the user's language, filled with `values`.

    Raises:
        TemplateError: a value is missing, or one has no place in the template.
    """
    language = user.language or DEFAULT
    rendered = render(NOTIF_TEMPLATES[action][best_language(language)], values, language)
    link = values.get("link")
    return send_notification(
        user, action, rendered.line, rendered.html, about or About(link=link if isinstance(link, str) else None)
    )


# --- accounts


def send_notif_change_user_email(user: User, new_email: str) -> Notification | None:
    """Tell a user that the address of the account is to change."""
    return send_notification_with_action(user, USER_CHANGE_EMAIL, email=user.email, new_email=new_email)


def send_notif_password_change(user: User) -> Notification | None:
    """Tell a user that the password was changed."""
    return send_notification_with_action(user, PASSWORD_CHANGE, app_name=get_settings().app_name)


# --- events


def send_notif_event_role(
    user: User, role_name: str, event_name: str, link: str, about: About | None = None
) -> Notification | None:
    """Ask a user to take a role."""
    values: dict[str, Value] = {"role_name": Word(role_name), "event_name": event_name, "link": link}
    return send_notification_with_action(user, EVENT_ROLE_INVITE, about, **values)


def send_notif_invite_papers(
    user: User, event_name: str, cfs_link: str, submit_link: str, about: About | None = None
) -> Notification | None:
    """Ask a user to propose a session."""
    values: dict[str, Value] = {"event_name": event_name, "cfs_link": cfs_link, "submit_link": submit_link}
    return send_notification_with_action(user, INVITE_PAPERS, about or About(link=cfs_link), **values)


def send_notif_event_publish(user: User, event_name: str, link: str, about: About | None = None) -> Notification | None:
    """Tell an organizer or a speaker that the event is published."""
    return send_notification_with_action(user, EVENT_PUBLISH, about, event_name=event_name, link=link)


def send_notif_next_event(
    user: User, event_name: str, up_coming_events: Value, link: str, about: About | None = None
) -> Notification | None:
    """Tell an organizer or a speaker that the event begins soon."""
    values: dict[str, Value] = {"event_name": event_name, "link": link}
    return send_notification_with_action(user, NEXT_EVENT, about, **values, up_coming_events=up_coming_events)


def send_notif_after_event(user: User, event_name: str, about: About | None = None) -> Notification | None:
    """Tell an organizer or a speaker that the event is over."""
    return send_notification_with_action(user, AFTER_EVENT, about, event_name=event_name)


# --- sessions


def send_notif_new_session_organizer(
    user: User, event_name: str, link: str, about: About | None = None
) -> Notification | None:
    """Tell an organizer that a session was proposed."""
    return send_notification_with_action(user, NEW_SESSION, about, event_name=event_name, link=link)


def send_notif_session_accept_reject(
    user: User, session_name: str, acceptance: str, link: str, about: About | None = None
) -> Notification | None:
    """Tell a speaker that a session was accepted or rejected."""
    values: dict[str, Value] = {"session_name": session_name, "acceptance": Word(acceptance), "link": link}
    return send_notification_with_action(user, SESSION_ACCEPT_REJECT, about, **values)


def send_notif_session_schedule(
    user: User, session: Session, link: str, about: About | None = None
) -> Notification | None:
    """Tell an organizer or a speaker when a session is now."""
    values: dict[str, Value] = {"session_name": session.title, "link": link}
    return send_notification_with_action(user, SESSION_SCHEDULE, about, **values, session_time=time_of(session))


# --- orders


def send_notif_ticket_purchased(
    user: User, order: Order, order_url: str, about: About | None = None
) -> Notification | None:
    """Tell the buyer that the order is complete."""
    values: dict[str, Value] = {"invoice_id": order.invoice_id, "order_url": order_url}
    return send_notification_with_action(user, TICKET_PURCHASED, about or About(link=order_url), **values)


def send_notif_ticket_purchased_attendee(
    user: User, order: Order, ticket_url: str, about: About | None = None
) -> Notification | None:
    """Tell an attendee of the ticket."""
    values: dict[str, Value] = {"event_name": order.event.name, "ticket_url": ticket_url}
    return send_notification_with_action(user, TICKET_PURCHASED_ATTENDEE, about or About(link=ticket_url), **values)


def send_notif_ticket_purchase_organizer(
    user: User, order: Order, order_url: str, about: About | None = None
) -> Notification | None:
    """Tell an organizer of a sale."""
    values: dict[str, Value] = {**names_of(order), "order_url": order_url}
    return send_notification_with_action(user, TICKET_PURCHASED_ORGANIZER, about or About(link=order_url), **values)


def send_notif_ticket_resend_organizer(user: User, order: Order, about: About | None = None) -> Notification | None:
    """Tell an organizer that the mails with an order's tickets were sent again."""
    values: dict[str, Value] = {
        "event_name": order.event.name,
        "buyer_email": order.user.email,
        "invoice_id": order.invoice_id,
    }
    return send_notification_with_action(user, TICKET_RESEND_ORGANIZER, about, **values)


def send_notif_ticket_cancelled(user: User, order: Order, about: About | None = None) -> Notification | None:
    """Tell the buyer that the order was cancelled."""
    return send_notification_with_action(user, TICKET_CANCELLED, about, **cancellation_of(order))


def send_notif_ticket_cancelled_organizer(user: User, order: Order, about: About | None = None) -> Notification | None:
    """Tell an organizer that an order was cancelled."""
    return send_notification_with_action(user, TICKET_CANCELLED_ORGANIZER, about, **cancellation_of(order))


# --- what exports and imports came to


def send_notif_event_exported(
    user: User, event_name: str, download_url: str, about: About | None = None
) -> Notification | None:
    """Tell who asked that the file is ready."""
    values: dict[str, Value] = {"event_name": event_name, "download_url": download_url}
    return send_notification_with_action(user, EVENT_EXPORTED, about or About(link=download_url), **values)


def send_notif_event_export_fail(
    user: User, event_name: str, error_text: str, about: About | None = None
) -> Notification | None:
    """Tell who asked why there is no file."""
    values: dict[str, Value] = {"event_name": event_name, "error_text": error_text}
    return send_notification_with_action(user, EVENT_EXPORT_FAIL, about, **values)


def send_notif_event_imported(
    user: User, event_name: str, event_url: str, about: About | None = None
) -> Notification | None:
    """Tell who asked that the event is there."""
    values: dict[str, Value] = {"event_name": event_name, "event_url": event_url}
    return send_notification_with_action(user, EVENT_IMPORTED, about or About(link=event_url), **values)


def send_notif_event_import_fail(user: User, error_text: str, about: About | None = None) -> Notification | None:
    """Tell who asked why nothing was imported."""
    return send_notification_with_action(user, EVENT_IMPORT_FAIL, about, error_text=error_text)


# --- payments


def send_notif_monthly_fee_payment(
    user: User, invoice: EventInvoice, link: str, about: About | None = None
) -> Notification | None:
    """Ask an owner to pay the platform's share of a month's sales."""
    about = about or About(link=link)
    return send_notification_with_action(user, MONTHLY_PAYMENT_NOTIF, about, **amount_of(invoice), payment_url=link)


def send_followup_notif_monthly_fee_payment(
    user: User, invoice: EventInvoice, link: str, about: About | None = None
) -> Notification | None:
    """Remind an owner of an invoice."""
    about, values = about or About(link=link), amount_of(invoice)
    return send_notification_with_action(user, MONTHLY_PAYMENT_FOLLOWUP_NOTIF, about, **values, payment_url=link)
