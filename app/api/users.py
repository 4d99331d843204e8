"""Users: signing up, plainly or by an invitation, and one's own account."""

from __future__ import annotations

from typing import Any

from app.api.helpers.addresses import same_address
from app.api.jsonapi.data_layer import Changes
from app.api.jsonapi.errors import BadRequest, Conflict, Unprocessable, explain
from app.api.jsonapi.resources import DetailResource, ListResource
from app.api.schema.users import USER
from app.api.viewer import Viewer
from app.auth.accounts import TAKEN, announce_new_address, ask_new_address, find_user, welcome
from app.auth.invitations import accept, accept_waiting
from app.auth.joining import open_invitation
from app.auth.passwords import hash_password
from app.models import RoleInvite, User, db

_EMAIL = "/data/attributes/email"
# Two who sign up with one address at the same moment: the database decides.
explain("uq_users_email_lower", TAKEN, _EMAIL)


class UserList(ListResource):
    """POST signs up; GET is for admins."""

    resource_type = USER
    # The invitation by which somebody signs up.
    invite: RoleInvite | None = None

    def before_create(self, data: dict[str, Any], viewer: Viewer, view_kwargs: Any) -> None:  # noqa: ARG002 - the hook's signature
        """Store a hash in place of the password; an address has one account."""
        data.pop("new_email", None)
        _refuse_taken(data["email"])
        password, token = data.pop("password"), data.pop("invite_token", None)
        if password is None:
            raise Unprocessable("A password is needed.", pointer="/data/attributes/password")
        if token is not None:
            self.invite = _invitation(token, data["email"])
            data["is_verified"] = True  # the token was sent to this address, and nowhere else
        data["password_hash"] = hash_password(password)

    def after_create(self, obj: User, viewer: Viewer) -> None:  # noqa: ARG002 - the hook's signature
        """Welcome the user; ask to confirm the address, or give the role that comes with it."""
        welcome(obj)
        if self.invite is not None:
            accept(self.invite, obj)
            accept_waiting(obj)


class UserDetail(DetailResource):
    """One account, for its owner and admins."""

    resource_type = USER
    url_field = "user_id"
    # Whether the caller names the address that waits for its link: that link is lost, or has expired.
    asks_again: bool = False

    def before_update(self, obj: User, data: dict[str, Any], viewer: Viewer) -> None:  # noqa: ARG002 - the hook's signature
        """A password is not changed in passing; a new address counts once it is confirmed."""
        for name in ("invite_token", "was_registered_with_order"):
            data.pop(name, None)
        if data.pop("password", None) is not None:
            raise Unprocessable(
                "Change a password with POST /v1/auth/change-password.", pointer="/data/attributes/password"
            )
        self.asks_again = obj.new_email is not None and data.get("email") == obj.new_email
        _set_address(obj, data)

    def after_update(self, obj: User, changes: Changes, viewer: Viewer) -> None:  # noqa: ARG002 - the hook's signature
        """Ask to confirm a new address."""
        db.session.expire(obj, ["suppression", "new_suppression"])
        if "new_email" in changes and obj.new_email is not None:
            announce_new_address(obj)
        elif self.asks_again:
            ask_new_address(obj)


def _set_address(user: User, data: dict[str, Any]) -> None:
    """Keep a new address for later; the present one, in whatever case, is taken at once and ends a change of it."""
    email, is_echo = data.pop("email", None), "new_email" in data and data.pop("new_email") == user.new_email
    if email is None:
        return
    if same_address(email) != same_address(user.email):
        _refuse_taken(email)
        data["new_email"] = email
        return
    data["email"] = email
    if not is_echo:
        data["new_email"] = None


def _invitation(token: str, email: str) -> RoleInvite:
    try:
        invite = open_invitation(token, lock=True)
    except BadRequest as error:
        raise Unprocessable(error.detail, pointer="/data/attributes/invite-token") from error
    if same_address(invite.email) != same_address(email):
        raise Unprocessable("The invitation is for another address.", pointer=_EMAIL)
    return invite


def _refuse_taken(email: str) -> None:
    if find_user(email) is not None:
        raise Conflict(TAKEN, pointer=_EMAIL)
