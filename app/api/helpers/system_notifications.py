"""The texts of the notifications: what the app shows for each action."""

from __future__ import annotations

from typing import Final

from app.api.helpers.templates import Compiled, NotifTemplate, compile_notification
from app.language import LANGUAGES, msg
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

NOTIFS: Final[dict[str, NotifTemplate]] = {
    # --- accounts
    USER_CHANGE_EMAIL: {
        "recipient": "User",
        "trigger": "PATCH /v1/users/<id> with a new e-mail address",
        "title": msg("Your e-mail address is about to change"),
        "message": msg(
            "The address of your account is to change from <strong>{email}</strong> to <strong>{new_email}</strong>, "
            "once the new one is confirmed."
        ),
    },
    PASSWORD_CHANGE: {
        "recipient": "User",
        "trigger": "POST /v1/auth/change-password; PATCH /v1/auth/reset-password",
        "title": msg("Your {app_name} password was changed"),
        "message": msg(
            "Your password was changed. If that was not you, set a new one at once and tell the organizers."
        ),
    },
    # --- events
    EVENT_ROLE_INVITE: {
        "recipient": "User",
        "trigger": "POST /v1/role-invites",
        "title": msg("You are invited to be {role_name} of {event_name}"),
        "message": msg(
            "You are invited to be <strong>{role_name}</strong> of <strong>{event_name}</strong>."
            "<br><a href='{link}'>Answer the invitation</a>"
        ),
    },
    INVITE_PAPERS: {
        "recipient": "User",
        "trigger": "POST /v1/paper-invites",
        "title": msg("Will you speak at {event_name}?"),
        "message": msg(
            "The organizers of <strong>{event_name}</strong> invite you to propose a session."
            "<br><a href='{cfs_link}'>Read the call for papers</a> <a href='{submit_link}'>Propose a session</a>"
        ),
    },
    EVENT_PUBLISH: {
        "recipient": "Owner, Organizer, Coorganizer, Speaker",
        "trigger": "PATCH /v1/events/<id>, state from draft to published",
        "title": msg("{event_name} is published"),
        "message": msg(
            "<strong>{event_name}</strong> is now visible to everybody.<br><a href='{link}'>Look at the event</a>"
        ),
    },
    NEXT_EVENT: {
        "recipient": "Owner, Organizer, Coorganizer, Speaker",
        "trigger": "beat: a week before a published event begins",
        "title": msg("{event_name} begins soon"),
        "message": msg("This is next for you: {up_coming_events}.<br><a href='{link}'>Look at the event</a>"),
    },
    AFTER_EVENT: {
        "recipient": "Owner, Organizer, Coorganizer, Speaker",
        "trigger": "beat: a day after a published event has ended",
        "title": msg("{event_name} is over"),
        "message": msg("<strong>{event_name}</strong> is over. Thank you for making it happen."),
    },
    # --- sessions
    NEW_SESSION: {
        "recipient": "Owner, Organizer, Coorganizer",
        "trigger": "POST /v1/sessions",
        "title": msg("New session proposal for {event_name}"),
        "message": msg(
            "A new session was proposed for <strong>{event_name}</strong>.<br><a href='{link}'>Look at the proposal</a>"
        ),
    },
    SESSION_ACCEPT_REJECT: {
        "recipient": "Speaker",
        "trigger": "PATCH /v1/sessions/<id>, state to accepted or rejected",
        "title": msg("{session_name} was {acceptance}"),
        "message": msg(
            "Your session <strong>{session_name}</strong> was <strong>{acceptance}</strong>."
            "<br><a href='{link}'>Look at the session</a>"
        ),
    },
    SESSION_SCHEDULE: {
        "recipient": "Owner, Organizer, Coorganizer, Speaker",
        "trigger": "PATCH /v1/sessions/<id>, starts-at or ends-at",
        "title": msg("The time of {session_name} has changed"),
        "message": msg(
            "<strong>{session_name}</strong> has a new time: {session_time}."
            "<br><a href='{link}'>Look at the session</a>"
        ),
    },
    # --- orders
    TICKET_PURCHASED: {
        "recipient": "User",
        "trigger": "PATCH /v1/orders/<id>, status to completed",
        "title": msg("Your order {invoice_id} is complete"),
        "message": msg("The tickets are yours.<br><a href='{order_url}'>Look at the order</a>"),
    },
    TICKET_PURCHASED_ATTENDEE: {
        "recipient": "Attendee with an account",
        "trigger": "PATCH /v1/orders/<id>, status to completed",
        "title": msg("You have a ticket for {event_name}"),
        "message": msg("Somebody ordered a ticket for you.<br><a href='{ticket_url}'>Look at the ticket</a>"),
    },
    TICKET_PURCHASED_ORGANIZER: {
        "recipient": "Owner, Organizer, Coorganizer",
        "trigger": "PATCH /v1/orders/<id>, status to completed",
        "title": msg("Tickets for {event_name} were ordered ({invoice_id})"),
        "message": msg("An order was completed.<br><a href='{order_url}'>Look at the order</a>"),
    },
    TICKET_RESEND_ORGANIZER: {
        "recipient": "Owner, Organizer, Coorganizer",
        "trigger": "POST /v1/orders/resend-email",
        "title": msg("The tickets of {buyer_email} for {event_name} were sent again ({invoice_id})"),
        "message": msg("The mails with the tickets of that order were sent once more."),
    },
    TICKET_CANCELLED: {
        "recipient": "User",
        "trigger": "PATCH /v1/orders/<id>, status to cancelled",
        "title": msg("Your order {invoice_id} for {event_name} was cancelled"),
        "message": msg("Your order for <strong>{event_name}</strong> was cancelled. {cancel_note}"),
    },
    TICKET_CANCELLED_ORGANIZER: {
        "recipient": "Owner, Organizer, Coorganizer",
        "trigger": "PATCH /v1/orders/<id>, status from completed to cancelled",
        "title": msg("The order {invoice_id} was cancelled"),
        "message": msg("The order {invoice_id} for <strong>{event_name}</strong> was cancelled. {cancel_note}"),
    },
    # --- what exports and imports came to
    EVENT_EXPORTED: {
        "recipient": "User",
        "trigger": "POST /v1/event-exports, when it has succeeded",
        "title": msg("The export of {event_name} is ready"),
        "message": msg(
            "The file of <strong>{event_name}</strong> is ready.<br><a href='{download_url}'>Download the file</a>"
        ),
    },
    EVENT_EXPORT_FAIL: {
        "recipient": "User",
        "trigger": "POST /v1/event-exports, when it has failed",
        "title": msg("The export of {event_name} has failed"),
        "message": msg("The event could not be exported: {error_text}"),
    },
    EVENT_IMPORTED: {
        "recipient": "User",
        "trigger": "POST /v1/event-imports, when it has succeeded",
        "title": msg("{event_name} was imported"),
        "message": msg(
            "<strong>{event_name}</strong> is there, with its sessions and speakers, as a draft."
            "<br><a href='{event_url}'>Look at the event</a>"
        ),
    },
    EVENT_IMPORT_FAIL: {
        "recipient": "User",
        "trigger": "POST /v1/event-imports, when it has failed",
        "title": msg("Your import has failed"),
        "message": msg("Nothing was imported: {error_text}"),
    },
    # --- payments
    MONTHLY_PAYMENT_NOTIF: {
        "recipient": "Owner",
        "trigger": "beat: on the 1st of a month, if service-fee (settings) of the last month's orders is above 0",
        "title": msg("Your invoice of {date} for {event_name}"),
        "message": msg(
            "For the tickets of <strong>{event_name}</strong> sold in {date}, {app_name} asks for {amount}."
            "<br><a href='{payment_url}'>Pay the invoice</a>"
        ),
    },
    MONTHLY_PAYMENT_FOLLOWUP_NOTIF: {
        "recipient": "Owner",
        "trigger": "beat: on the 15th of a month, if the invoice is still due",
        "title": msg("Reminder: your invoice of {date} for {event_name}"),
        "message": msg(
            "The invoice for the tickets of <strong>{event_name}</strong> sold in {date} is still open: "
            "{app_name} asks for {amount}.<br><a href='{payment_url}'>Pay the invoice</a>"
        ),
    },
}

# By action, then by language.
NOTIF_TEMPLATES: Final[dict[str, dict[str, Compiled]]] = {
    action: {language: compile_notification(action, entry, language) for language in LANGUAGES}
    for action, entry in NOTIFS.items()
}
