"""The services that carry SMS and chat, the messages, and their timelines."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import ValidationError

from app.api.access import CHANNEL_MESSAGE_EVENTS, CHANNEL_MESSAGES, CHANNEL_SERVICES
from app.api.helpers.templates import MASK
from app.api.jsonapi.access import ResourceType, register_type
from app.api.jsonapi.fields import Choice, StrictBoolean, Text, Timestamp, WholeNumber
from app.api.jsonapi.schema import Schema, ToMany, ToOne
from app.api.schema.services import ServiceName
from app.models.channel import TEXT_CHANNELS

MAX_TRIES: Final = 20
MAX_URL: Final = 2000


class SecretUrl(Text):
    """An Apprise URL that is written and never read: it reads back as asterisks, which written back change nothing."""

    def __init__(self) -> None:
        super().__init__(MAX_URL, required=True)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if not text.isprintable() or " " in text:
            raise ValidationError("No spaces: write %20 for one.")
        return text

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:  # noqa: ARG002 - marshmallow's
        return MASK if value else None


class ChannelServiceSchema(Schema):
    """A service that carries SMS or chat messages."""

    class Meta:
        type_ = "channel-service"
        self_view = "v1.channel_service_detail"

    name = ServiceName()
    channel = Choice(TEXT_CHANNELS, required=True)
    url = SecretUrl()
    is_enabled = StrictBoolean()
    max_attempts = WholeNumber(1, MAX_TRIES)
    created_at = Timestamp(dump_only=True)


class ChannelMessageSchema(Schema):
    """An SMS or chat message."""

    class Meta:
        type_ = "channel-message"
        self_view = "v1.channel_message_detail"

    recipient = Text(255, dump_only=True)
    channel = Choice(TEXT_CHANNELS, dump_only=True)
    action = Text(255, dump_only=True)
    title = Text(1000, dump_only=True)
    text = Text(100_000, dump_only=True)
    status = Text(16, dump_only=True)
    attempts = WholeNumber(dump_only=True)
    service = Text(32, dump_only=True)
    error_class = Text(16, dump_only=True)
    last_error = Text(10_000, dump_only=True)
    time = Timestamp(dump_only=True)
    next_attempt_at = Timestamp(dump_only=True)
    sent_at = Timestamp(dump_only=True)

    user = ToOne("user", foreign_key="user_id", dump_only=True)
    happening = ToOne("happening", foreign_key="happening_id", dump_only=True)
    events = ToMany("channel-message-event", related_view="v1.channel_message_event_list", dump_only=True)


class ChannelMessageEventSchema(Schema):
    """An entry of a message's timeline."""

    class Meta:
        type_ = "channel-message-event"

    time = Timestamp(dump_only=True)
    event = Text(16, dump_only=True)
    service = Text(32, dump_only=True)
    text = Text(10_000, dump_only=True)


CHANNEL_SERVICE: Final = register_type(ResourceType("channel-service", ChannelServiceSchema, CHANNEL_SERVICES))
CHANNEL_MESSAGE: Final = register_type(ResourceType("channel-message", ChannelMessageSchema, CHANNEL_MESSAGES))
CHANNEL_MESSAGE_EVENT: Final = register_type(
    ResourceType("channel-message-event", ChannelMessageEventSchema, CHANNEL_MESSAGE_EVENTS, is_story=True)
)
