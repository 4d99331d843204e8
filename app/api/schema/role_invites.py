"""Invitations to a role on an event."""

from __future__ import annotations

from typing import Final

from app.api.access import ROLE_INVITES
from app.api.jsonapi.access import ResourceType, register_type
from app.api.jsonapi.fields import Choice, EmailAddress, Timestamp
from app.api.jsonapi.schema import Schema, ToOne
from app.models.invite import INVITE_STATUSES, INVITED_ROLES


class RoleInviteSchema(Schema):
    """An address is asked to take a role; `status` is whoever has the address to change, and only once."""

    class Meta:
        type_ = "role-invite"
        self_view = "v1.role_invite_detail"

    email = EmailAddress(required=True)
    role_name = Choice(INVITED_ROLES, required=True)
    status = Choice(INVITE_STATUSES)
    created_at = Timestamp(dump_only=True)

    event = ToOne("event", foreign_key="event_id", required=True)


ROLE_INVITE: Final = register_type(ResourceType("role-invite", RoleInviteSchema, ROLE_INVITES))
