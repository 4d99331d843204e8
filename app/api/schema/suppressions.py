"""Suppressions: addresses that no mail is sent to."""

from __future__ import annotations

from typing import Any, Final

from app.api.access import SUPPRESSIONS
from app.api.jsonapi.access import ResourceType, register_type
from app.api.jsonapi.fields import EmailAddress, Text, Timestamp
from app.api.jsonapi.schema import Schema, ToOne


class AnyCase(EmailAddress):
    """An address in lower case, as the list has it: case does not count."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        return super()._deserialize(value, attr, data, **kwargs).lower()


class SuppressionSchema(Schema):
    """An address that no mail is sent to, why, and since when; `mail` is the one that it shows by."""

    class Meta:
        type_ = "suppression"
        self_view = "v1.suppression_detail"

    address = AnyCase(required=True)
    reason = Text(16, dump_only=True)
    text = Text(1000, lines=True, allow_none=True)
    created_at = Timestamp(dump_only=True)

    mail = ToOne("mail", foreign_key="mail_id", dump_only=True)
    user = ToOne("user", foreign_key="user_id", dump_only=True)


SUPPRESSION: Final = register_type(ResourceType("suppression", SuppressionSchema, SUPPRESSIONS))
