"""Calls for papers, and the invitations to answer them."""

from __future__ import annotations

from typing import Final

from app.api.access import PAPER_INVITES, SPEAKERS_CALLS
from app.api.jsonapi.access import ResourceType, register_type
from app.api.jsonapi.fields import Choice, EmailAddress, Text, Timestamp
from app.api.jsonapi.schema import Schema, ToOne
from app.models.invite import PRIVACIES


class SpeakersCallSchema(Schema):
    """The call for papers of an event; `hash` is part of the address of a private one, and for the team only."""

    class Meta:
        type_ = "speakers-call"
        self_view = "v1.speakers_call_detail"

    announcement = Text(20_000, minimum=1, lines=True, required=True)
    starts_at = Timestamp(required=True)
    ends_at = Timestamp(required=True)
    privacy = Choice(PRIVACIES)
    hash = Text(32, dump_only=True)

    event = ToOne("event", foreign_key="event_id", required=True)


class PaperInviteSchema(Schema):
    """Somebody who was asked to propose a session."""

    class Meta:
        type_ = "paper-invite"
        self_view = "v1.paper_invite_detail"

    email = EmailAddress(required=True)
    created_at = Timestamp(dump_only=True)

    speakers_call = ToOne("speakers-call", foreign_key="speakers_call_id", required=True)


SPEAKERS_CALL: Final = register_type(ResourceType("speakers-call", SpeakersCallSchema, SPEAKERS_CALLS))
PAPER_INVITE: Final = register_type(ResourceType("paper-invite", PaperInviteSchema, PAPER_INVITES))
