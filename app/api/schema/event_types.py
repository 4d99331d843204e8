"""The types of happenings."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import ValidationError

from app.api.access import EVENT_TYPES
from app.api.jsonapi.access import ResourceType, register_type
from app.api.jsonapi.fields import Choice, Choices, StrictBoolean, Text, Timestamp
from app.api.jsonapi.schema import Schema
from app.happenings.types import MAX_NAME, EventTypeError, check_name
from app.models.event_type import CHANNELS, ORIGINS


class TypeName(Text):
    """`<application>.<function>.<action>`, with more levels if needed."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            return check_name(text)
        except EventTypeError as error:
            raise ValidationError(str(error)) from error


class EventTypeSchema(Schema):
    """A kind of happening that somebody can be told of."""

    class Meta:
        type_ = "event-type"
        self_view = "v1.event_type_detail"

    name = TypeName(MAX_NAME, required=True)
    title = Text(255, minimum=1, required=True)
    description = Text(2000, lines=True, allow_none=True)
    channels = Choices(CHANNELS)
    is_critical = StrictBoolean()
    is_listenable = StrictBoolean()
    origin = Choice(ORIGINS, dump_only=True)
    created_at = Timestamp(dump_only=True)


EVENT_TYPE: Final = register_type(ResourceType("event-type", EventTypeSchema, EVENT_TYPES))
