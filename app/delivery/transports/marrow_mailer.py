"""marrow.mailer 4.0.3 as it can be used today: this is the one module that imports it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Final, Protocol
from urllib.parse import parse_qsl

from app.delivery.transports.base import Receipt

__all__ = ["Address", "AddressList", "Message", "start_mailer"]

# What it imports, and Python no longer has (`cgi.parse_qsl` is gone in 3.8, all of `cgi` and `imghdr` in 3.13,
# `pkg_resources` in setuptools 82) or would take longer to load than marrow itself. The members of the latter two are
# never called by what we use.
_OLD: Final[dict[str, dict[str, Any]]] = {
    "cgi": {"parse_qsl": parse_qsl},
    "imghdr": {"what": None},
    "pkg_resources": {"iter_entry_points": None},
}


@contextmanager
def _old_modules() -> Iterator[None]:
    """Supply them while marrow is imported; afterwards no other code finds our stand-ins."""
    before = {name: sys.modules.get(name) for name in _OLD}
    for name, members in _OLD.items():
        sys.modules[name] = ModuleType(name)
        vars(sys.modules[name]).update(members)
    try:
        yield
    finally:
        for name, module in before.items():
            del sys.modules[name]
            if module is not None:
                sys.modules[name] = module


with _old_modules():
    from marrow.mailer import Mailer, Message
    from marrow.mailer.address import Address, AddressList

# It logs two lines for each mail and calls every refusal an error; the worker logs each outcome itself, once.
logging.getLogger("marrow.mailer").setLevel(logging.CRITICAL)


class Deliverer(Protocol):
    """What marrow's `Mailer` asks of a transport."""

    def startup(self) -> None:
        """Get ready."""
        ...

    def deliver(self, message: Message) -> Receipt:
        """Send one message."""
        ...

    def shutdown(self) -> None:
        """End."""
        ...


class KeptTransport:
    """A manager for `Mailer` that hands each message once to the one transport it was given.

    marrow's own `ImmediateManager` cannot be used: it ends the connection at every refused recipient, tries for ever
    what raises `TransportFailedException`, and counts as sent what raises `TransportExhaustedException`.
    """

    def __init__(self, _config: object, make_transport: Any) -> None:
        self._transport: Deliverer = make_transport()

    def startup(self) -> None:
        """Start the transport."""
        self._transport.startup()

    def deliver(self, message: Message) -> Receipt:
        """Send one message; the transport's errors pass through."""
        return self._transport.deliver(message)

    def shutdown(self) -> None:
        """End the transport."""
        self._transport.shutdown()


def start_mailer(transport: Deliverer) -> Any:
    """A running `Mailer` that sends through this transport."""
    mailer = Mailer({"manager": {"use": KeptTransport}, "transport": {"use": lambda _config: transport}})
    return mailer.start()
