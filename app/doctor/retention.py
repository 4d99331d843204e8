"""Retention: whether old mails lose their bodies and rows, and whether that is done."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, text

from app.delivery.retention import rules
from app.doctor.findings import Finding

CHECK: Final = "retention"
# Days by which something may be late: far more than beat takes, also after a pause.
GRACE: Final = 2
_SETTINGS: Final = ("mail-body-days", "mail-days", "mail-problem-days")
_READ: Final = text("SELECT mail_body_days, mail_days, mail_problem_days FROM settings")
_LONG_AGO: Final = datetime(1, 1, 1, tzinfo=UTC)


def check_retention(connection: Connection) -> list[Finding]:
    """Look at the settings, and for what should have been removed."""
    row = connection.execute(_READ).one_or_none()
    days = dict(zip(_SETTINGS, row or (None, None, None), strict=True))
    found = [*_kept_for_ever(days), *_late(connection)]
    if found:
        return found
    shown = ", ".join(f"{name} {number}" for name, number in days.items())
    return [Finding("ok", CHECK, "settings", f"What is too old is removed ({shown}).")]


def _kept_for_ever(days: dict[str, int | None]) -> Iterator[Finding]:
    for name, number in days.items():
        if number is None:
            kept = "The texts and attachments of mails" if name == "mail-body-days" else "The rows of mails"
            what = f"{kept} are kept for ever: the table grows, and so does what a thief would find."
            yield Finding("warning", CHECK, name, what, f"Set {name} to a number of days: PATCH /v1/settings/1.")


def _late(connection: Connection) -> Iterator[Finding]:
    late = sum(
        connection.execute(rule.overdue, {"days": (rule.days or 0) + GRACE, "after": _LONG_AGO}).scalar_one()
        for rule in rules(connection)
    )
    if late:
        what = f"{late} bodies, rows and keys should have been removed {GRACE} days ago."
        advice = "See that beat runs, and run `python manage.py retention` once."
        yield Finding("warning", CHECK, "mails", what, advice)
