"""The texts of the mails: subject and message of each action; the frame around them is templates/mail/layout.html."""

from __future__ import annotations

from typing import Final

from app.api.helpers.templates import Compiled, MailTemplate, compile_mail
from app.models.mail import (
    NEW_SESSION,
    PASSWORD_CHANGE,
    PASSWORD_RESET,
    SESSION_ACCEPT_REJECT,
    USER_CONFIRM,
    USER_REGISTER,
)

MAILS: Final[dict[str, MailTemplate]] = {
    USER_REGISTER: {
        "recipient": "User",
        "subject": "Welcome to {app_name}",
        "message": (
            "<p>Hello {email},</p>"
            "<p>your account is ready. A second mail asks you to confirm this address: "
            "until then you cannot create events.</p>"
        ),
    },
    USER_CONFIRM: {
        "recipient": "User",
        "subject": "Please confirm your e-mail address",
        "message": (
            "<p>Hello {email},</p>"
            "<p>please confirm that this address is yours.</p>"
            "<p><a class='button' href='{link}'>Confirm the address</a></p>"
            "<p class='small'>The link works once, for two days. If you did not sign up, do nothing.</p>"
        ),
        "secret": "link",
    },
    PASSWORD_RESET: {
        "recipient": "User",
        "subject": "Set a new password for {app_name}",
        "message": (
            "<p>Hello,</p>"
            "<p>somebody, probably you, asked for a new password.</p>"
            "<p><a class='button' href='{link}'>Set a new password</a></p>"
            "<p class='small'>The link works once, for one hour. If it was not you, do nothing: "
            "your password stays as it is.</p>"
        ),
        "secret": "link",
    },
    PASSWORD_CHANGE: {
        "recipient": "User",
        "subject": "Your {app_name} password was changed",
        "message": (
            "<p>Hello,</p>"
            "<p>the password of your account was changed, and every earlier login has ended.</p>"
            "<p>If that was not you, set a new password at once.</p>"
        ),
    },
    NEW_SESSION: {
        "recipient": "Owner, Organizer, Coorganizer, Speaker",
        "subject": "New session proposal for {event_name}",
        "message": (
            "<p>Hello {email},</p>"
            "<p>a new session was proposed for <strong>{event_name}</strong>.</p>"
            "<p><a class='button' href='{link}'>Look at the proposal</a></p>"
        ),
    },
    SESSION_ACCEPT_REJECT: {
        "recipient": "Speaker",
        "subject": "{session_name} was {acceptance}",
        "message": (
            "<p>Hello {email},</p>"
            "<p>the session <strong>{session_name}</strong> was <strong>{acceptance}</strong> by the organizers.</p>"
            "<p><a class='button' href='{link}'>Look at the session</a></p>"
        ),
    },
}

MAIL_TEMPLATES: Final[dict[str, Compiled]] = {action: compile_mail(action, entry) for action, entry in MAILS.items()}
