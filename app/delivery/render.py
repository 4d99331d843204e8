"""From a row to what is sent: the message in its frame, the secret in its place, the sender's name."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Final

from cryptography.fernet import InvalidToken

from app.api.helpers.templates import MASK, escape
from app.delivery.claims import ClaimedMail
from app.delivery.services import Sender
from app.delivery.transports.base import Attachment, Envelope, PermanentError
from app.language import direction, msg, translate
from app.models.types import cipher

# The last line of every mail.
WHY: Final = msg("Sent by {app_name} because of something that concerns you there:")


@cache
def _layout() -> str:
    return resources.files("app").joinpath("templates/mail/layout.html").read_text(encoding="utf-8")


def to_envelope(mail: ClaimedMail, sender: Sender, attachments: tuple[Attachment, ...] = ()) -> Envelope:
    """The mail as a transport takes it.

    Raises:
        PermanentError: its secret cannot be decrypted.
    """
    body, text = mail.message, mail.text
    if mail.secret:
        secret = _decrypt(mail.secret)
        body, text = body.replace(MASK, escape(secret)), text.replace(MASK, secret)
    why = translate(WHY, mail.language).replace("{app_name}", sender.app_name)
    html = _layout().format(
        lang=mail.language,
        dir=direction(mail.language),
        subject=escape(mail.subject),
        app_name=escape(sender.app_name),
        frontend_url=escape(sender.frontend_url),
        why=escape(why),
        body=body,
    )
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
        html=html,
        text=f"{text}\n\n-- \n{sender.app_name} <{sender.frontend_url}>\n",
        attachments=attachments,
    )


def _decrypt(secret: str) -> str:
    try:
        return cipher().decrypt(secret.encode()).decode()
    except InvalidToken as error:
        raise PermanentError(
            "The link of this mail was encrypted with a SETTINGS_KEY that is gone: the user must ask for a new one."
        ) from error
