"""A mail as SendGrid's v3 API takes it: the JSON of `POST /v3/mail/send`."""

from __future__ import annotations

import base64
import json
from email.message import EmailMessage
from typing import Any, Final

from app.delivery.transports.base import Attachment, Envelope
from app.delivery.transports.mime import ascii_address, body_text, file_name, one_line

_MAX_CATEGORY: Final = 255


def build(envelope: Envelope) -> bytes:
    """The request's body.

    Raises:
        ValueError: an address is none, or a name or the subject has a line break.
    """
    return json.dumps(_message(envelope), ensure_ascii=False, separators=(",", ":")).encode()


def _message(envelope: Envelope) -> dict[str, Any]:
    recipients = _several((envelope.recipient, *envelope.bcc))
    personalization = {"to": recipients[:1]}
    if len(recipients) > 1:
        personalization["bcc"] = recipients[1:]
    sender = {"email": ascii_address(envelope.sender), "name": one_line("sender's name", envelope.sender_name).strip()}
    message: dict[str, Any] = {
        "personalizations": [personalization],
        "from": {key: value for key, value in sender.items() if value},
        "subject": one_line("subject", envelope.subject).strip() or "(no subject)",
        "content": _content(envelope),
        "headers": {
            "Message-ID": f"<{one_line('Message-ID', envelope.message_id)}>",
            "Auto-Submitted": "auto-generated",  # RFC 3834: no out-of-office reply, please
            "X-Auto-Response-Suppress": "All",  # the same for Exchange
        },
        # They come back with every event that SendGrid tells of. The number alone may be another installation's, too.
        "custom_args": {"mail_id": str(envelope.mail_id), "message_id": envelope.message_id},
        # Otherwise every link, also one with a token, leads through a server of SendGrid's that keeps it.
        "tracking_settings": {"click_tracking": {"enable": False, "enable_text": False}},
    }
    reply_to = _several(envelope.reply_to)
    if reply_to:
        message |= {"reply_to": reply_to[0]} if len(reply_to) == 1 else {"reply_to_list": reply_to}
    if envelope.action and envelope.action.isascii():  # SendGrid takes no others, and a label is worth no refusal
        message["categories"] = [envelope.action[:_MAX_CATEGORY]]
    if envelope.attachments:
        message["attachments"] = [_attachment(attachment) for attachment in envelope.attachments]
    return message


def _several(addresses: tuple[str, ...]) -> list[dict[str, str]]:
    """Each address once, whatever its case: SendGrid refuses a mail that names one twice."""
    found: dict[str, str] = {}
    for address in map(ascii_address, addresses):
        found.setdefault(address.casefold(), address)
    return [{"email": address} for address in found.values()]


def _content(envelope: Envelope) -> list[dict[str, str]]:
    """Text before HTML, as SendGrid demands; no part may be empty."""
    parts = [{"type": "text/plain", "value": body_text(envelope.text) or "\n"}]
    if envelope.html:
        parts.append({"type": "text/html", "value": body_text(envelope.html)})
    return parts


def _attachment(attachment: Attachment) -> dict[str, str]:
    """A file; its type goes without parameters, which SendGrid refuses (an invitation's METHOD is in the file too)."""
    parsed = EmailMessage()
    parsed["Content-Type"] = one_line("content type", attachment.content_type)
    return {
        "content": base64.b64encode(attachment.content).decode("ascii"),
        "type": parsed.get_content_type(),
        "filename": file_name(attachment.name),
        "disposition": "attachment",
    }
