"""Tokens: the login token in the `Authorization` header, and the ones in the links of mails.

A link's token is signed, expires, and is bound to the state that its use changes (the unverified address, the present
password), so that it works once without a row that could leak.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

from flask import current_app
from flask_jwt_extended import create_access_token, decode_token
from flask_jwt_extended.exceptions import JWTExtendedException
from itsdangerous import BadSignature, URLSafeTimedSerializer
from jwt import PyJWTError

from app.models import User, db

VERIFY: Final = "verify-email"
RESET: Final = "reset-password"

# Seconds.
LIFETIMES: Final = {VERIFY: 2 * 24 * 3600, RESET: 3600}


class TokenError(ValueError):
    """A token that cannot be used; the message says why, without saying whose it was."""


def login_token(user: User) -> str:
    """A new login token of this user; its `identity` claim is the user's id."""
    # PyJWT demands text of a "sub"; ours is "identity", which Open Event's clients read as a number.
    token: str = create_access_token(identity=user.id, additional_claims={"ver": user.token_version})
    return token


def user_of(token: str) -> User:
    """The user whom a login token belongs to.

    Raises:
        TokenError: it is not one of ours, has expired, or was ended by a change of password.
    """
    try:
        claims: dict[str, Any] = decode_token(token)
    except (PyJWTError, JWTExtendedException, ValueError, UnicodeError) as error:
        raise TokenError("The token is not valid or has expired: log in again.") from error
    identity = claims.get("identity")
    user = db.session.get(User, identity) if isinstance(identity, int) else None
    if user is None or user.deleted_at is not None or claims.get("ver") != user.token_version:
        raise TokenError("The token is no longer valid: log in again.")
    return user


def link_token(user: User, purpose: str) -> str:
    """A token for a link in a mail to this user."""
    return _serializer(purpose).dumps([user.id, _state(user, purpose)])


def use_link_token(token: str, purpose: str) -> User:
    """The user of a link's token, whose row is locked until the end of the transaction: two uses are one after another.

    Raises:
        TokenError: it is not one of ours, was used, or has expired.
    """
    try:
        user_id, state = _serializer(purpose).loads(token, max_age=LIFETIMES[purpose])
    except (BadSignature, ValueError, TypeError) as error:
        raise TokenError("The link is not valid or has expired: ask for a new one.") from error
    user = db.session.get(User, user_id, with_for_update=True, populate_existing=True)
    if user is None or user.deleted_at is not None or _state(user, purpose) != state:
        raise TokenError("The link was already used or is no longer valid: ask for a new one.")
    return user


def _state(user: User, purpose: str) -> str:
    """What the use of the token will change, as a fingerprint."""
    parts = (user.email.lower(), str(user.is_verified)) if purpose == VERIFY else (user.email, user.password_hash)
    return hashlib.sha256("\n".join((*parts, str(user.token_version))).encode()).hexdigest()[:32]


def _serializer(purpose: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.config["SECRET_KEY"], salt=f"usher.{purpose}")
