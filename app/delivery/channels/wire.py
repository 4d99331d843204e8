"""The requests that Apprise's plugins make, kept to where they may lead, how long they may take, and what came of them.

A plugin makes a `requests` session of its own for each request, and gives it only a timeout. So while a message is
sent, and only in the thread that sends it, every session takes its adapter from here: the host is looked up once and
checked (no private network, no second answer of the name server), the answer is read in time and in bounds, no redirect
is followed, and no proxy of the environment has a say.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import requests

from app.delivery.transports.http_client import Exchange, TimedAdapter, carried_by, read_body

# Seconds to connect, TLS included; and for all requests of one message together. In the meantime the process sends no
# mails, so that a service which hangs must not hold it for long.
CONNECT_SECONDS: Final = 5.0
SECONDS: Final = 15.0


class WaitError(Exception):
    """A plugin would wait for its service longer than there is time for the message."""


@dataclass
class Conversation:
    """What was asked of a service for one message, and what it answered last.

    Attributes:
        exchange: how far the last request came, and the time that is left for all.
        status: the HTTP status of the last answer; None if there was none to the last request.
        headers: those of the last answer.
        requests: how many there were.
    """

    exchange: Exchange
    status: int | None = None
    headers: requests.structures.CaseInsensitiveDict[str] | None = None
    requests: int = 0

    def pause(self, last_io: datetime | None = None, wait: float | None = None) -> None:  # noqa: ARG002 - Apprise's
        """In place of Apprise's `throttle`: wait only if the service asks for it, and only if there is the time.

        How many messages a service takes in a second it says by 429, which leaves the worker free in the meantime.

        Raises:
            WaitError: there is not.
        """
        if wait and wait > 0:
            if wait >= self.exchange.left():
                raise WaitError
            time.sleep(wait)


_conversation: ContextVar[Conversation | None] = ContextVar("usher_channel_conversation", default=None)


class _GuardedAdapter(TimedAdapter):
    """One for each request, since a plugin keeps no session."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        super().__init__()

    def send(self, request: requests.PreparedRequest, *_args: Any, **options: Any) -> requests.Response:
        """Send one request and read its answer."""
        conversation = self._conversation
        conversation.requests += 1
        conversation.status, conversation.exchange.is_given = None, False
        request.headers["Accept-Encoding"] = "identity"
        options |= {"stream": True, "proxies": {}, "timeout": conversation.exchange.connect_seconds}
        response = super().send(request, **options)
        conversation.status, conversation.headers = response.status_code, response.headers.copy()
        body = read_body(response)
        response.close()
        response.raw = io.BytesIO(body)
        # Whatever the URL asks for: where an answer points to is not followed.
        response.headers.pop("Location", None)
        return response


_usual: Final[Callable[..., Any]] = requests.Session.get_adapter


def _get_adapter(session: requests.Session, url: str) -> Any:
    conversation = _conversation.get()
    return _usual(session, url) if conversation is None else _GuardedAdapter(conversation)


# For everybody else it answers as before.
requests.Session.get_adapter = _get_adapter  # type: ignore[method-assign, assignment]


def keep_farewell_guarded(plugin: type) -> None:
    """Let plugins of a class that log out when they are forgotten do so only within `guarded`.

    Elsewhere, and whenever Python finds the time for it, nobody would watch where that request leads.
    """
    farewell = getattr(plugin, "__del__", None)
    if farewell is None or hasattr(farewell, "is_guarded"):
        return

    def guarded_farewell(self: Any) -> None:
        if _conversation.get() is not None:
            # Nobody waits for an outcome, and what is raised here Python would print.
            with suppress(Exception):
                farewell(self)

    guarded_farewell.is_guarded = True  # type: ignore[attr-defined]
    plugin.__del__ = guarded_farewell  # type: ignore[attr-defined]


@contextmanager
def guarded(*, allow_private: bool) -> Iterator[Conversation]:
    """Guard and watch the requests that this thread makes within.

    Args:
        allow_private: whether they may lead into a network that is not the public Internet.
    """
    exchange = Exchange(CONNECT_SECONDS, SECONDS, allow_private=allow_private)
    conversation = Conversation(exchange)
    token = _conversation.set(conversation)
    try:
        with carried_by(exchange):
            yield conversation
    finally:
        _conversation.reset(token)
