"""What Apprise says of a message: taken from its log, which goes nowhere else, and freed of the service's secrets."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import unquote

from app.delivery.transports.base import clean_response

MASK: Final = "***"
# Apprise writes hosts, paths and recipients into its log, and at DEBUG whole addresses with their keys.
_logger: Final = logging.getLogger("apprise")
_logger.propagate = False
_logger.setLevel(logging.WARNING)
_logger.addHandler(logging.NullHandler())
# Shorter pieces of an address are no secrets, and may be parts of any word.
_SHORTEST: Final = 4
# Apprise shortens secrets in whole addresses to their first and last sign.
_ADDRESS: Final = re.compile(r"\b[a-z0-9]+://\S*", re.IGNORECASE)
_PIECES: Final = re.compile(r"[/:@?&=+,;#]+")


class _Listener(logging.Handler):
    """Keeps what one thread is told."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line."""
        if record.thread == self._thread:
            self.lines.append(record.getMessage())


@contextmanager
def listening() -> Iterator[list[str]]:
    """Collect the warnings and errors that Apprise logs within, in this thread."""
    listener = _Listener()
    _logger.addHandler(listener)
    try:
        yield listener.lines
    finally:
        _logger.removeHandler(listener)


def without_secrets(text: str, url: str, recipient: str) -> str:
    """A text on one line in which no piece of the service's address is left, but the recipient.

    Args:
        text: what was said.
        url: the address, with `{to}`.
        recipient: whom the message was for: an admin may know.
    """
    written = {piece for piece in _PIECES.split(url.partition("://")[2]) if piece != "{to}"}
    # Plugins work with what %21 and the like stand for, and some write it in small or in capital letters.
    pieces = {piece for piece in written | {unquote(piece) for piece in written} if len(piece) >= _SHORTEST}
    text = _ADDRESS.sub(MASK, text)
    # The longest first, since one may be a part of another.
    for piece in sorted(pieces, key=len, reverse=True):
        if piece not in recipient:
            text = re.sub(re.escape(piece), MASK, text, flags=re.IGNORECASE)
    return clean_response(text)
