"""The routes of logging in and of the links in mails; they take and answer plain JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, g, jsonify

from app.api.helpers.mail import send_email_password_reset
from app.api.helpers.settings import make_frontend_url
from app.api.jsonapi.document import read_json
from app.api.jsonapi.errors import BadRequest, Unauthorized
from app.api.jsonapi.idempotency import commit_with
from app.auth.accounts import check_password, find_user, prove_address, set_password, take_new_address
from app.auth.joining import Person, join, open_invitation
from app.auth.limits import (
    LINKS_PER_ACCOUNT,
    LINKS_PER_ADDRESS,
    LOGIN_PER_ACCOUNT,
    LOGIN_PER_ADDRESS,
    account_key,
    caller_key,
    failed,
    limiter,
    refused,
)
from app.auth.passwords import MAX_LENGTH, hash_password, needs_rehash, verify_password
from app.auth.tokens import CHANGE, RESET, VERIFY, TokenError, link_token, login_token, purpose_of, use_link_token
from app.models import User, db


@limiter.shared_limit(LOGIN_PER_ADDRESS, scope="login", deduct_when=failed)
@limiter.shared_limit(LOGIN_PER_ACCOUNT, scope="account", key_func=account_key, deduct_when=failed)
def create_session() -> Response:
    """Log in: `{"email" or "username", "password"}` gives `{"access_token"}`."""
    body = read_json()
    email, password = body.get("email") or body.get("username"), body.get("password")
    if not isinstance(email, str) or not isinstance(password, str) or not email or not password:
        raise BadRequest("The body must have email (or username) and password.", pointer="")
    user = find_user(email)
    if not verify_password(user.password_hash if user else None, password[: MAX_LENGTH + 1]) or user is None:
        raise Unauthorized("The e-mail address or the password is wrong.")
    if needs_rehash(user.password_hash):
        user.password_hash = hash_password(password)
        db.session.commit()
    return jsonify(access_token=login_token(user))


def verify_email() -> Response:
    """Confirm an address with the token of the mail: `{"data": {"token"}}`."""
    confirm(_text(_data(), "token"))
    return jsonify(message="The e-mail address is confirmed.")


def confirm(token: str) -> User:
    """Take a confirmation token, for the first address or for a new one, and commit.

    Raises:
        BadRequest: it cannot be used.
        Conflict: another account has got the new address in the meantime.
    """
    user, purpose = _use(token, VERIFY, CHANGE)
    if purpose == CHANGE:
        take_new_address(user)
    prove_address(user)
    db.session.commit()
    return user


@limiter.limit(LINKS_PER_ADDRESS)
@limiter.limit(LINKS_PER_ACCOUNT, key_func=account_key)
def ask_for_reset() -> Response:
    """Send a link to a new password, if there is such an account: `{"data": {"email"}}`."""
    user = find_user(_text(_data(), "email"))
    if user is not None:
        send_email_password_reset(user, make_frontend_url("/reset-password", token=link_token(user, RESET)))
    return commit_with(jsonify(message="If there is an account with this address, a mail with a link is on its way."))


def reset_password() -> Response:
    """Set a new password with the token of the mail: `{"data": {"token", "password"}}`."""
    data = _data()
    reset(_text(data, "token"), _text(data, "password"))
    return jsonify(message="The password is changed. Log in with the new one.")


def reset(token: str, password: str) -> User:
    """Take a reset token and commit the new password; following the link also proves the address.

    Raises:
        BadRequest: the token cannot be used.
        Unprocessable: the password is too short or too long.
    """
    check_password(password)
    user, _ = _use(token, RESET)
    prove_address(user)
    set_password(user, password)
    db.session.commit()
    return user


@limiter.limit(LOGIN_PER_ACCOUNT, key_func=caller_key, deduct_when=refused)
def change_password() -> Response:
    """Change one's own password: `{"data": {"old-password", "new-password"}}`."""
    data = _data()
    old, new = _text(data, "old-password"), _text(data, "new-password")
    user = g.viewer.user
    if not verify_password(user.password_hash, old[: MAX_LENGTH + 1]):
        raise BadRequest("The old password is wrong.", pointer="/data/old-password")
    check_password(new, "/data/new-password")
    set_password(user, new)
    db.session.commit()
    return jsonify(
        message="The password is changed, and every earlier login has ended.", access_token=login_token(user)
    )


def accept_invite() -> Response:
    """Take a role with the token of the mail, without a login: `{"data": {"token"}}`.

    An account that never confirmed its address needs a new password too: `{"data": {"token", "password"}}`.
    """
    data = _data()
    token = _text(data, "token")
    if find_user(open_invitation(token).email) is None:
        raise BadRequest("There is no account with this address yet: sign up by the link.", pointer="/data/token")
    invite = join(token, Person(_text(data, "password") if "password" in data else ""))
    return jsonify(message="The invitation is accepted.", event=str(invite.event_id), role=invite.role_name)


def _use(token: str, *purposes: str) -> tuple[User, str]:
    try:
        purpose = purpose_of(token, *purposes)
        return use_link_token(token, purpose), purpose
    except TokenError as error:
        raise BadRequest(str(error), pointer="/data/token") from error


def _data() -> Mapping[str, Any]:
    data = read_json().get("data")
    if not isinstance(data, dict):
        raise BadRequest('The body must be {"data": {…}}.', pointer="/data")
    return data


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    if not isinstance(value, str) or not value:
        raise BadRequest(f"{name} is missing.", pointer=f"/data/{name}")
    return value
