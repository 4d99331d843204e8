"""Who wants to connect: a login token in the header, or a ticket in the address; and from which page."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import jwt

from app.realtime.tickets import Ticket, read_ticket

# As at the web server (app/auth/login.py).
_SCHEMES: Final = ("jwt", "bearer")
# The beginning of a service account's token.
_SERVICE: Final = "ush_"
# Seconds that a connection which was opened with a ticket may last: as long as a login.
_TICKET_LIFE: Final = 24 * 3600
_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}


class Refused(Exception):  # noqa: N818 - it is an answer, not a mistake
    """The connection is not to be: the status, and what to tell the client."""

    def __init__(self, status: int, detail: str, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.retry_after = retry_after


@dataclass(frozen=True)
class Identity:
    """Who is connecting.

    Attributes:
        user_id: the user.
        version: of the tokens; one below the user's present version was ended.
        expires_at: until when the connection may last (seconds since 1970).
        ticket: the ticket that is to be used up, if there is one.
    """

    user_id: int
    version: int
    expires_at: float
    ticket: Ticket | None = None


def identify(authorization: str | None, ticket: str | None, secret_key: str) -> Identity:
    """Who the header, or else the ticket, says is connecting; whether it was ended or used is asked later.

    Raises:
        Refused: 401, there is no good one of either; 403, it is a service account's.
    """
    if authorization:
        return _from_header(authorization, secret_key)
    if ticket:
        found = read_ticket(ticket, secret_key)
        if found is None:
            raise Refused(401, "The ticket is not valid or has expired: get a new one at POST /v1/realtime-tickets.")
        return Identity(found.user_id, found.version, time.time() + _TICKET_LIFE, found)
    raise Refused(401, "This needs a login: send the header `Authorization: JWT <token>`, or a ticket.")


def _from_header(header: str, secret_key: str) -> Identity:
    scheme, _, token = header.strip().partition(" ")
    token = token.strip()
    if scheme.lower() not in _SCHEMES or not token:
        raise Refused(401, "The Authorization header must be: JWT <token>.")
    if token.startswith(_SERVICE):
        raise Refused(403, "A service account has no notifications of its own.")
    try:
        claims: Mapping[str, Any] = jwt.decode(
            token, secret_key, algorithms=["HS256"], options={"require": ["exp"], "verify_sub": False}
        )
    except (jwt.PyJWTError, ValueError, UnicodeError) as error:
        raise Refused(401, "The token is not valid or has expired: log in again.") from error
    user_id, version = claims.get("identity"), claims.get("ver")
    if claims.get("type") != "access" or not isinstance(user_id, int) or not isinstance(version, int):
        raise Refused(401, "The token is not valid: log in again.")
    return Identity(user_id, version, float(claims["exp"]))


def check_origin(origin: str | None, allowed: frozenset[str]) -> None:
    """See that a browser's page may connect; a client that names no page is no browser.

    Raises:
        Refused: it is a page of somebody else's.
    """
    if origin is not None and origin_of(origin) not in allowed:
        raise Refused(403, "Pages of this origin may not connect: see REALTIME_ORIGINS.")


def origin_of(url: str) -> str:
    """The origin of an address, as RFC 6454 compares them; what is none has an origin of its own."""
    try:
        parts = urlsplit(url.strip().lower())
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return "null"
    if parts.scheme not in _PORTS or not parts.hostname:
        return "null"
    return f"{parts.scheme}://{parts.hostname}:{port}"
