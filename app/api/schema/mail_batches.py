"""Batches of mails, and how many of their mails are in which state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import func, inspect, select

from app.api.access import MAIL_BATCHES
from app.api.jsonapi.access import ResourceType, register_type
from app.api.jsonapi.fields import JsonValue, Text, Timestamp, WholeNumber
from app.api.jsonapi.schema import Schema, ToMany, ToOne
from app.models import Mail, MailBatch, db

_COUNTS: Final = "usher.mails_by_status"


def count_mails(batches: Sequence[MailBatch]) -> None:
    """Count the mails of these batches by status, with one query, for the fields below."""
    found: dict[int | None, dict[str, int]] = {}
    statement = (
        select(Mail.batch_id, Mail.status, func.count())
        .where(Mail.batch_id.in_([batch.id for batch in batches]))
        .group_by(Mail.batch_id, Mail.status)
        .order_by(Mail.status)
    )
    for batch_id, status, count in db.session.execute(statement):
        found.setdefault(batch_id, {})[status] = count
    for batch in batches:
        inspect(batch).info[_COUNTS] = found.get(batch.id, {})


class ByStatus(JsonValue):
    """How many mails of a batch have which status."""

    def serialize(self, attr: str, obj: MailBatch, accessor: Any = None, **kwargs: Any) -> dict[str, int]:  # noqa: ARG002 - marshmallow's
        """What `count_mails` has found."""
        counts: dict[str, int] = inspect(obj).info[_COUNTS]
        return counts


class MailCount(WholeNumber):
    """How many mails a batch has."""

    def serialize(self, attr: str, obj: MailBatch, accessor: Any = None, **kwargs: Any) -> int:  # noqa: ARG002 - marshmallow's
        """What `count_mails` has found."""
        return sum(inspect(obj).info[_COUNTS].values())


class MailBatchSchema(Schema):
    """Mails that belong together; once retention has deleted a mail's row it is counted no longer."""

    class Meta:
        type_ = "mail-batch"
        self_view = "v1.mail_batch_detail"

    description = Text(1000, dump_only=True)
    created_at = Timestamp(dump_only=True)
    mail_count = MailCount(dump_only=True)
    by_status = ByStatus(dump_only=True)

    event = ToOne("event", foreign_key="event_id", dump_only=True)
    # Only the people who send know whom it is from; the account itself is shown to those who may see it.
    user = ToOne("user", dump_only=True)
    # A link, since there may be any number.
    mails = ToMany("mail", related_view="v1.mail_batch_mail_list", dump_only=True)


MAIL_BATCH: Final = register_type(ResourceType("mail-batch", MailBatchSchema, MAIL_BATCHES, complete=count_mails))
