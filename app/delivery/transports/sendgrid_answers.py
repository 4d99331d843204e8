"""What SendGrid's answers mean: from an HTTP status to a receipt or to the class of the error."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final

from app.delivery.transports.base import (
    ConfigurationError,
    ConnectionFailedError,
    ErrorKind,
    PermanentError,
    Receipt,
    Reply,
    ThrottledError,
    TransientError,
    TransportError,
    clean_response,
)
from app.delivery.transports.http_client import Answer, Exchange

PROVIDER: Final = "sendgrid"

_ACCEPTED: Final = 202
_TOO_MANY: Final = 429
# The request did not arrive in time (RFC 9110, 15.5.9): no refusal of this mail.
_TOO_SLOW: Final = 408
_LOGIN: Final = frozenset({401, 403})
_WRONG_PLACE: Final = frozenset({404, 405})
# A gateway that waited in vain cannot know what became of the request behind it.
_GATEWAY: Final = frozenset({502, 504})
# The longest wait that is taken from a server's word, in seconds.
_MAX_RETRY_AFTER: Final = 3600.0

_ADVICE: Final[Mapping[ErrorKind, str]] = {
    "transient": "It is tried again later.",
    "throttled": "It is tried again when SendGrid allows more.",
    "permanent": "It is not tried again.",
}
_KEY_ADVICE: Final = (
    "Nothing is tried until the mail settings change: check that sendgrid-key is a key that may send mail, and that"
    " email-from is a sender that SendGrid knows as yours."
)
_PLACE_ADVICE: Final = "This is not how SendGrid's API answers: check SENDGRID_API_URL."


def receipt(answer: Answer) -> Receipt:
    """The receipt for a mail that was taken."""
    message_id = clean_response(answer.headers.get("X-Message-Id", "")) or None
    return Receipt(PROVIDER, message_id, f"{_ACCEPTED} Accepted")


def is_accepted(answer: Answer) -> bool:
    """Whether the mail was taken: only 202 says so. 200 is the answer of a rehearsal, or of some other server."""
    return answer.status == _ACCEPTED


def refusal(answer: Answer, what: str, secret: str) -> TransportError:
    """The error for an answer other than 202.

    Args:
        answer: the answer.
        what: what was tried and where, as the beginning of a sentence.
        secret: the API key, which the answer may repeat and the error must not.
    """
    reply = Reply(answer.status, None, _explain(answer, secret))
    kind = _kind(answer.status)
    said = f"{what}: {answer.status} {reply.response}".rstrip(" .")
    if kind == "throttled":
        wait = retry_after(answer.headers, time.time())
        # The limit is the account's: the rest of a batch would only meet it too.
        return ThrottledError(
            f"{said}. {_ADVICE[kind]}", reply, provider=PROVIDER, connection_lost=True, retry_after=wait
        )
    if kind == "transient":
        unsure = answer.status in _GATEWAY
        return TransientError(f"{said}. {_ADVICE[kind]}", reply, provider=PROVIDER, maybe_accepted=unsure)
    if kind == "permanent":
        return PermanentError(f"{said}. {_ADVICE[kind]}", reply, provider=PROVIDER)
    advice = _KEY_ADVICE if answer.status in _LOGIN else _PLACE_ADVICE
    return ConfigurationError(f"{said}. {advice}", reply, provider=PROVIDER)


def no_answer(exchange: Exchange, where: str) -> TransportError:
    """The error for a request without an answer: whether the mail may have been taken depends on how far it came."""
    if exchange.is_given:
        return TransientError(
            f"SendGrid at {where} got the whole mail, but did not say whether it took it: {exchange.reason}. It may"
            " have arrived; a second try may double it.",
            provider=PROVIDER,
            connection_lost=True,
            maybe_accepted=True,
        )
    error = exchange.error
    if isinstance(error, ssl.SSLCertVerificationError):
        return ConfigurationError(
            f"The certificate of SendGrid at {where} is not valid: {error.verify_message}. Nothing was sent. Check"
            " SENDGRID_API_URL, and that nobody stands between; name an authority of your own in SMTP_CA_FILE.",
            provider=PROVIDER,
        )
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return ConfigurationError(
            f"SendGrid at {where} and this host found no way to speak TLS: {error.reason or error}. Nothing was sent."
            " Check SENDGRID_API_URL.",
            provider=PROVIDER,
        )
    if isinstance(error, ValueError):
        return ConfigurationError(f"{where!r} is not the name of a server: check SENDGRID_API_URL.", provider=PROVIDER)
    return ConnectionFailedError(
        f"SendGrid at {where} cannot be reached: {exchange.reason}. It is tried again; if this goes on, check"
        " SENDGRID_API_URL and the network between.",
        provider=PROVIDER,
    )


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """The seconds to wait, as the headers say; None if they do not, or say a moment that has passed.

    `Retry-After` is seconds (RFC 9110, 10.2.3), `X-RateLimit-Reset` a moment in Unix seconds. That one is compared
    with the answer's own `Date`, so that a clock of ours that is wrong does not count.
    """
    seconds = _number(headers.get("Retry-After"))
    if seconds is None:
        reset = _number(headers.get("X-RateLimit-Reset"))
        seconds = None if reset is None else reset - _date(headers.get("Date"), now)
    if seconds is None or seconds <= 0:
        return None
    return min(seconds, _MAX_RETRY_AFTER)


def _kind(status: int) -> ErrorKind:
    if status == _TOO_MANY:
        return "throttled"
    if status == _TOO_SLOW or status >= 500:  # noqa: PLR2004 - the class of server errors
        return "transient"
    if status < 400 or status in _LOGIN or status in _WRONG_PLACE:  # noqa: PLR2004 - the classes of no error
        return "configuration"
    return "permanent"


def _explain(answer: Answer, secret: str) -> str:
    """What the body says: `{"errors": [{"message", "field"}]}`, or its text if it is not a page for a browser."""
    text = answer.body.decode("utf-8", "replace")
    try:
        errors = json.loads(text)["errors"]
        text = "; ".join(_sentence(error) for error in errors)
    except (ValueError, TypeError, KeyError, RecursionError):
        if "html" in answer.headers.get("Content-Type", ""):
            text = ""
    return clean_response(text.replace(secret, "***"))


def _sentence(error: Any) -> str:
    if not isinstance(error, dict):
        return str(error)
    field = f" ({error['field']})" if error.get("field") else ""
    return f"{error.get('message') or 'no reason given'}{field}"


def _number(value: str | None) -> float | None:
    value = (value or "").strip()
    return float(value) if value.isascii() and value.isdigit() and len(value) <= 15 else None  # noqa: PLR2004 - no time


def _date(value: str | None, now: float) -> float:
    try:
        return parsedate_to_datetime(value or "").timestamp()
    except (ValueError, OverflowError):
        return now
