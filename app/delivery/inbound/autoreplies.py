"""Mails that a machine wrote in somebody's absence (RFC 3834), and receipts for reading: they are about no delivery."""

from __future__ import annotations

import re
from typing import Final

from app.delivery.inbound.parts import Part

_SUBJECT: Final = re.compile(
    r"(?:auto(?:matic|mated|matische)?[ :-]*(?:reply|response|antwort)|out of (?:the )?office|vacation\b|on vacation|"
    r"abwesenheit|absence|réponse automatique|respuesta automática|risposta automatica)",
    re.IGNORECASE,
)
_MAIL_SYSTEM: Final = re.compile(r"(?<![\w.+-])(?:mailer-daemon|postmaster)(?![\w.+-])", re.IGNORECASE)
_WARNING: Final = re.compile(r"warning\b|delayed\b", re.IGNORECASE)
_HEADERS: Final = ("x-autoreply", "x-autorespond", "x-autoresponse", "x-autoreply-from", "x-mail-autoreply")


def why_automatic(message: Part) -> str | None:
    """Why the message is to be ignored; None if it may be from a person.

    To be asked after it was read as a report: some servers mark their bounces as automatic replies.
    """
    if message.parameter("report-type").lower() == "disposition-notification":
        return "it is a receipt for reading (RFC 8098)"
    automatic = message.header("auto-submitted").partition(";")[0].strip().lower()
    if automatic and automatic != "no":
        return f"it is automatic (Auto-Submitted: {automatic[:40]})"
    marked = next((name for name in _HEADERS if message.header(name)), None)
    if marked:
        return f"it is automatic ({marked})"
    precedence = message.header("precedence").strip().lower()
    if precedence in ("auto_reply", "bulk", "junk", "list"):
        return f"nobody wrote it to us (Precedence: {precedence})"
    if _SUBJECT.match(message.header("subject")):
        return "its subject is that of an automatic reply"
    return None


def is_from_a_mail_system(message: Part) -> bool:
    """Whether a mail server wrote it, to say that a message will not arrive; a warning of a delay is no such news.

    What it says in a form that is not known must not be taken for an automatic reply, though it is marked as one.
    """
    if message.parameter("report-type").lower() == "delivery-status":
        return True
    return bool(_MAIL_SYSTEM.search(message.header("from")) and not _WARNING.match(message.header("subject")))
