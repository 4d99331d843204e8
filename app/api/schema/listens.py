"""What users follow."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import ValidationError

from app.api.access import LISTENS
from app.api.helpers.listens import ListenError, check_listenable
from app.api.jsonapi.access import ResourceType, register_type
from app.api.jsonapi.fields import StrictBoolean, Text, Timestamp
from app.api.jsonapi.schema import Schema, ToOne
from app.happenings.types import MAX_NAME
from app.models import Listen


class Pattern(Text):
    """A type, all below a prefix (`sessions.*`), or all (`*`): of types that users may follow."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            return check_listenable(text)
        except ListenError as error:
            raise ValidationError(str(error)) from error


class ListenSchema(Schema):
    """One user follows a type of happenings, or several, everywhere or about one thing."""

    class Meta:
        type_ = "listen"
        self_view = "v1.listen_detail"

    event_type = Pattern(MAX_NAME, attribute="pattern", required=True)
    includes_own = StrictBoolean()
    subject = Text(255, dump_only=True)
    created_at = Timestamp(dump_only=True)

    user = ToOne("user", foreign_key="user_id", dump_only=True)
    event = ToOne("event", foreign_key="event_id", allow_none=True)
    session = ToOne("session", foreign_key="session_id", allow_none=True)


LISTEN: Final = register_type(ResourceType("listen", ListenSchema, LISTENS, columns={"event_type": Listen.pattern}))
