"""Users: signing up, and one's own account."""

from __future__ import annotations

from typing import Any

from app.api.helpers.addresses import same_address
from app.api.helpers.log import record_activity
from app.api.helpers.mail import send_email_confirmation, send_email_user_register
from app.api.helpers.settings import make_frontend_url
from app.api.jsonapi.data_layer import Changes
from app.api.jsonapi.errors import Conflict, Unprocessable, explain
from app.api.jsonapi.resources import DetailResource, ListResource
from app.api.schema.users import USER
from app.api.viewer import Viewer
from app.auth.passwords import hash_password
from app.auth.tokens import VERIFY, link_token
from app.auth.views import find_user
from app.models import User

_TAKEN = ("There is an account with this e-mail address.", "/data/attributes/email")
# Two who sign up with one address at the same moment: the database decides.
explain("uq_users_email_lower", *_TAKEN)


class UserList(ListResource):
    """POST signs up; GET is for admins."""

    resource_type = USER

    def before_create(self, data: dict[str, Any], viewer: Viewer, view_kwargs: Any) -> None:  # noqa: ARG002 - the hook's signature
        """Store a hash in place of the password; an address has one account."""
        _refuse_taken(data["email"])
        password = data.pop("password")
        if password is None:
            raise Unprocessable("A password is needed.", pointer="/data/attributes/password")
        data["password_hash"] = hash_password(password)

    def after_create(self, obj: User, viewer: Viewer) -> None:  # noqa: ARG002 - the hook's signature
        """Welcome the user, and ask to confirm the address."""
        send_email_user_register(obj.email)
        send_confirmation(obj)
        record_activity("create_user", login_user=obj, user=obj)


class UserDetail(DetailResource):
    """One account, for its owner and admins."""

    resource_type = USER
    url_field = "user_id"

    def before_update(self, obj: User, data: dict[str, Any], viewer: Viewer) -> None:  # noqa: ARG002 - the hook's signature
        """A password is not changed in passing; a new address must be confirmed like the first."""
        if data.pop("password", None) is not None:
            raise Unprocessable(
                "Change a password with POST /v1/auth/change-password.", pointer="/data/attributes/password"
            )
        email = data.get("email")
        if email is not None and same_address(email) != same_address(obj.email):
            _refuse_taken(email)
            data["is_verified"] = False

    def after_update(self, obj: User, changes: Changes, viewer: Viewer) -> None:  # noqa: ARG002 - the hook's signature
        """Ask to confirm a new address."""
        if "email" in changes and not obj.is_verified:
            send_confirmation(obj)


def send_confirmation(user: User) -> None:
    """Send the link that confirms the address."""
    send_email_confirmation(user.email, make_frontend_url("/verify", token=link_token(user, VERIFY)))


def _refuse_taken(email: str) -> None:
    if find_user(email) is not None:
        detail, pointer = _TAKEN
        raise Conflict(detail, pointer=pointer)
