"""Finding out, at every request, who is asking."""

from __future__ import annotations

from flask import Flask, g, request
from flask_jwt_extended import JWTManager

from app.api.jsonapi.errors import Unauthorized
from app.api.viewer import ANONYMOUS, Viewer
from app.auth.services import is_service_token, service_of
from app.auth.tokens import TokenError, user_of

# Open Event's clients send JWT; RFC 6750's scheme is Bearer. Schemes are compared without case (RFC 9110, 11.1).
SCHEMES = ("jwt", "bearer")


def init_app(app: Flask) -> None:
    """Set `g.viewer` before every request."""
    JWTManager(app)
    app.before_request(_set_viewer)


def _set_viewer() -> None:
    g.viewer = ANONYMOUS
    if request.routing_exception is None:
        g.viewer = g.get("known_viewer") or read_viewer(request.headers.get("Authorization"))


def read_viewer(header: str | None) -> Viewer:
    """Who the `Authorization` header says is asking: a person, or another program.

    Raises:
        Unauthorized: there is a header, but no usable token in it.
    """
    if not header:
        return ANONYMOUS
    token = token_in(header)
    if token is None:
        raise Unauthorized("The Authorization header must be: JWT <token>.")
    try:
        return Viewer(service=service_of(token)) if is_service_token(token) else Viewer(user_of(token))
    except TokenError as error:
        raise Unauthorized(str(error)) from error


def token_in(header: str) -> str | None:
    """The token in an `Authorization` header; None if it is of another scheme, or empty."""
    scheme, _, token = header.strip().partition(" ")
    return token.strip() or None if scheme.lower() in SCHEMES else None
