"""The queue: what has failed and why, what waits and since when."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Connection, Row, text

from app.doctor.findings import Finding, Level
from app.models.setting import RETRY

CHECK: Final = "queue"
# Seconds that a mail that is due may wait before it is worth a word, and before something must be wrong.
LATE_WARNING: Final = 60.0
LATE_PROBLEM: Final = 900.0
# Seconds after the end of a lease by which a sweep must have given the mail back.
LOST_PROBLEM: Final = 60.0
# Mails that are asked for their reason.
NEWEST: Final = 10_000

_STATES: Final = text(
    """
    SELECT count(*) FILTER (WHERE status IN ('scheduled', 'queued', 'deferred')) AS waiting,
        count(*) FILTER (WHERE status IN ('scheduled', 'queued', 'deferred') AND next_attempt_at <= now()) AS due,
        extract(epoch FROM now() - min(next_attempt_at) FILTER (
            WHERE status IN ('scheduled', 'queued', 'deferred'))) AS late,
        extract(epoch FROM now() - min(time) FILTER (
            WHERE status IN ('scheduled', 'queued', 'deferred'))) AS oldest,
        extract(epoch FROM now() - min(lease_until) FILTER (WHERE status = 'sending')) AS lost,
        count(*) FILTER (WHERE status = 'sending' AND lease_until < now()) AS lost_mails,
        count(*) FILTER (WHERE status = 'failed') AS failed,
        count(*) FILTER (WHERE status = 'uncertain') AS uncertain,
        (SELECT uncertain_mails FROM settings) AS uncertain_mails
    FROM mails WHERE status IN ('scheduled', 'queued', 'deferred', 'sending', 'failed', 'uncertain')
    """
)
# The newest few tell what is wrong now. Addresses are cut out, so that those of the same reason count as one.
_REASONS: Final = text(
    r"""
    SELECT status, error_class, count(*) AS mails,
        regexp_replace(left(last_error, 400), '[^\s<>"'',;:]+@[^\s<>"'',;:]+', '<address>', 'g') AS reason
    FROM (
        SELECT status, error_class, last_error FROM mails
        WHERE status IN ('failed', 'deferred') AND last_error IS NOT NULL ORDER BY id DESC LIMIT :newest
    ) AS newest
    GROUP BY 1, 2, 4 ORDER BY mails DESC, reason LIMIT 5
    """
)
_MESSAGES: Final = text(
    """
    SELECT channel, status, count(*) AS messages FROM channel_messages WHERE status IN ('failed', 'uncertain')
    GROUP BY channel, status ORDER BY channel, status
    """
)
_MEND: Final = {
    "configuration": "Change the mail settings (PATCH /v1/settings/1): these mails are then tried at once.",
    "connection": "See that the mail server is there; these mails are tried again by themselves.",
    "throttled": "The provider asks for patience; these mails are tried again by themselves.",
    "transient": "These mails are tried again by themselves, for 24 h.",
    "permanent": "No retry helps as it is: see what the server says, mend that, then run `manage.py mail retry`.",
}
_SETTLE: Final = "Look into the server's log, and settle each: `python manage.py mail settle ID sent|retry|failed`."
_TRIED: Final = " Those that were in doubt for less than three tries are tried again by themselves."
_WIDTH: Final = 300


def check_queue(connection: Connection) -> list[Finding]:
    """Count what waits and what has failed."""
    states = connection.execute(_STATES).one()
    reasons = connection.execute(_REASONS, {"newest": NEWEST}).all()
    among = f" of the newest {NEWEST}" if states.failed + states.waiting > NEWEST else ""
    messages = [_message(row) for row in connection.execute(_MESSAGES)]
    return [_waiting(states), *_stuck(states), *(_reason(row, among) for row in reasons), *messages]


def _waiting(states: Row[Any]) -> Finding:
    if not states.waiting:
        return Finding("ok", CHECK, "mails", "No mail waits.")
    shown = (
        f"{states.waiting} mails wait, {states.due} of them are due; the oldest was queued {_ago(states.oldest)} ago"
    )
    late = float(states.late or 0.0)
    if late < LATE_WARNING:
        return Finding("ok", CHECK, "mails", f"{shown}.")
    level: Level = "problem" if late >= LATE_PROBLEM else "warning"
    what = f"{shown}, and one has been due for {_ago(late)}."
    advice = "See that a worker and beat run, and that they are enough for so many mails."
    return Finding(level, CHECK, "mails", what, advice)


def _stuck(states: Row[Any]) -> Iterator[Finding]:
    if states.lost is not None and float(states.lost) > LOST_PROBLEM:
        what = f"{states.lost_mails} mails were in the hands of a worker that died, and nobody has taken them back."
        yield Finding("problem", CHECK, "mails", what, "See that beat runs: it sweeps every few seconds.")
    if states.failed:
        what = f"{states.failed} mails have failed, and are not tried again by themselves."
        yield Finding(
            "warning", CHECK, "mails", what, "See the reasons; when they are mended, run `python manage.py mail retry`."
        )
    if states.uncertain:
        what = f"Of {states.uncertain} mails nobody knows whether the server has taken them."
        yield Finding("warning", CHECK, "mails", what, f"{_SETTLE}{_TRIED if states.uncertain_mails == RETRY else ''}")


def _reason(row: Row[Any], among: str) -> Finding:
    reason = " ".join(row.reason.split())
    shown = reason if len(reason) <= _WIDTH else f"{reason[: _WIDTH - 1]}…"
    level: Level = "problem" if row.error_class == "configuration" else "warning"
    where = f"{row.status}, {row.error_class or 'no class'}"
    return Finding(level, CHECK, where, f"{row.mails} mails{among}: {shown}", _MEND.get(row.error_class or "", ""))


def _message(row: Row[Any]) -> Finding:
    what = f"{row.messages} messages by {row.channel} are {row.status}."
    advice = f"See GET /v1/channel-messages?filter[status]={row.status} for the reasons."
    return Finding("warning", CHECK, "channels", what, advice)


def _ago(seconds: Any) -> str:
    """A time in the unit that reads best."""
    value = float(seconds or 0.0)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if value >= 2 * size:
            return f"{value / size:.0f} {unit}"
    return f"{value:.0f} s"
