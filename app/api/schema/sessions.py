"""Sessions and speakers."""

from __future__ import annotations

from typing import Final

from app.api.access import SESSIONS, SPEAKERS
from app.api.jsonapi.access import ResourceType, register_type
from app.api.jsonapi.fields import Choice, EmailAddress, Text, Timestamp
from app.api.jsonapi.schema import Schema, ToMany, ToOne
from app.models.session import SESSION_STATES


class SessionSchema(Schema):
    """A session of an event."""

    class Meta:
        type_ = "session"
        self_view = "v1.session_detail"

    title = Text(500, minimum=1, required=True)
    short_abstract = Text(20_000, lines=True, allow_none=True)
    starts_at = Timestamp(allow_none=True)
    ends_at = Timestamp(allow_none=True)
    state = Choice(SESSION_STATES)
    created_at = Timestamp(dump_only=True)

    event = ToOne("event", foreign_key="event_id", required=True)
    speakers = ToMany("speaker", related_view="v1.session_speaker_list")


class SpeakerSchema(Schema):
    """A speaker of an event; address, country and account are for the speaker and the event's team."""

    class Meta:
        type_ = "speaker"
        self_view = "v1.speaker_detail"

    name = Text(500, minimum=1, required=True)
    email = EmailAddress(allow_none=True)
    organisation = Text(500, allow_none=True)
    country = Text(255, allow_none=True)

    event = ToOne("event", foreign_key="event_id", required=True)
    user = ToOne("user", foreign_key="user_id", allow_none=True)
    sessions = ToMany("session", related_view="v1.speaker_session_list", dump_only=True)


SESSION: Final = register_type(ResourceType("session", SessionSchema, SESSIONS))
SPEAKER: Final = register_type(ResourceType("speaker", SpeakerSchema, SPEAKERS))
