"""Invitations to a role: whoever has the address is told, by mail and, with an account, in the app, and answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response
from sqlalchemy import ColumnElement, func, select

from app.api.access import visible_role_invites
from app.api.helpers.addresses import same_address
from app.api.helpers.log import record_activity
from app.api.helpers.mail import send_email_role_invite
from app.api.helpers.notification import About, send_notif_event_role
from app.api.helpers.settings import make_frontend_url
from app.api.jsonapi.access import require_visible
from app.api.jsonapi.errors import Conflict, Forbidden, NotFound, Unprocessable, explain
from app.api.jsonapi.resources import DetailResource, ListResource
from app.api.schema.events import EVENT
from app.api.schema.role_invites import ROLE_INVITE
from app.api.speakers import stays_with_event
from app.api.viewer import Viewer
from app.auth.accounts import find_user
from app.auth.invitations import accept, decline
from app.auth.limits import INVITES_PER_ACCOUNT, caller_key, created, limiter
from app.auth.tokens import invite_token
from app.models import EventRole, RoleInvite, User, db
from app.models.event import MANAGERS
from app.models.invite import ACCEPTED, PENDING

_EMAIL = "/data/attributes/email"
# Two who invite at the same moment: the database decides.
explain("uq_role_invites_open", "There is an open invitation of this address to this role.", _EMAIL)


class RoleInviteList(ListResource):
    """Invitations; the event's owner, organizers and admins make new ones."""

    resource_type = ROLE_INVITE

    def scope(self, viewer: Viewer, view_kwargs: Mapping[str, Any]) -> ColumnElement[bool] | None:
        """Those of the event in the address."""
        if "event_id" not in view_kwargs:
            return None
        event_id = view_kwargs["event_id"]
        of_event: ColumnElement[bool] = RoleInvite.event_id == event_id
        if viewer.has_role(event_id, *MANAGERS):
            require_visible(EVENT, event_id, viewer)
        elif db.session.scalar(select(RoleInvite.id).where(of_event, visible_role_invites(viewer)).limit(1)) is None:
            raise NotFound("There are no invitations here that you may see.")
        return of_event

    @limiter.limit(INVITES_PER_ACCOUNT, key_func=caller_key, deduct_when=created)
    def post(self, **view_kwargs: Any) -> Response:
        """A new invitation, as long as the caller has not sent very many."""
        return super().post(**view_kwargs)

    def before_create(self, data: dict[str, Any], viewer: Viewer, view_kwargs: Any) -> None:  # noqa: ARG002 - the hook's signature
        """Who may invite; nobody is asked to become what he is."""
        _check_manager(data["event"].id, viewer)
        data.pop("status", None)
        held = (
            select(EventRole.id)
            .join(User)
            .where(
                EventRole.event_id == data["event"].id,
                EventRole.role == data["role_name"],
                func.lower(User.email) == func.lower(data["email"]),
            )
        )
        if db.session.scalar(held) is not None:
            raise Conflict("Whoever has this address has this role already.", pointer=_EMAIL)

    def after_create(self, obj: RoleInvite, viewer: Viewer) -> None:  # noqa: ARG002 - the hook's signature
        """Tell whoever has the address."""
        record_activity("invite_user", email=obj.email, role=obj.role_name, event_id=obj.event_id)
        tell_of_invitation(obj)


class RoleInviteDetail(DetailResource):
    """One invitation: answered by whom it is for, taken back by the event's managers."""

    resource_type = ROLE_INVITE

    def before_update(self, obj: RoleInvite, data: dict[str, Any], viewer: Viewer) -> None:
        """Only the answer changes, from open to yes or no."""
        user = viewer.user
        if user is None or not user.is_verified or same_address(user.email) != same_address(obj.email):
            raise Forbidden("Only whoever was invited answers an invitation.")
        stays_with_event(obj.event_id, data)
        _stays_the_same(obj, data)
        status = data.pop("status", obj.status)
        if status == obj.status:
            return
        _check_open(obj)
        if status == ACCEPTED:
            accept(obj, user)
        else:
            decline(obj)

    def before_delete(self, obj: RoleInvite, viewer: Viewer) -> None:
        """The managers take back what is not answered yet; its link no longer works."""
        _check_manager(obj.event_id, viewer)
        _check_open(obj)


def tell_of_invitation(invite: RoleInvite) -> None:
    """Mail the link that proves the address; only the app's link, which has no token, is for others to read."""
    user = find_user(invite.email)
    path = "/role-invites/accept" if user else "/sign-up"
    link = make_frontend_url(path, token=invite_token(invite))
    if user is not None:
        shown = make_frontend_url(f"/role-invites/{invite.id}")
        data = {"event-id": str(invite.event_id), "role-invite-id": str(invite.id), "role": invite.role_name}
        about = About(link=shown, data=data, event=invite.event)
        send_notif_event_role(user, invite.role_name, invite.event.name, shown, about)
    send_email_role_invite(user or invite.email, invite.role_name, invite.event.name, link)


def _check_manager(event_id: int, viewer: Viewer) -> None:
    if not viewer.has_role(event_id, *MANAGERS):
        raise Forbidden("Only the event's owner and organizers and admins may do this.")


def _check_open(invite: RoleInvite) -> None:
    if invite.status != PENDING:
        raise Conflict(f"The invitation was answered already: it is {invite.status}.", pointer="/data")


def _stays_the_same(invite: RoleInvite, data: dict[str, Any]) -> None:
    email, role_name = data.pop("email", invite.email), data.pop("role_name", invite.role_name)
    if same_address(email) != same_address(invite.email):
        raise Unprocessable("An invitation stays with its address: make a new one.", pointer=_EMAIL)
    if role_name != invite.role_name:
        pointer = "/data/attributes/role-name"
        raise Unprocessable("An invitation stays with its role: make a new one.", pointer=pointer)
