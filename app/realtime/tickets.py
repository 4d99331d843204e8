"""Tickets: what a browser, which can set no header on a stream, puts into the address instead of its login token.

One is signed, expires within a minute and opens one connection, so that an address in a log or a history is of no use.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final

from itsdangerous import BadSignature, URLSafeTimedSerializer

from app.realtime.keys import TICKET_SECONDS

_SALT: Final = "usher.realtime-ticket"
# Longer ones are not looked at.
_MAX_LENGTH: Final = 512


@dataclass(frozen=True)
class Ticket:
    """What a ticket says.

    Attributes:
        user_id: whose stream it opens.
        version: of the login token that it was got with.
        number: random; the gateways remember it, so that it is used once.
    """

    user_id: int
    version: int
    number: str


def new_ticket(user_id: int, version: int) -> Ticket:
    """A ticket that nobody has yet."""
    return Ticket(user_id, version, secrets.token_hex(16))


def sign_ticket(ticket: Ticket, secret_key: str) -> str:
    """The ticket as it stands in an address."""
    signed: str = _serializer(secret_key).dumps([ticket.user_id, ticket.version, ticket.number])
    return signed


def read_ticket(text: str, secret_key: str) -> Ticket | None:
    """The ticket in an address; None, if it is not one of ours or has expired."""
    if len(text) > _MAX_LENGTH:
        return None
    try:
        user_id, version, number = _serializer(secret_key).loads(text, max_age=TICKET_SECONDS)
    except (BadSignature, ValueError, TypeError):
        return None
    return Ticket(user_id, version, number)


def _serializer(secret_key: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(secret_key, salt=_SALT)
