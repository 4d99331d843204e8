"""The link in an invitation's mail: it proves the address, so that it needs no login, and can make the account too."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy.exc import IntegrityError

from app.api.jsonapi.errors import BadRequest, Conflict
from app.auth.accounts import check_password, find_user, prove_address, set_password, welcome
from app.auth.invitations import accept, accept_waiting, decline
from app.auth.passwords import hash_password
from app.auth.tokens import TokenError, read_invite_token
from app.language import DEFAULT, msg
from app.models import RoleInvite, User, db


@dataclass(frozen=True)
class Person:
    """What somebody says of himself who follows the link; only the password is needed, and not by everybody."""

    password: str = field(default="", repr=False)
    first_name: str | None = None
    last_name: str | None = None
    language: str = DEFAULT


def open_invitation(token: str, *, lock: bool = False) -> RoleInvite:
    """The invitation that a link is about.

    Raises:
        BadRequest: the link cannot be used, or the event was deleted.
    """
    try:
        invite = read_invite_token(token, lock=lock)
    except TokenError as error:
        raise BadRequest(str(error), pointer="/data/token") from error
    if invite.event.deleted_at is not None:
        raise BadRequest(msg("The event was deleted: the invitation can no longer be answered."), pointer="/data/token")
    return invite


def join(token: str, person: Person) -> RoleInvite:
    """Accept the invitation of a link, and commit.

    Without an account one is made. An account that never confirmed its address gets a new password: whoever made it
    may not be whom the mail reached.

    Raises:
        BadRequest: the link cannot be used, or the event was deleted.
        Unprocessable: a password is needed and too short or too long.
        Conflict: somebody registers with the address at this moment.
    """
    # The account before the invitation, as when an address is confirmed: two who wait never wait for each other.
    user = find_user(open_invitation(token).email, lock=True)
    invite = open_invitation(token, lock=True)
    if user is None:
        user = _sign_up(invite.email, person)
    elif not user.is_verified:
        check_password(person.password)
        set_password(user, person.password)
    accept(invite, user)
    if not user.is_verified:
        prove_address(user)
    db.session.commit()
    return invite


def refuse(token: str) -> RoleInvite:
    """Decline the invitation of a link, and commit.

    Raises:
        BadRequest: the link cannot be used, or the event was deleted.
    """
    invite = open_invitation(token, lock=True)
    decline(invite)
    db.session.commit()
    return invite


def _sign_up(email: str, person: Person) -> User:
    check_password(person.password)
    user = User(
        email=email,
        password_hash=hash_password(person.password),
        first_name=person.first_name,
        last_name=person.last_name,
        language=person.language,
        is_verified=True,
    )
    db.session.add(user)
    try:
        db.session.flush()
    except IntegrityError as error:
        raise Conflict(
            msg("There is an account with this e-mail address. Open the link again."), pointer="/data/token"
        ) from error
    welcome(user)
    accept_waiting(user)
    return user
