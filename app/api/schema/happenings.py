"""Happenings: what other programs announce, and what people were told of."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import ValidationError

from app.api.access import HAPPENINGS
from app.api.helpers.happenings import (
    MAX_LINK,
    MAX_MESSAGE,
    MAX_NAME,
    MAX_TITLE,
    HappeningError,
    check_data,
)
from app.api.jsonapi.access import ResourceType, register_type
from app.api.jsonapi.fields import Choice, JsonValue, Text, Timestamp, WholeNumber
from app.api.jsonapi.schema import Schema, ToMany, ToOne
from app.api.schema.words import CleanHtml, Link
from app.models import Fanout, Happening
from app.models.event import ROLES
from app.models.fanout import FANOUT_STATES


class Data(JsonValue):
    """Any JSON value of at most 16 KB."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        try:
            return check_data(super()._deserialize(value, attr, data, **kwargs))
        except HappeningError as error:
            raise ValidationError(str(error)) from error


class HappeningSchema(Schema):
    """What happened, once for all who were told."""

    class Meta:
        type_ = "happening"
        self_view = "v1.happening_detail"

    action = Text(255, dump_only=True)
    event_type = Text(255, required=True)
    title = Text(MAX_TITLE, minimum=1, required=True)
    message = CleanHtml(MAX_MESSAGE, minimum=1, lines=True, required=True)
    link = Link(MAX_LINK, allow_none=True)
    data = Data(allow_none=True)
    group_key = Text(MAX_NAME, minimum=1, allow_none=True)
    subject = Text(MAX_NAME, minimum=1, allow_none=True)
    role = Choice(ROLES, load_only=True, allow_none=True)
    recipients = WholeNumber(dump_only=True)
    told = WholeNumber(dump_only=True)
    state = Choice(FANOUT_STATES, dump_only=True)
    created_at = Timestamp(dump_only=True)

    event = ToOne("event", foreign_key="event_id", allow_none=True)
    session = ToOne("session", foreign_key="session_id", allow_none=True)
    actor = ToOne("user", foreign_key="actor_id", allow_none=True)
    users = ToMany("user", load_only=True)


HAPPENING: Final = register_type(
    ResourceType(
        "happening",
        HappeningSchema,
        HAPPENINGS,
        columns={"recipients": Fanout.recipients, "told": Fanout.done, "state": Fanout.state},
        joins=(Happening.fanout,),
    )
)
