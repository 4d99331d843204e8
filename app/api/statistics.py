"""How many mails were sent, by action, and what became of all, in one, three, seven and thirty days."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from flask import Response
from sqlalchemy import func, select
from sqlalchemy.orm import InstrumentedAttribute

from app.api.jsonapi.links import self_link
from app.api.jsonapi.query import only_parameters
from app.api.jsonapi.response import document_response
from app.models import Mail, db
from app.models.base import utc_now
from app.models.mail import MAIL_STATUSES

PERIODS: Final[Mapping[str, timedelta]] = {
    "one-day": timedelta(days=1),
    "three-days": timedelta(days=3),
    "seven-days": timedelta(days=7),
    "thirty-days": timedelta(days=30),
}
_NONE: Final = dict.fromkeys(PERIODS, 0)

Counts = dict[str, int]


def mail_statistics() -> Response:
    """Mails that were sent, by the time of sending; all mails by what became of them, by the time of queueing."""
    only_parameters()
    by_action = _count(Mail.action, Mail.sent_at)
    by_outcome = _count(Mail.status, Mail.time)
    attributes: dict[str, Any] = {
        **{period: sum(counts[period] for counts in by_action.values()) for period in PERIODS},
        "by-action": by_action,
        "by-outcome": {status: by_outcome.get(status, _NONE) for status in MAIL_STATUSES},
    }
    item = {"type": "admin-statistics-mail", "id": "1", "attributes": attributes}
    return document_response({"data": item, "links": {"self": self_link()}})


def _count(key: InstrumentedAttribute[str], time: InstrumentedAttribute[Any]) -> dict[str, Counts]:
    """For each value of `key` how many mails have a `time` within each period; read by the index of that time."""
    now = utc_now()
    counts = [func.count().filter(time > now - length) for length in PERIODS.values()]
    longest = max(PERIODS.values())
    rows = db.session.execute(select(key, *counts).where(time > now - longest).group_by(key).order_by(key))
    return {value: dict(zip(PERIODS, numbers, strict=True)) for value, *numbers in rows}
