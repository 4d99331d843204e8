"""From a row to what is sent: the message in its frame, the secret in its place, the sender's name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from importlib import resources
from typing import Final

from cryptography.fernet import InvalidToken

from app.api.helpers.templates import MASK, escape
from app.delivery.claims import ClaimedMail
from app.delivery.services.registry import Sender
from app.delivery.transports.base import Attachment, Envelope, PermanentError, always_open
from app.language import direction, msg, translate
from app.models.types import cipher

# The last line of every mail.
WHY: Final = msg("Sent by {app_name} because of something that concerns you there:")


@dataclass(frozen=True)
class Content:
    """What a mail says, as HTML and as text, and the language that it is written in."""

    subject: str
    html: str
    text: str
    language: str


@cache
def _layout() -> str:
    return resources.files("app").joinpath("templates/mail/layout.html").read_text(encoding="utf-8")


def to_envelope(
    mail: ClaimedMail, sender: Sender, attachments: tuple[Attachment, ...] = (), gate: Callable[[], None] = always_open
) -> Envelope:
    """The mail as a transport takes it.

    Raises:
        PermanentError: its secret cannot be decrypted.
    """
    content = Content(mail.subject, mail.message, mail.text, mail.language)
    framed = frame(content, sender, secret=_decrypt(mail.secret) if mail.secret else None)
    return Envelope(
        mail_id=mail.id,
        action=mail.action,
        message_id=mail.message_id,
        sender=sender.address,
        sender_name=sender.name,
        recipient=mail.recipient,
        bcc=mail.bcc,
        reply_to=mail.reply_to,
        subject=mail.subject,
        html=framed.html,
        text=framed.text,
        attachments=attachments,
        gate=gate,
    )


def frame(content: Content, sender: Sender, secret: str | None = None) -> Content:
    """The message within what stands around every mail, and the secret in place of its asterisks."""
    body, text = content.html, content.text
    if secret:
        body, text = body.replace(MASK, escape(secret)), text.replace(MASK, secret)
    html = _layout().format(subject=escape(content.subject), body=body, **_surroundings(content.language, sender))
    return replace(content, html=html, text=f"{text}\n\n-- \n{sender.app_name} <{sender.frontend_url}>\n")


@lru_cache(maxsize=64)
def _surroundings(language: str, sender: Sender) -> dict[str, str]:
    """What stands around every mail of a language, kept since it changes with the settings only."""
    return {
        "lang": language,
        "dir": direction(language),
        "app_name": escape(sender.app_name),
        "frontend_url": escape(sender.frontend_url),
        "why": escape(translate(WHY, language).replace("{app_name}", sender.app_name)),
    }


def _decrypt(secret: str) -> str:
    try:
        return cipher().decrypt(secret.encode()).decode()
    except InvalidToken as error:
        raise PermanentError(
            "The link of this mail was encrypted with a SETTINGS_KEY that is gone: the user must ask for a new one."
        ) from error
