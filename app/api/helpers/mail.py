"""Queueing mails: one general function, and a thin one for each action.

All of them only add rows to the caller's transaction and never talk to the network: a mail leaves after the commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from app.api.helpers.addresses import AddressError
from app.api.helpers.attachments import attachment
from app.api.helpers.batches import create_batch
from app.api.helpers.many_mails import send_emails, send_emails_formatted
from app.api.helpers.queueing import AT_ONCE, Addresses, Sending, queue, render_for
from app.api.helpers.recipients import Recipient, recipient
from app.api.helpers.sending_errors import AttachmentError, KeyReusedError, SendingError
from app.api.helpers.settings import get_settings
from app.api.helpers.templates import MASK, Rendered, html_to_text, one_line
from app.api.helpers.wording import amount_of, cancellation_of, names_of, time_of
from app.delivery.desk.work import cancel_email
from app.language import Moment, Money, Value, Word
from app.models import EventInvoice, Mail, Order, Session, User
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
    MailBatch,
)

# Whom a mail goes to; where it is written in words of ours, in that person's language.
To = str | User | Recipient


def send_email(  # noqa: PLR0913, PLR0917 - Open Event's signature, which other resources call, and how it is to go
    to: To,
    action: str,
    subject: str,
    html: str,
    bcc: Addresses = None,
    reply_to: Addresses = None,
    attachments: Sequence[MailAttachment] | None = (),
    *,
    key: str | None = None,
    send_at: datetime | None = None,
    lane: int | None = None,
    batch: MailBatch | None = None,
) -> Mail | None:
    """Queue a mail.

    Args:
        to: an address, a user, or an address with its language.
        action: what kind of thing happened: one of the constants in `app.models.mail`, or your own.
        subject: one line; control characters and line breaks are taken out.
        html: the message; values of other people in it must be escaped (the functions below do that).
        bcc: further recipients whom nobody sees, at most 100; for more see `send_emails`.
        reply_to: where answers go, one address or several.
        attachments: files, each made by `attachment`.
        key: what the caller calls this message: one message for one key, however often it is asked for.
        send_at: when it is to leave, with a timezone; by default at once, which is milliseconds after the commit.
        lane: `TRANSACTIONAL` or `BULK`; by default the action's.
        batch: the batch that it belongs to (see `create_batch`).

    Returns:
        The row, in the caller's session and not committed; the row that is there, if its key is; None if the admins
        switched this action's mails off.

    Raises:
        AddressError: an address cannot be one (it is empty, has a line break, or is two addresses).
        KeyReusedError: the key stands for another message.
        AttachmentError: an essential file cannot go.
        SendingError: there are too many addresses, or `send_at` cannot be.
    """
    sending = Sending(bcc, reply_to, attachments or (), key, send_at, lane, batch)
    rendered = Rendered(line=one_line(subject), html=html, text=html_to_text(html))
    return queue(recipient(to), action, rendered, sending, (rendered.line, html))


def send_email_with_action(to: To, action: str, sending: Sending = AT_ONCE, /, **values: Value) -> Mail | None:
    """Queue a mail in the words of `MAILS[action]`, in the recipient's language, filled with `values`.

    Where the words have `{email}` and no value is given for it, it is the recipient's address.

    Args:
        to: an address, a user, or an address with its language.
        action: a key of `MAILS`.
        sending: how it is to go: by default at once, in the action's lane.
        values: what stands in the template's braces.

    Raises:
        TemplateError: a value is missing, or one has no place in the template.
        AddressError: see `send_email`, as for the errors of `sending`.
    """
    who = recipient(to)
    rendered, said = render_for(who, action, values)
    return queue(who, action, rendered, sending, said)


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


def send_email_event_publish(email: To, event_name: str, link: str, sending: Sending = AT_ONCE) -> Mail | None:
    """Tell an organizer or a speaker that the event is published."""
    return send_email_with_action(email, EVENT_PUBLISH, sending, event_name=event_name, link=link)


def send_email_next_event(
    email: To, event_name: str, up_coming_events: Value, link: str, sending: Sending = AT_ONCE
) -> Mail | None:
    """Tell an organizer or a speaker that the event begins soon."""
    values: dict[str, Value] = {"event_name": event_name, "link": link}
    return send_email_with_action(email, NEXT_EVENT, sending, **values, up_coming_events=up_coming_events)


def send_email_after_event(
    email: To, event_name: str, upcoming_events: Value, sending: Sending = AT_ONCE
) -> Mail | None:
    """Tell an organizer or a speaker that the event is over."""
    values: dict[str, Value] = {"event_name": event_name, "upcoming_events": upcoming_events}
    return send_email_with_action(email, AFTER_EVENT, sending, **values)


# --- sessions


def send_email_new_session(email: To, event_name: str, link: str) -> Mail | None:
    """Tell an organizer or a speaker that a session was proposed."""
    return send_email_with_action(email, NEW_SESSION, event_name=event_name, link=link)


def send_email_session_accept_reject(email: To, session: Session, link: str) -> Mail | None:
    """Tell a speaker that a session was accepted or rejected."""
    values: dict[str, Value] = {"session_name": session.title, "acceptance": Word(session.state)}
    return send_email_with_action(email, SESSION_ACCEPT_REJECT, **values, link=link)


def send_email_session_schedule(email: To, session: Session, link: str, sending: Sending = AT_ONCE) -> Mail | None:
    """Tell an organizer or a speaker when a session is now."""
    values: dict[str, Value] = {"session_name": session.title, "session_time": time_of(session)}
    return send_email_with_action(email, SESSION_SCHEDULE, sending, **values, link=link)


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


__all__ = [
    "AT_ONCE",
    "MASK",
    "AddressError",
    "AttachmentError",
    "KeyReusedError",
    "MailAttachment",
    "Sending",
    "SendingError",
    "attachment",
    "cancel_email",
    "create_batch",
    "send_email",
    "send_email_with_action",
    "send_emails",
    "send_emails_formatted",
]
