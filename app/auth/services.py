"""Service accounts: other programs that use the API, each with one token that begins with `ush_`."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from app.api.helpers.log import record_activity
from app.auth.tokens import TokenError
from app.models import ServiceToken, db
from app.models.base import utc_now
from app.models.service_token import SCOPES

PREFIX: Final = "ush_"
# 256 bits: 43 characters.
_BYTES: Final = 32
MAX_NAME: Final = 255
# How exactly `last_used_at` is kept.
_NOTED_EVERY: Final = timedelta(minutes=1)
_NOT_VALID: Final = "The token of this service account is not known, has expired or was revoked."
# Who it was, for the activities.
_BY: Final = "manage.py"


class ServiceError(ValueError):
    """A service account that cannot be made or revoked; the message says why."""


def create_service(name: str, scopes: Collection[str], expires_at: datetime | None = None) -> str:
    """Add a service account to the caller's transaction and return its token, which is kept nowhere.

    Raises:
        ServiceError: the name is taken or cannot be one, a scope is none, or the end is not to come.
    """
    name = name.strip()
    if not (0 < len(name) <= MAX_NAME and name.isprintable()):
        raise ServiceError(f"a name is one line of 1 to {MAX_NAME} characters")
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        given = f"there is no scope {', '.join(unknown)}" if unknown else "it needs a scope"
        raise ServiceError(f"{given}: scopes are {', '.join(SCOPES)}")
    if expires_at is not None and expires_at <= utc_now():
        raise ServiceError("it would have expired already: give it a time to count")
    token = PREFIX + secrets.token_urlsafe(_BYTES)
    held = sorted(set(scopes))
    try:
        with db.session.begin_nested():
            db.session.add(ServiceToken(name=name, digest=_digest_of(token), scopes=held, expires_at=expires_at))
    # Of two at the same moment the database takes one.
    except IntegrityError as error:
        raise ServiceError(f"the name {name} is taken: see `manage.py tokens`") from error
    record_activity("create_token", _BY, service=name, scopes=", ".join(held))
    return token


def revoke_service(name: str) -> ServiceToken:
    """End a service account's token, in the caller's transaction; once ended it stays so.

    Raises:
        ServiceError: there is none of this name.
    """
    service = find_service(name.strip())
    if service is None:
        raise ServiceError(f"there is no service account {name}: see `manage.py tokens`")
    if service.revoked_at is None:
        service.revoked_at = utc_now()
        record_activity("revoke_token", _BY, service=service.name)
    return service


def find_service(name: str) -> ServiceToken | None:
    """The service account of this name."""
    return db.session.scalar(select(ServiceToken).where(ServiceToken.name == name))


def is_service_token(token: str) -> bool:
    """Whether this claims to be the token of a service account, and not of a person."""
    return token.startswith(PREFIX)


def service_of(token: str) -> ServiceToken:
    """The service account that a token belongs to.

    Raises:
        TokenError: it is not one of ours, has expired, or was revoked.
    """
    service = db.session.scalar(select(ServiceToken).where(ServiceToken.digest == _digest_of(token)))
    now = utc_now()
    if service is None or service.revoked_at is not None:
        raise TokenError(_NOT_VALID)
    if service.expires_at is not None and service.expires_at <= now:
        raise TokenError(_NOT_VALID)
    if service.last_used_at is None or service.last_used_at < now - _NOTED_EVERY:
        _note_use(service, now)
    return service


def _note_use(service: ServiceToken, now: datetime) -> None:
    """Keep when it was used, in a transaction that is over before the request's begins.

    Whoever finds the row locked leaves it to who locked it: no request waits for another.
    """
    free = select(ServiceToken.id).where(ServiceToken.id == service.id).with_for_update(skip_locked=True)
    db.session.execute(
        update(ServiceToken).where(ServiceToken.id.in_(free)).values(last_used_at=now),
        execution_options={"synchronize_session": False},
    )
    db.session.commit()


def _digest_of(token: str) -> str:
    """SHA-256, of which nobody finds the token: it has 256 random bits."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
