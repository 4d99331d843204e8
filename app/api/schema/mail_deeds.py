"""What admins ask for when they try mails again, cancel or settle them: which mails, and why."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import ValidationError, fields

from app.api.jsonapi.document import MAX_LINKAGE
from app.api.jsonapi.fields import Choice, Text
from app.api.jsonapi.jsontext import parse_id
from app.api.jsonapi.schema import Schema
from app.delivery.desk.deeds import SETTLE

_MAX_REASON: Final = 500


class Ids(fields.Field[list[int]]):
    """A list of ids, which are strings; one that is there twice counts once."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[int]:  # noqa: ARG002 - marshmallow's
        if not isinstance(value, list) or not 1 <= len(value) <= MAX_LINKAGE:
            raise ValidationError(f"This must be a list of 1 to {MAX_LINKAGE} ids.")
        numbers = [parse_id(each) for each in value]
        if None in numbers:
            raise ValidationError("Ids are strings of digits.")
        return list(dict.fromkeys(number for number in numbers if number is not None))


class Filter(fields.Field[list[Any]]):
    """The conditions of a list's `filter`, as JSON; at least one."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[Any]:  # noqa: ARG002 - marshmallow's
        if not isinstance(value, list) or not value:
            raise ValidationError(
                'This must be a list of conditions like {"name": …, "op": …, "val": …}, at least one.'
            )
        return value


class MailRetrySchema(Schema):
    """Mails that are to be tried again."""

    class Meta:
        type_ = "mail-retry"

    ids = Ids()
    filter = Filter()
    reason = Text(_MAX_REASON, allow_none=True)


class MailCancellationSchema(Schema):
    """Mails that are to be cancelled."""

    class Meta:
        type_ = "mail-cancellation"

    ids = Ids()
    filter = Filter()
    reason = Text(_MAX_REASON, allow_none=True)


class MailSettlementSchema(Schema):
    """Uncertain mails, and what became of them."""

    class Meta:
        type_ = "mail-settlement"

    ids = Ids(required=True)
    outcome = Choice(tuple(SETTLE), required=True)
    reason = Text(_MAX_REASON, allow_none=True)
