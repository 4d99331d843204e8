"""Giving one message to one service: what Apprise made of it, as an error of a class if it did not leave.

Apprise says yes or no, and why only in words. So the class comes from what went over the wire: the HTTP status of the
last answer, or how far the request came without one (see `wire.py`). docs/channels.md has the table.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from app.delivery.channels.address import RecipientError, plugin_for
from app.delivery.channels.said import listening, without_secrets
from app.delivery.channels.wire import Conversation, guarded
from app.delivery.network import PrivateHostError
from app.delivery.transports.base import ErrorKind
from app.delivery.transports.sendgrid_answers import retry_after

# The address, the key, or the account is wrong: another message would fare no better. So it is where an answer points
# elsewhere, since that is not followed.
_CONFIGURATION: Final = frozenset({401, 402, 403, 404, 405, 407})
_TRANSIENT: Final = frozenset({408, 409, 425})


@dataclass(frozen=True)
class Carrier:
    """An enabled service, as the worker has read it."""

    id: int
    name: str
    url: str | None = field(repr=False)
    max_attempts: int


@dataclass(frozen=True)
class Words:
    """A message as it is to be read."""

    recipient: str
    title: str
    text: str


class SendError(Exception):
    """The service did not take the message, or not surely. The text is for admins, without secrets.

    Attributes:
        kind: the class of the error, as mail has it.
        code: the HTTP status, if there was one.
        retry_after: seconds that the service asked to wait.
        maybe_accepted: whether it may have taken the message all the same.
    """

    def __init__(
        self,
        kind: ErrorKind,
        said: str,
        *,
        code: int | None = None,
        retry_after: float | None = None,
        maybe_accepted: bool = False,
    ) -> None:
        super().__init__(said)
        self.kind = kind
        self.code = code
        self.retry_after = retry_after
        self.maybe_accepted = maybe_accepted

    @property
    def is_of_the_service(self) -> bool:
        """Whether another service might take the message."""
        return self.kind != "permanent" and not self.maybe_accepted


def send(carrier: Carrier, words: Words, *, allow_private: bool) -> None:
    """Give a message to a service, at most once.

    Args:
        carrier: the service.
        words: the message.
        allow_private: whether the service may be in a private network.

    Raises:
        SendError: it was not taken, or nobody knows.
    """
    if carrier.url is None:
        raise SendError("configuration", f"{carrier.name} has no address that SETTINGS_KEY can decrypt: set its url.")
    try:
        plugin = plugin_for(carrier.url, words.recipient)
    except RecipientError as error:
        raise SendError("permanent", f"{carrier.name} does not take this recipient: {error}") from error
    problem = None
    with guarded(allow_private=allow_private) as conversation, listening() as said:
        plugin.throttle = conversation.pause  # type: ignore[method-assign]
        try:
            is_sent = plugin.notify(body=words.text, title=words.title, body_format="text")
        except PrivateHostError as error:
            detail = without_secrets(str(error), carrier.url, words.recipient)
            raise SendError("configuration", f"{carrier.name} is where it may not be: {detail}.") from None
        except Exception as error:  # noqa: BLE001 - a plugin is others' code, and must not end the worker
            is_sent = False
            said.append(f"its plugin broke with {type(error).__name__}.")
        if not is_sent:
            lines = without_secrets(" ".join(said), carrier.url, words.recipient)
            problem = _error(conversation, f"{carrier.name}: {lines or 'no reason was given.'}")
        # Some log out now: still guarded, and after it is known what became of the message.
        del plugin
    if problem is not None:
        raise problem


def _error(conversation: Conversation, said: str) -> SendError:
    """What a failure comes to."""
    code = conversation.status
    if conversation.requests == 0:
        # The plugin saw by itself that it cannot be.
        return SendError("permanent", said)
    if code is None:
        if conversation.exchange.is_given:
            return SendError("transient", f"{said} It may have been taken.", maybe_accepted=True)
        return SendError("connection", f"{said} ({conversation.exchange.reason})")
    if code == HTTPStatus.TOO_MANY_REQUESTS:
        return SendError("throttled", said, code=code, retry_after=_wait(conversation))
    return SendError(_kind(code), said, code=code)


def _kind(code: int) -> ErrorKind:
    if code in _CONFIGURATION or HTTPStatus.MULTIPLE_CHOICES <= code < HTTPStatus.BAD_REQUEST:
        return "configuration"
    # A service that answers 200 and means no says why in its own words: it is asked again, a declared number of times.
    if code >= HTTPStatus.INTERNAL_SERVER_ERROR or code < HTTPStatus.MULTIPLE_CHOICES or code in _TRANSIENT:
        return "transient"
    return "permanent"


def _wait(conversation: Conversation) -> float | None:
    return retry_after(conversation.headers or {}, time.time())
