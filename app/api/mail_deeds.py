"""What admins do with mails: `POST /v1/mail-retries`, `/v1/mail-cancellations`, `/v1/mail-settlements`.

Each is answered with what was changed and what was not, and why. Nothing of it is kept but the entries in the mails'
timelines and in the log of activities, so there is nothing to GET.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import uuid4

from flask import Response
from sqlalchemy import ColumnElement

from app.api.jsonapi.document import read_resource
from app.api.jsonapi.errors import BadRequest, Unprocessable
from app.api.jsonapi.filters import compile_filters
from app.api.jsonapi.query import FilterNode, only_parameters
from app.api.jsonapi.response import document_response
from app.api.jsonapi.schema import Schema
from app.api.schema.admin import MAIL
from app.api.schema.mail_deeds import MailCancellationSchema, MailRetrySchema, MailSettlementSchema
from app.api.viewer import current_viewer
from app.delivery.desk.batches import Report, Words, do_all, in_batches, matching
from app.delivery.desk.deeds import CANCEL, RETRY, RETRY_MATCHING, SETTLE, Deed
from app.models import Mail, db

# Mails that one request changes at most, which takes some seconds: somebody waits for the answer.
AT_MOST: Final = 100_000


def retry_mails() -> Response:
    """Queue failed, suppressed and uncertain mails again: those of `ids`, or those that match a `filter`."""
    given = _read(MailRetrySchema)
    return _answer(given, MailRetrySchema, "retried", _carry_out(given, RETRY, RETRY_MATCHING))


def cancel_mails() -> Response:
    """Cancel mails that wait: those of `ids`, or those that match a `filter`."""
    given = _read(MailCancellationSchema)
    return _answer(given, MailCancellationSchema, "cancelled", _carry_out(given, CANCEL, CANCEL))


def settle_mails() -> Response:
    """Say what became of uncertain mails, those of `ids`."""
    given = _read(MailSettlementSchema)
    deed = SETTLE[given["outcome"]]
    return _answer(given, MailSettlementSchema, "settled", _carry_out(given, deed, deed))


def _read(schema: type[Schema]) -> dict[str, Any]:
    """What the body asks for.

    Raises:
        Unprocessable: it names mails both by ids and by a filter, or by neither.
    """
    only_parameters()
    given = schema.load_resource(read_resource(schema.Meta.type_), partial=False)
    if "ids" not in given and "filter" not in given:
        raise Unprocessable("Name the mails: by ids, or by a filter.", pointer="/data/attributes")
    if "ids" in given and "filter" in given:
        raise Unprocessable("Name the mails by ids or by a filter, not by both.", pointer="/data/attributes/filter")
    return given


def _carry_out(given: dict[str, Any], deed: Deed, deed_if_matching: Deed) -> Report:
    viewer = current_viewer()
    words = Words(viewer.user.email if viewer.user else "an admin", given.get("reason") or "")
    if "ids" in given:
        return do_all(db.session, deed, in_batches(given["ids"]), words)
    conditions = [*_conditions(given["filter"]), Mail.status.in_(deed.takes)]
    return do_all(db.session, deed_if_matching, matching(db.session, conditions), words, AT_MOST)


def _conditions(nodes: Sequence[Any]) -> Iterable[ColumnElement[bool]]:
    """The filter as a list of mails takes it.

    Raises:
        Unprocessable: it cannot be used.
    """
    try:
        return compile_filters(tuple(FilterNode("filter", node) for node in nodes), MAIL, current_viewer())
    except BadRequest as error:
        raise Unprocessable(str(error.detail), pointer="/data/attributes/filter") from error


def _answer(given: dict[str, Any], schema: type[Schema], counted: str, report: Report) -> Response:
    attributes = {
        counted: report.changed,
        "ids": [str(id_) for id_ in report.ids],
        "causes": {name: count for name, (count, _) in report.causes.items()},
        "skipped-count": report.skipped,
        "skipped": [{"id": str(id_), "reason": reason} for id_, reason in report.reasons.items()],
        "is-complete": report.is_complete,
        "reason": given.get("reason"),
    }
    item = {"type": schema.Meta.type_, "id": str(uuid4()), "attributes": attributes}
    return document_response({"data": item})
