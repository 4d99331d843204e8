"""The texts of the mails: subject and message of each action; the frame around them is templates/mail/layout.html."""

from __future__ import annotations

from typing import Final

from app.api.helpers.templates import Compiled, MailTemplate, compile_mail
from app.language import LANGUAGES, msg
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
)

MAILS: Final[dict[str, MailTemplate]] = {
    # --- accounts
    USER_REGISTER: {
        "recipient": "User",
        "trigger": "POST /v1/users",
        "subject": msg("Welcome to {app_name}"),
        "message": msg(
            "<p>Hello {email},</p>"
            "<p>your account is ready. You can create events as soon as this address is confirmed.</p>"
        ),
    },
    USER_REGISTER_WITH_PASSWORD: {
        "recipient": "User",
        "trigger": "POST /v1/users with was-registered-with-order",
        "subject": msg("Your {app_name} account for the order"),
        "message": msg(
            "<p>Hello {email},</p>"
            "<p>an account was made for you while you ordered tickets, so that you find them again.</p>"
            "<p>To log in, set a password of your own: ask for a new one on the login page with this address.</p>"
        ),
    },
    USER_CONFIRM: {
        "recipient": "User",
        "trigger": "POST /v1/users; PATCH /v1/users/<id> with a new e-mail address",
        "subject": msg("Please confirm your e-mail address"),
        "message": msg(
            "<p>Hello {email},</p>"
            "<p>please confirm that this address is yours.</p>"
            "<p><a class='button' href='{link}'>Confirm the address</a></p>"
            "<p class='small'>The link works once, for two days. If you did not sign up, do nothing.</p>"
        ),
        "secret": "link",
        "critical": True,
    },
    USER_CHANGE_EMAIL: {
        "recipient": "User, at the old and the new address",
        "trigger": "PATCH /v1/users/<id> with a new e-mail address",
        "subject": msg("Your e-mail address is about to change"),
        "message": msg(
            "<p>Hello,</p>"
            "<p>the address of your account is to change from <strong>{email}</strong> to "
            "<strong>{new_email}</strong>. The new one counts as soon as it is confirmed, by the link in the mail that "
            "was sent there.</p>"
            "<p>If that was not you, set a new password at once.</p>"
        ),
    },
    PASSWORD_RESET: {
        "recipient": "User",
        "trigger": "POST /v1/auth/reset-password",
        "subject": msg("Set a new password for {app_name}"),
        "message": msg(
            "<p>Hello,</p>"
            "<p>somebody, probably you, asked for a new password.</p>"
            "<p><a class='button' href='{link}'>Set a new password</a></p>"
            "<p class='small'>The link works once, for one hour. If it was not you, do nothing: "
            "your password stays as it is.</p>"
        ),
        "secret": "link",
        "critical": True,
    },
    PASSWORD_CHANGE: {
        "recipient": "User",
        "trigger": "POST /v1/auth/change-password; PATCH /v1/auth/reset-password",
        "subject": msg("Your {app_name} password was changed"),
        "message": msg(
            "<p>Hello,</p>"
            "<p>the password of your account was changed, and every earlier login has ended.</p>"
            "<p>If that was not you, set a new password at once.</p>"
        ),
    },
    # --- events
    EVENT_ROLE: {
        "recipient": "User, or whoever has the address",
        "trigger": "POST /v1/role-invites",
        "subject": msg("You are invited to be {role} of {event}"),
        "message": msg(
            "<p>Hello {email},</p>"
            "<p>you are invited to be <strong>{role}</strong> of <strong>{event}</strong>.</p>"
            "<p><a class='button' href='{link}'>Answer the invitation</a></p>"
            "<p class='small'>The link is for you alone. If you do not know the event, do nothing.</p>"
        ),
        "secret": "link",
    },
    INVITE_PAPERS: {
        "recipient": "Speaker",
        "trigger": "POST /v1/paper-invites",
        "subject": msg("Will you speak at {event_name}?"),
        "message": msg(
            "<p>Hello {email},</p>"
            "<p>the organizers of <strong>{event_name}</strong> invite you to propose a session.</p>"
            "<p><a class='button' href='{link}'>Read the call for papers</a></p>"
        ),
    },
    EVENT_PUBLISH: {
        "recipient": "Owner, Organizer, Coorganizer, Speaker",
        "trigger": "PATCH /v1/events/<id>, state from draft to published",
        "subject": msg("{event_name} is published"),
        "message": msg(
            "<p>Hello {email},</p>"
            "<p><strong>{event_name}</strong> is now visible to everybody.</p>"
            "<p><a class='button' href='{link}'>Look at the event</a></p>"
        ),
        "bulk": True,
    },
    NEXT_EVENT: {
        "recipient": "Owner, Organizer, Coorganizer, Speaker",
        "trigger": "beat: a week before a published event begins",
        "subject": msg("{event_name} begins soon"),
        "message": msg(
            "<p>Hello {email},</p>"
            "<p>this is next for you: {up_coming_events}.</p>"
            "<p><a class='button' href='{link}'>Look at the event</a></p>"
        ),
        "bulk": True,
    },
    AFTER_EVENT: {
        "recipient": "Owner, Organizer, Coorganizer, Speaker",
        "trigger": "beat: a day after a published event has ended",
        "subject": msg("{event_name} is over"),
        "message": msg(
            "<p>Hello {email},</p><p>thank you for making it happen. What is next for you: {upcoming_events}.</p>"
        ),
        "bulk": True,
    },
    # --- sessions
    NEW_SESSION: {
        "recipient": "Owner, Organizer, Coorganizer, Speaker",
        "trigger": "POST /v1/sessions",
        "subject": msg("New session proposal for {event_name}"),
        "message": msg(
            "<p>Hello {email},</p>"
            "<p>a new session was proposed for <strong>{event_name}</strong>.</p>"
            "<p><a class='button' href='{link}'>Look at the proposal</a></p>"
        ),
    },
    SESSION_ACCEPT_REJECT: {
        "recipient": "Speaker",
        "trigger": "PATCH /v1/sessions/<id>, state to accepted or rejected",
        "subject": msg("{session_name} was {acceptance}"),
        "message": msg(
            "<p>Hello {email},</p>"
            "<p>the session <strong>{session_name}</strong> was <strong>{acceptance}</strong> by the organizers.</p>"
            "<p><a class='button' href='{link}'>Look at the session</a></p>"
        ),
    },
    SESSION_SCHEDULE: {
        "recipient": "Owner, Organizer, Coorganizer, Speaker",
        "trigger": "PATCH /v1/sessions/<id>, starts-at or ends-at",
        "subject": msg("The time of {session_name} has changed"),
        "message": msg(
            "<p>Hello {email},</p>"
            "<p>the session <strong>{session_name}</strong> has a new time: <strong>{session_time}</strong>.</p>"
            "<p><a class='button' href='{link}'>Look at the session</a></p>"
        ),
    },
    # --- orders
    TICKET_PURCHASED: {
        "recipient": "User",
        "trigger": "PATCH /v1/orders/<id>, status to completed; POST /v1/orders/resend-email",
        "subject": msg("Your order {invoice_id} for {event_name}"),
        "message": msg(
            "<p>Hello,</p>"
            "<p>your order for <strong>{event_name}</strong> is complete: {event_time}. It comes to {amount}.</p>"
            "<p><a class='button' href='{order_url}'>Look at the order</a></p>"
        ),
    },
    TICKET_PURCHASED_ATTENDEE: {
        "recipient": "Attendee",
        "trigger": "PATCH /v1/orders/<id>, status to completed; POST /v1/orders/resend-email",
        "subject": msg("Your ticket for {event_name} ({invoice_id})"),
        "message": msg(
            "<p>Hello,</p>"
            "<p>you have a ticket for <strong>{event_name}</strong>: {event_time}.</p>"
            "<p><a class='button' href='{ticket_url}'>Look at the ticket</a></p>"
        ),
    },
    TICKET_PURCHASED_ORGANIZER: {
        "recipient": "Owner, Organizer, Coorganizer",
        "trigger": "PATCH /v1/orders/<id>, status to completed",
        "subject": msg("{buyer_email} ordered tickets for {event_name} ({invoice_id})"),
        "message": msg(
            "<p>Hello,</p>"
            "<p>{buyer_email} ordered tickets for <strong>{event_name}</strong> for {amount}.</p>"
            "<p><a class='button' href='{order_url}'>Look at the order</a></p>"
        ),
    },
    TICKET_CANCELLED: {
        "recipient": "User",
        "trigger": "PATCH /v1/orders/<id>, status to cancelled",
        "subject": msg("Your order {invoice_id} for {event_name} was cancelled"),
        "message": msg(
            "<p>Hello,</p>"
            "<p>your order for <strong>{event_name}</strong> was cancelled. {cancel_note}</p>"
            "<p><a class='button' href='{order_url}'>Look at the order</a></p>"
        ),
    },
    MAIL_TO_EXPIRED_ORDERS: {
        "recipient": "User",
        "trigger": "beat: an order was not completed within order-expiry-time (settings)",
        "subject": msg("Your order for {event_name} has expired"),
        "message": msg(
            "<p>Hello,</p>"
            "<p>your order {invoice_id} was not completed in time, so its tickets are free for others again.</p>"
            "<p><a class='button' href='{order_url}'>Look at the order</a></p>"
        ),
    },
    # --- what exports and imports came to
    EVENT_EXPORTED: {
        "recipient": "User",
        "trigger": "POST /v1/event-exports, when it has succeeded",
        "subject": msg("The export of {event_name} is ready"),
        "message": msg(
            "<p>Hello,</p>"
            "<p>the file is ready; it is kept for seven days.</p>"
            "<p><a class='button' href='{download_url}'>Download the file</a></p>"
        ),
    },
    EVENT_EXPORT_FAIL: {
        "recipient": "User",
        "trigger": "POST /v1/event-exports, when it has failed",
        "subject": msg("The export of {event_name} has failed"),
        "message": msg("<p>Hello,</p><p>the event could not be exported: {error_text}</p>"),
    },
    EVENT_IMPORTED: {
        "recipient": "User",
        "trigger": "POST /v1/event-imports, when it has succeeded",
        "subject": msg("{event_name} was imported"),
        "message": msg(
            "<p>Hello,</p>"
            "<p>the event is there, with its sessions and speakers, as a draft that only you see.</p>"
            "<p><a class='button' href='{event_url}'>Look at the event</a></p>"
        ),
    },
    EVENT_IMPORT_FAIL: {
        "recipient": "User",
        "trigger": "POST /v1/event-imports, when it has failed",
        "subject": msg("Your import has failed"),
        "message": msg("<p>Hello,</p><p>nothing was imported: {error_text}</p>"),
    },
    # --- payments
    MONTHLY_PAYMENT_EMAIL: {
        "recipient": "Owner",
        "trigger": "beat: on the 1st of a month, if service-fee (settings) of the last month's orders is above 0",
        "subject": msg("Your invoice of {date} for {event_name}"),
        "message": msg(
            "<p>Hello,</p>"
            "<p>for the tickets of <strong>{event_name}</strong> sold in {date}, {app_name} asks for "
            "<strong>{amount}</strong>.</p>"
            "<p><a class='button' href='{payment_url}'>Pay the invoice</a></p>"
        ),
        "bulk": True,
    },
    MONTHLY_PAYMENT_FOLLOWUP_EMAIL: {
        "recipient": "Owner",
        "trigger": "beat: on the 15th of a month, if the invoice is still due",
        "subject": msg("Reminder: your invoice of {date} for {event_name}"),
        "message": msg(
            "<p>Hello,</p>"
            "<p>the invoice for the tickets of <strong>{event_name}</strong> sold in {date} is still open: "
            "<strong>{amount}</strong>. If you have paid {app_name} in the meantime, do nothing.</p>"
            "<p><a class='button' href='{payment_url}'>Pay the invoice</a></p>"
        ),
        "bulk": True,
    },
}

# By action, then by language.
MAIL_TEMPLATES: Final[dict[str, dict[str, Compiled]]] = {
    action: {language: compile_mail(action, entry, language) for language in LANGUAGES}
    for action, entry in MAILS.items()
}
CRITICAL: Final = frozenset(action for action, entry in MAILS.items() if entry.get("critical"))
# Those that go to many and that nobody waits for: in the lane behind the others.
IN_BULK: Final = frozenset(action for action, entry in MAILS.items() if entry.get("bulk"))
