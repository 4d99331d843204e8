"""What an SMTP server's answers mean: from a reply to the class of the error (RFC 5321, 4.2; RFC 3463)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from app.delivery.transports.base import (
    ConfigurationError,
    ConnectionFailedError,
    PermanentError,
    Reply,
    ThrottledError,
    TransientError,
    TransportError,
    clean_response,
)

PROVIDER: Final = "smtp"

CLOSING: Final = 421
GO_AHEAD: Final = 354
# Log in first (530), mechanism too weak (534), wrong name or password (535), log in over TLS only (538): RFC 4954.
_LOGIN_CODES: Final = frozenset({530, 534, 535, 538})
# The longest wait that is taken from a server's word, in seconds.
_MAX_RETRY_AFTER: Final = 3600.0

_ENHANCED: Final = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s+|$)")
_TOO_FAST: Final = re.compile(
    r"\brate\b|rate.?limit|throttl|slow down|too (?:fast|quickly|many (?:mails|e-?mails|messages|connections|sessions|"
    r"logins?|login attempts|attempts|requests|commands))|limit exceeded|exceeded .{0,40}limit|quota exceeded",
    re.IGNORECASE,
)
_RETRY_AFTER: Final = re.compile(r"\b(?:in|after|for)\s+(\d{1,6})\s*(s|sec|m|min)(?:ond|ute)?s?\b", re.IGNORECASE)
_QUEUE_ID: Final = re.compile(r"(?:queued(?: mail)? as|\bid=|kept as)\s*<?([\w.+@-]+)", re.IGNORECASE)

_ADVICE: Final = {
    "transient": "It is tried again later.",
    "throttled": "It is tried again when the server allows more.",
    "connection": "It is tried again when the server is back.",
    "permanent": "It is not tried again.",
    "configuration": "Nothing is tried until the mail settings change: check smtp-username, smtp-password and"
    " smtp-encryption.",
}


@lru_cache(maxsize=32)
def parse_reply(code: int, text: bytes) -> Reply:
    """A reply from `smtplib`: its enhanced code is taken from its text, from each line of it.

    Kept, since a server says the same few words to almost every command.
    """
    lines = text.decode("utf-8", "replace").split("\n")
    found = _ENHANCED.match(lines[0])
    enhanced = found[1] if found else None
    if found:
        lines = [line.removeprefix(found[1]) for line in lines]
    return Reply(code if code > 0 else None, enhanced, clean_response(" ".join(lines)))


def show(reply: Reply) -> str:
    """A reply as a server would have written it on one line."""
    return " ".join(part for part in (str(reply.code or ""), reply.enhanced, reply.response) if part)


def positive(reply: Reply) -> bool:
    """Whether the command was done (2yz)."""
    return reply.code is not None and 200 <= reply.code < 300  # noqa: PLR2004 - the class of 2yz replies


def queue_id(reply: Reply) -> str | None:
    """What the server calls the mail it has taken: a queue id if its last reply names one, else its text."""
    found = _QUEUE_ID.search(reply.response)
    return found[1].rstrip(".") if found else reply.response or None


def refusal(reply: Reply, what: str) -> TransportError:
    """The error for a reply to MAIL, RCPT, DATA or the message.

    Args:
        reply: one that is not positive.
        what: what was tried and where, as the beginning of a sentence.
    """
    kind = _kind(reply)
    text = f"{what}: {show(reply) or 'the answer is not SMTP'}. {_ADVICE[kind]}"
    if kind == "throttled":
        lost = reply.code == CLOSING
        return ThrottledError(
            text, reply, provider=PROVIDER, connection_lost=lost, retry_after=_retry_after(reply.response)
        )
    if kind == "connection":
        return ConnectionFailedError(text, reply, provider=PROVIDER)
    error = {"transient": TransientError, "permanent": PermanentError}.get(kind, ConfigurationError)
    return error(text, reply, provider=PROVIDER)


def not_open(reply: Reply, what: str) -> TransportError:
    """The error for a reply to the greeting or to EHLO: no mail has been offered, so none can be refused."""
    if _too_fast(reply):
        text = f"{what}: {show(reply)}. {_ADVICE['throttled']}"
        wait = _retry_after(reply.response)
        return ThrottledError(text, reply, provider=PROVIDER, connection_lost=True, retry_after=wait)
    text = f"{what}: {show(reply) or 'the answer is not SMTP'}. {_ADVICE['connection']}"
    return ConnectionFailedError(text, reply, provider=PROVIDER)


def not_logged_in(reply: Reply, what: str) -> TransportError:
    """The error for a reply to AUTH: 5yz asks for other settings, 4yz for patience."""
    if reply.code is not None and reply.code >= 500:  # noqa: PLR2004 - the class of 5yz replies
        return ConfigurationError(f"{what}: {show(reply)}. {_ADVICE['configuration']}", reply, provider=PROVIDER)
    return not_open(reply, what)


def _kind(reply: Reply) -> str:
    code = reply.code or 0
    if 400 <= code < 500:  # noqa: PLR2004 - the class of 4yz replies
        if _too_fast(reply):
            return "throttled"
        return "connection" if code == CLOSING else "transient"
    if code in _LOGIN_CODES:
        return "configuration"
    return "permanent" if 500 <= code < 600 else "connection"  # noqa: PLR2004 - the class of 5yz replies


def _too_fast(reply: Reply) -> bool:
    """Whether a temporary refusal is about how much we send, and not about this mail.

    4.7 is the class of policy; providers write there, and nowhere else, that a sender is too fast. 4.7.x alone is no
    sign, since greylisting uses it too, but with 421 it is (4.7.0: large providers).
    """
    if reply.code is None or not 400 <= reply.code < 500:  # noqa: PLR2004 - the class of 4yz replies
        return False
    policy = reply.enhanced is not None and reply.enhanced.startswith("4.7.")
    if policy and reply.code == CLOSING:
        return True
    return (policy or reply.enhanced is None) and _TOO_FAST.search(reply.response) is not None


def _retry_after(text: str) -> float | None:
    found = _RETRY_AFTER.search(text)
    if found is None:
        return None
    seconds = float(found[1]) * (60.0 if found[2].lower().startswith("m") else 1.0)
    return min(seconds, _MAX_RETRY_AFTER)
