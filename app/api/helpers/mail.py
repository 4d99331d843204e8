"""Queueing mails: one general function, and a thin one for each action.

All of them only add rows to the caller's transaction and never talk to the network: a mail leaves after the commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

from app.api.helpers.addresses import AddressError, check_address
from app.api.helpers.log import record_activity
from app.api.helpers.recipients import Recipient, recipient
from app.api.helpers.settings import get_settings, mail_is_on
from app.api.helpers.system_mails import MAIL_TEMPLATES
from app.api.helpers.templates import MASK, Rendered, html_to_text, one_line, render
from app.api.helpers.wording import amount_of, cancellation_of, names_of, time_of
from app.language import Moment, Money, Value, Word, best_language
from app.models import EventInvoice, Mail, Order, Session, User, db
from app.models.mail import (
    AFTER_EVENT,
    EVENT_EXPORT_FAIL,
    EVENT_EXPORTED,
    EVENT_IMPORT_FAIL,
    EVENT_IMPORTED,
    EVENT_PUBLISH,
    EVENT_ROLE,
    INVITE_PAPERS,
    MAIL_TO_EXPIRED_ORDERS,
    MONTHLY_PAYMENT_EMAIL,
    MONTHLY_PAYMENT_FOLLOWUP_EMAIL,
    NEW_SESSION,
    NEXT_EVENT,
    PASSWORD_CHANGE,
    PASSWORD_RESET,
    SESSION_ACCEPT_REJECT,
    SESSION_SCHEDULE,
    TICKET_CANCELLED,
    TICKET_PURCHASED,
    TICKET_PURCHASED_ATTENDEE,
    TICKET_PURCHASED_ORGANIZER,
    USER_CHANGE_EMAIL,
    USER_CONFIRM,
    USER_REGISTER,
    USER_REGISTER_WITH_PASSWORD,
    MailAttachment,
)

Addresses = str | Sequence[str] | None
# Whom a mail goes to; where it is written in words of ours, in that person's language.
To = str | User | Recipient


def send_email(  # noqa: PLR0913, PLR0917 - Open Event's signature, which other resources call
    to: To,
    action: str,
    subject: str,
    html: str,
    bcc: Addresses = None,
    reply_to: Addresses = None,
    attachments: Sequence[MailAttachment] = (),
) -> Mail | None:
    """Queue a mail.

    Args:
        to: an address, a user, or an address with its language.
        action: what kind of thing happened: one of the constants in `app.models.mail`, or your own.
        subject: one line; control characters and line breaks are taken out.
        html: the message; values of other people in it must be escaped (the functions below do that).
        bcc: further recipients whom nobody sees.
        reply_to: where answers go, one address or several.
        attachments: files, with their bytes.

    Returns:
        The row, in the caller's session and not committed; None if the admins switched this action's mails off.

    Raises:
        AddressError: an address cannot be one (it is empty, has a line break, or is two addresses).
    """
    rendered = Rendered(line=one_line(subject), html=html, text=html_to_text(html))
    mail = _queue(recipient(to), action, rendered)
    if mail is not None:
        mail.bcc = _addresses(bcc)
        mail.reply_to = _addresses(reply_to)
        mail.attachments = list(attachments or ())
    return mail


def send_email_with_action(to: To, action: str, **values: Value) -> Mail | None:
    """Queue a mail in the words of `MAILS[action]`, in the recipient's language, filled with `values`.

    Where the words have `{email}` and no value is given for it, it is the recipient's address.

    Raises:
        TemplateError: a value is missing, or one has no place in the template.
        AddressError: see `send_email`.
    """
    who = recipient(to)
    template = MAIL_TEMPLATES[action][best_language(who.language)]
    if "email" in template.placeholders:
        values.setdefault("email", who.address)
    return _queue(who, action, render(template, values, who.language))


# --- accounts


def send_email_user_register(email: To) -> Mail | None:
    """Welcome a new user."""
    return send_email_with_action(email, USER_REGISTER, app_name=get_settings().app_name)


def send_email_user_register_with_password(email: To) -> Mail | None:
    """Tell somebody that an account was made while tickets were ordered."""
    return send_email_with_action(email, USER_REGISTER_WITH_PASSWORD, app_name=get_settings().app_name)


def send_email_confirmation(email: To, link: str) -> Mail | None:
    """Ask a user to confirm the address; the link carries a token, which only its recipient can read."""
    return send_email_with_action(email, USER_CONFIRM, link=link)


def send_email_change_user_email(to: To, email: str, new_email: str) -> Mail | None:
    """Tell somebody, at the old or the new address, that the one of the account is to change to the other."""
    return send_email_with_action(to, USER_CHANGE_EMAIL, email=email, new_email=new_email)


def send_email_password_reset(email: To, link: str) -> Mail | None:
    """Send the link to a new password; it carries a token, which only its recipient can read."""
    return send_email_with_action(email, PASSWORD_RESET, app_name=get_settings().app_name, link=link)


def send_email_password_change(email: To) -> Mail | None:
    """Tell a user that the password was changed."""
    return send_email_with_action(email, PASSWORD_CHANGE, app_name=get_settings().app_name)


# --- events


def send_email_role_invite(email: To, role_name: str, event_name: str, link: str) -> Mail | None:
    """Ask somebody to take a role; the link carries a token, which only its recipient can read."""
    values: dict[str, Value] = {"role": Word(role_name), "event": event_name, "link": link}
    return send_email_with_action(email, EVENT_ROLE, **values)


def send_email_invite_papers(email: To, event_name: str, link: str) -> Mail | None:
    """Ask somebody to propose a session."""
    return send_email_with_action(email, INVITE_PAPERS, event_name=event_name, link=link)


def send_email_event_publish(email: To, event_name: str, link: str) -> Mail | None:
    """Tell an organizer or a speaker that the event is published."""
    return send_email_with_action(email, EVENT_PUBLISH, event_name=event_name, link=link)


def send_email_next_event(email: To, event_name: str, up_coming_events: Value, link: str) -> Mail | None:
    """Tell an organizer or a speaker that the event begins soon."""
    values: dict[str, Value] = {"event_name": event_name, "link": link}
    return send_email_with_action(email, NEXT_EVENT, **values, up_coming_events=up_coming_events)


def send_email_after_event(email: To, event_name: str, upcoming_events: Value) -> Mail | None:
    """Tell an organizer or a speaker that the event is over."""
    values: dict[str, Value] = {"event_name": event_name, "upcoming_events": upcoming_events}
    return send_email_with_action(email, AFTER_EVENT, **values)


# --- sessions


def send_email_new_session(email: To, event_name: str, link: str) -> Mail | None:
    """Tell an organizer or a speaker that a session was proposed."""
    return send_email_with_action(email, NEW_SESSION, event_name=event_name, link=link)


def send_email_session_accept_reject(email: To, session: Session, link: str) -> Mail | None:
    """Tell a speaker that a session was accepted or rejected."""
    values: dict[str, Value] = {"session_name": session.title, "acceptance": Word(session.state)}
    return send_email_with_action(email, SESSION_ACCEPT_REJECT, **values, link=link)


def send_email_session_schedule(email: To, session: Session, link: str) -> Mail | None:
    """Tell an organizer or a speaker when a session is now."""
    values: dict[str, Value] = {"session_name": session.title, "session_time": time_of(session)}
    return send_email_with_action(email, SESSION_SCHEDULE, **values, link=link)


# --- orders


def send_email_ticket_purchased(email: To, order: Order, order_url: str) -> Mail | None:
    """Tell the buyer that the order is complete."""
    values: dict[str, Value] = {"event_time": _time_of(order), "amount": Money(order.amount, order.currency)}
    return send_email_with_action(email, TICKET_PURCHASED, **values, **names_of(order), order_url=order_url)


def send_email_ticket_purchased_attendee(email: To, order: Order, ticket_url: str) -> Mail | None:
    """Tell an attendee of the ticket."""
    values: dict[str, Value] = {"event_time": _time_of(order), "ticket_url": ticket_url}
    return send_email_with_action(email, TICKET_PURCHASED_ATTENDEE, **values, **names_of(order))


def send_email_ticket_purchased_organizer(email: To, order: Order, order_url: str) -> Mail | None:
    """Tell an organizer of a sale."""
    values: dict[str, Value] = {"buyer_email": order.user.email, "amount": Money(order.amount, order.currency)}
    return send_email_with_action(email, TICKET_PURCHASED_ORGANIZER, **values, **names_of(order), order_url=order_url)


def send_email_ticket_cancelled(email: To, order: Order, order_url: str) -> Mail | None:
    """Tell the buyer that the order was cancelled, and why, if somebody wrote it down."""
    return send_email_with_action(email, TICKET_CANCELLED, **cancellation_of(order), order_url=order_url)


def send_email_expired_order(email: To, order: Order, order_url: str) -> Mail | None:
    """Tell the buyer that the order was not completed in time."""
    return send_email_with_action(email, MAIL_TO_EXPIRED_ORDERS, **names_of(order), order_url=order_url)


# --- what exports and imports came to


def send_email_event_exported(email: To, event_name: str, download_url: str) -> Mail | None:
    """Tell who asked that the file is ready."""
    return send_email_with_action(email, EVENT_EXPORTED, event_name=event_name, download_url=download_url)


def send_email_event_export_fail(email: To, event_name: str, error_text: str) -> Mail | None:
    """Tell who asked why there is no file."""
    return send_email_with_action(email, EVENT_EXPORT_FAIL, event_name=event_name, error_text=error_text)


def send_email_event_imported(email: To, event_name: str, event_url: str) -> Mail | None:
    """Tell who asked that the event is there."""
    return send_email_with_action(email, EVENT_IMPORTED, event_name=event_name, event_url=event_url)


def send_email_event_import_fail(email: To, error_text: str) -> Mail | None:
    """Tell who asked why nothing was imported."""
    return send_email_with_action(email, EVENT_IMPORT_FAIL, error_text=error_text)


# --- payments


def send_email_for_monthly_fee_payment(email: To, invoice: EventInvoice, link: str) -> Mail | None:
    """Ask an owner to pay the platform's share of a month's sales."""
    return send_email_with_action(email, MONTHLY_PAYMENT_EMAIL, **amount_of(invoice), payment_url=link)


def send_followup_email_for_monthly_fee_payment(email: To, invoice: EventInvoice, link: str) -> Mail | None:
    """Remind an owner of an invoice."""
    return send_email_with_action(email, MONTHLY_PAYMENT_FOLLOWUP_EMAIL, **amount_of(invoice), payment_url=link)


def _time_of(order: Order) -> Value:
    return Moment(order.event.starts_at, order.event.timezone)


def _queue(to: Recipient, action: str, rendered: Rendered) -> Mail | None:
    if not mail_is_on(action):
        return None
    mail = Mail(
        recipient=to.address,
        language=best_language(to.language),
        action=action,
        subject=rendered.line or action,
        message=rendered.html,
        text=rendered.text or rendered.line or action,
        secret=rendered.secret,
        message_id=f"{uuid4().hex}@{get_settings().email_from.rpartition('@')[2]}",
    )
    db.session.add(mail)
    record_activity("mail_event", email=to.address, action=action, subject=mail.subject)
    return mail


def _addresses(value: Addresses) -> list[str]:
    """One address, several, or none, as a list without repetitions."""
    several = [value] if isinstance(value, str) else list(value or ())
    return list(dict.fromkeys(check_address(address) for address in several))


__all__ = ["MASK", "AddressError", "MailAttachment", "send_email", "send_email_with_action"]
