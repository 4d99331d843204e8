"""Queueing mails: one general function, and a thin one for each action.

All of them only add rows to the caller's transaction and never talk to the network: a mail leaves after the commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

from app.api.helpers.addresses import AddressError, check_address
from app.api.helpers.log import record_activity
from app.api.helpers.settings import get_settings, mail_is_on
from app.api.helpers.system_mails import MAIL_TEMPLATES
from app.api.helpers.templates import MASK, Rendered, html_to_text, one_line, render
from app.models import Mail, Session, User, db
from app.models.mail import (
    NEW_SESSION,
    PASSWORD_CHANGE,
    PASSWORD_RESET,
    SESSION_ACCEPT_REJECT,
    USER_CONFIRM,
    USER_REGISTER,
    MailAttachment,
)

Addresses = str | Sequence[str] | None


def send_email(  # noqa: PLR0913, PLR0917 - Open Event's signature, which other resources call
    to: str | User,
    action: str,
    subject: str,
    html: str,
    bcc: Addresses = None,
    reply_to: Addresses = None,
    attachments: Sequence[MailAttachment] = (),
) -> Mail | None:
    """Queue a mail.

    Args:
        to: an address, or a user.
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
    mail = _queue(to, action, rendered)
    if mail is not None:
        mail.bcc = _addresses(bcc)
        mail.reply_to = _addresses(reply_to)
        mail.attachments = list(attachments or ())
    return mail


def send_email_with_action(user: str | User, action: str, **values: str) -> Mail | None:
    """Queue a mail in the words of `MAILS[action]`, filled with `values`.

    Raises:
        TemplateError: a value is missing, or one has no place in the template.
        AddressError: see `send_email`.
    """
    return _queue(user, action, render(MAIL_TEMPLATES[action], values))


def send_email_user_register(email: str) -> Mail | None:
    """Welcome a new user."""
    return send_email_with_action(email, USER_REGISTER, app_name=get_settings().app_name, email=email)


def send_email_confirmation(email: str, link: str) -> Mail | None:
    """Ask a user to confirm the address; the link carries a token, which only its recipient can read."""
    return send_email_with_action(email, USER_CONFIRM, email=email, link=link)


def send_email_password_reset(email: str, link: str) -> Mail | None:
    """Send the link to a new password; it carries a token, which only its recipient can read."""
    return send_email_with_action(email, PASSWORD_RESET, app_name=get_settings().app_name, link=link)


def send_email_password_change(email: str) -> Mail | None:
    """Tell a user that the password was changed."""
    return send_email_with_action(email, PASSWORD_CHANGE, app_name=get_settings().app_name)


def send_email_new_session(email: str, event_name: str, link: str) -> Mail | None:
    """Tell an organizer or a speaker that a session was proposed."""
    return send_email_with_action(email, NEW_SESSION, email=email, event_name=event_name, link=link)


def send_email_session_accept_reject(email: str, session: Session, link: str) -> Mail | None:
    """Tell a speaker that a session was accepted or rejected."""
    return send_email_with_action(
        email, SESSION_ACCEPT_REJECT, email=email, session_name=session.title, acceptance=session.state, link=link
    )


def _queue(to: str | User, action: str, rendered: Rendered) -> Mail | None:
    recipient = check_address(to.email if isinstance(to, User) else to)
    if not mail_is_on(action):
        return None
    mail = Mail(
        recipient=recipient,
        action=action,
        subject=rendered.line or action,
        message=rendered.html,
        text=rendered.text or rendered.line or action,
        secret=rendered.secret,
        message_id=f"{uuid4().hex}@{get_settings().email_from.rpartition('@')[2]}",
    )
    db.session.add(mail)
    record_activity("mail_event", email=recipient, action=action, subject=mail.subject)
    return mail


def _addresses(value: Addresses) -> list[str]:
    """One address, several, or none, as a list without repetitions."""
    several = [value] if isinstance(value, str) else list(value or ())
    return list(dict.fromkeys(check_address(address) for address in several))


__all__ = ["MASK", "AddressError", "MailAttachment", "send_email", "send_email_with_action"]
