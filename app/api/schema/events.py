"""Events."""

from __future__ import annotations

from typing import Final

from app.api.access import EVENTS
from app.api.jsonapi.access import ResourceType, register_type
from app.api.jsonapi.fields import Choice, Text, Timestamp, Timezone
from app.api.jsonapi.schema import Schema, ToMany, ToOne
from app.models.event import EVENT_STATES


class EventSchema(Schema):
    """An event; `identifier` is its short name in addresses."""

    class Meta:
        type_ = "event"
        self_view = "v1.event_detail"

    identifier = Text(16, dump_only=True)
    name = Text(500, minimum=1, required=True)
    starts_at = Timestamp(required=True)
    ends_at = Timestamp(required=True)
    timezone = Timezone()
    location_name = Text(500, allow_none=True)
    state = Choice(EVENT_STATES)
    created_at = Timestamp(dump_only=True)

    sessions = ToMany("session", related_view="v1.event_session_list", dump_only=True)
    speakers = ToMany("speaker", related_view="v1.event_speaker_list", dump_only=True)
    speakers_call = ToOne("speakers-call", related_view="v1.event_speakers_call", dump_only=True)


EVENT: Final = register_type(ResourceType("event", EventSchema, EVENTS))
