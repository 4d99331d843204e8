"""Broadcasts: what they say, whom they are for, and how far they have come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from marshmallow import ValidationError, fields
from sqlalchemy import inspect

from app.api.access import BROADCASTS
from app.api.jsonapi.access import ResourceType, register_type
from app.api.jsonapi.fields import Choice, Text, Timestamp, WholeNumber
from app.api.jsonapi.schema import Schema, ToOne
from app.api.schema.words import CleanHtml, Link
from app.happenings.telling.broadcasting import figures_of
from app.models import Broadcast
from app.models.broadcast import AUDIENCES, BROADCAST_STATES
from app.models.event import ROLES as EVENT_ROLES

_FIGURES: Final = "usher.broadcast_figures"
_MAX_TITLE: Final = 255
_MAX_MESSAGE: Final = 50_000
_MAX_LINK: Final = 2000


def count_figures(broadcasts: Sequence[Broadcast]) -> None:
    """Find the numbers of these broadcasts for the fields below; the mails are counted of one alone."""
    for broadcast, figures in zip(broadcasts, figures_of(broadcasts), strict=True):
        inspect(broadcast).info[_FIGURES] = figures


class Figure(WholeNumber):
    """A number that `count_figures` has found; its name is that of the attribute of `Figures`."""

    def serialize(self, attr: str, obj: Broadcast, accessor: Any = None, **kwargs: Any) -> int | None:  # noqa: ARG002 - marshmallow's
        """The number; None where there is none yet."""
        number: int | None = getattr(inspect(obj).info[_FIGURES], attr)
        return number


class Roles(fields.Field[list[str]]):
    """A list of roles on an event; one that is there twice counts once."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[str]:  # noqa: ARG002 - marshmallow's
        if not isinstance(value, list) or any(each not in EVENT_ROLES for each in value):
            raise ValidationError(f"This must be a list of some of: {', '.join(EVENT_ROLES)}.")
        return [role for role in EVENT_ROLES if role in value]


class BroadcastSchema(Schema):
    """A message to many; `state` sends and recalls it, `recipients` sent along must be what was last read."""

    class Meta:
        type_ = "broadcast"
        self_view = "v1.broadcast_detail"

    title = Text(_MAX_TITLE, minimum=1, required=True)
    message = CleanHtml(_MAX_MESSAGE, minimum=1, lines=True, required=True)
    link = Link(_MAX_LINK, allow_none=True)
    audience = Choice(AUDIENCES, required=True)
    roles = Roles()
    state = Choice(BROADCAST_STATES, attribute="shown_state")
    recipients = Figure()
    told = Figure(dump_only=True)
    mails = Figure(dump_only=True)
    mails_sent = Figure(dump_only=True)
    mails_stopped = Figure(dump_only=True)
    created_at = Timestamp(dump_only=True)
    sent_at = Timestamp(dump_only=True)
    recalled_at = Timestamp(dump_only=True)
    # When a recall had come to everybody.
    recall_finished_at = Timestamp(dump_only=True)

    event = ToOne("event", foreign_key="event_id", allow_none=True)
    user = ToOne("user", dump_only=True)
    mail_batch = ToOne("mail-batch", attribute="batch", foreign_key="batch_id", dump_only=True)


BROADCAST: Final = register_type(
    ResourceType(
        "broadcast",
        BroadcastSchema,
        BROADCASTS,
        columns={"state": Broadcast.shown_state},
        joins=(Broadcast.fanout,),
        complete=count_figures,
    )
)
