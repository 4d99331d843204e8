"""How many mails were sent, by action, and what became of all, in one, three, seven and thirty days, and ever."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from flask import Response
from sqlalchemy import func, select
from sqlalchemy.orm import InstrumentedAttribute

from app.api.jsonapi.links import self_link
from app.api.jsonapi.query import only_parameters
from app.api.jsonapi.response import document_response
from app.api.mail_totals import TOTALS
from app.delivery.states import TAKEN
from app.models import Mail, db
from app.models.base import utc_now
from app.models.mail import MAIL_STATUSES, MailCount

PERIODS: Final[Mapping[str, timedelta]] = {
    "one-day": timedelta(days=1),
    "three-days": timedelta(days=3),
    "seven-days": timedelta(days=7),
    "thirty-days": timedelta(days=30),
}
_NONE: Final = dict.fromkeys(PERIODS, 0)
_LONGEST: Final = max(PERIODS.values())

Counts = dict[str, int]


def mail_statistics() -> Response:
    """Mails that were sent, by the time of sending; all mails by what became of them, by the time of queueing."""
    only_parameters()
    now = utc_now()
    gone = _count_gone(now)
    sent_and_gone = ((action, counts) for action, status, counts in gone if status in TAKEN)
    by_action = _add(_count(Mail.action, Mail.sent_at, now), sent_and_gone)
    by_outcome = _add(_count(Mail.status, Mail.time, now), ((status, counts) for _, status, counts in gone))
    ever = {row.status: row.mails for row in db.session.execute(TOTALS)}
    attributes: dict[str, Any] = {
        **{period: sum(counts[period] for counts in by_action.values()) for period in PERIODS},
        "by-action": dict(sorted(by_action.items())),
        "by-outcome": {status: by_outcome.get(status, _NONE) for status in MAIL_STATUSES},
        "totals": {status: ever.get(status, 0) for status in MAIL_STATUSES},
    }
    item = {"type": "admin-statistics-mail", "id": "1", "attributes": attributes}
    return document_response({"data": item, "links": {"self": self_link()}})


def _count(key: InstrumentedAttribute[str], time: InstrumentedAttribute[Any], now: datetime) -> dict[str, Counts]:
    """For each value of `key` how many mails have a `time` within each period; read by the index of that time."""
    counts = [func.count().filter(time > now - length) for length in PERIODS.values()]
    rows = db.session.execute(select(key, *counts).where(time > now - _LONGEST).group_by(key))
    return {value: dict(zip(PERIODS, numbers, strict=True)) for value, *numbers in rows}


def _count_gone(now: datetime) -> list[tuple[str, str, Counts]]:
    """The same of the mails whose rows retention has deleted, by action and status: of whole days within each period.

    There are none, unless mails are kept for less than a month.
    """
    numbers = [
        func.coalesce(func.sum(MailCount.mails).filter(MailCount.day > (now - length).date()), 0)
        for length in PERIODS.values()
    ]
    rows = db.session.execute(
        select(MailCount.action, MailCount.status, *numbers)
        .where(MailCount.day > (now - _LONGEST).date())
        .group_by(MailCount.action, MailCount.status)
    )
    return [(action, status, dict(zip(PERIODS, map(int, counted), strict=True))) for action, status, *counted in rows]


def _add(counts: dict[str, Counts], more: Iterable[tuple[str, Counts]]) -> dict[str, Counts]:
    for key, added in more:
        before = counts.get(key, _NONE)
        counts[key] = {period: before[period] + added[period] for period in PERIODS}
    return counts
