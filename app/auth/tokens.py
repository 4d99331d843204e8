"""Tokens: the login token in the `Authorization` header, and the ones in the links of mails.

A link's token is signed, expires, and is bound to the state that its use changes (the unverified address, the present
password, the open invitation), so that it works once without a row that could leak.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from functools import lru_cache
from typing import Any, Final

from flask import current_app
from flask_jwt_extended import create_access_token, decode_token
from flask_jwt_extended.exceptions import JWTExtendedException
from itsdangerous import BadSignature, URLSafeTimedSerializer
from jwt import PyJWTError

from app.language import msg
from app.models import RoleInvite, User, db

VERIFY: Final = "verify-email"
CHANGE: Final = "change-email"
RESET: Final = "reset-password"
INVITE: Final = "role-invite"

_DAY: Final = 24 * 3600
# Seconds.
LIFETIMES: Final = {VERIFY: 2 * _DAY, CHANGE: 2 * _DAY, RESET: 3600, INVITE: 30 * _DAY}
_NOT_VALID: Final = msg("The link is not valid or has expired: ask for a new one.")


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
    user_id, version = read_login_token(token)
    user = db.session.get(User, user_id) if user_id is not None else None
    if user is None or user.deleted_at is not None or version != user.token_version:
        raise TokenError("The token is no longer valid: log in again.")
    return user


def read_login_token(token: str) -> tuple[int | None, int | None]:
    """Whose a login token is, and his `token_version` when it was given out; that it still counts is another question.

    Raises:
        TokenError: it is not one of ours, or has expired.
    """
    try:
        user_id, version, expires_at = _decode(token, current_app.config["SECRET_KEY"])
    except (PyJWTError, JWTExtendedException, ValueError, UnicodeError) as error:
        raise TokenError("The token is not valid or has expired: log in again.") from error
    if expires_at <= time.time():
        raise TokenError("The token is not valid or has expired: log in again.")
    return user_id, version


# A client shows the same token with every request: its signature is checked once, its end every time.
@lru_cache(maxsize=4096)
def _decode(token: str, _key: str) -> tuple[int | None, int | None, float]:
    claims: dict[str, Any] = decode_token(token)
    user_id = claims.get("identity")
    return (user_id if isinstance(user_id, int) else None), claims.get("ver"), float(claims.get("exp") or 0)


def link_token(user: User, purpose: str) -> str:
    """A token for a link in a mail to this user: to confirm the address or a new one, or to set a password."""
    return _serializer(purpose).dumps([user.id, _state(user, purpose)])


def purpose_of(token: str, *purposes: str) -> str:
    """For which of these purposes a link's token was made; whether it can still be used is another question.

    Raises:
        TokenError: for none of them, or it has expired.
    """
    for purpose in purposes:
        with contextlib.suppress(TokenError):  # it may be for the next one
            _read(token, purpose)
            return purpose
    raise TokenError(_NOT_VALID)


def use_link_token(token: str, purpose: str) -> User:
    """The user of a link's token, whose row is locked until the end of the transaction: two uses are one after another.

    Raises:
        TokenError: it is not one of ours, was used, or has expired.
    """
    user_id, state = _read(token, purpose)
    user = db.session.get(User, user_id, with_for_update=True, populate_existing=True)
    if user is None or user.deleted_at is not None or _state(user, purpose) != state:
        raise TokenError(msg("The link was already used or is no longer valid: ask for a new one."))
    return user


def invite_token(invite: RoleInvite) -> str:
    """A token for the link in the mail with this invitation."""
    return _serializer(INVITE).dumps([invite.id, _invite_state(invite)])


def read_invite_token(token: str, *, lock: bool = False) -> RoleInvite:
    """The open invitation of a link's token; with `lock` two uses are one after another.

    Raises:
        TokenError: it is not one of ours or has expired; the invitation was answered or taken back.
    """
    invite_id, state = _read(token, INVITE)
    invite = db.session.get(RoleInvite, invite_id, with_for_update=lock, populate_existing=True)
    if invite is None or _invite_state(invite) != state:
        raise TokenError(
            msg("The invitation was already answered or taken back: ask whoever invited you for a new one.")
        )
    return invite


def _read(token: str, purpose: str) -> tuple[int, str]:
    try:
        id_, state = _serializer(purpose).loads(token, max_age=LIFETIMES[purpose])
    except (BadSignature, ValueError, TypeError) as error:
        raise TokenError(_NOT_VALID) from error
    return id_, state


def _state(user: User, purpose: str) -> str:
    """What the use of the token will change, as a fingerprint; a new password ends every link that is out."""
    parts = {
        VERIFY: (user.email.lower(), str(user.is_verified)),
        CHANGE: (user.email.lower(), user.new_email or ""),
        RESET: (user.email, user.password_hash),
    }
    return _fingerprint(*parts[purpose], str(user.token_version))


def _invite_state(invite: RoleInvite) -> str:
    return _fingerprint(invite.email.lower(), invite.status)


def _fingerprint(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _serializer(purpose: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.config["SECRET_KEY"], salt=f"usher.{purpose}")
