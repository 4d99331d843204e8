"""Retention: old mails lose their bodies, then their rows; what they count for stays in `mail_counts`.

Small statements, each committed by itself: none holds a lock for long, and whatever ends the process loses nothing.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from typing import Any, Final

from sqlalchemy import Connection, Engine, TextClause, select, text

from app.models import Setting
from app.models.base import one_of
from app.models.channel import TEXT_CHANNELS
from app.models.mail import BOUNCED, CANCELLED, COMPLAINED, DELIVERED, FAILED, OVER, REJECTED, SENT, SUPPRESSED
from app.models.setting import SETTING_ID

# Rows of one statement, unless another number is asked for.
BATCH: Final = 1000
# Those that arrived, as far as anybody knows, and all others that are over.
ARRIVED: Final = (SENT, DELIVERED)
MESSAGE_PROBLEMS: Final = (FAILED, SUPPRESSED, CANCELLED)
PROBLEMS: Final = (BOUNCED, COMPLAINED, REJECTED, FAILED, SUPPRESSED, CANCELLED)
# How long the answer to a request with an `Idempotency-Key` is known, and an event waits for the mail it is about.
KEY_DAYS: Final = 1
UNKNOWN_EVENT_DAYS: Final = 30
# How long the bounces for now of an address are counted on: five within years are no reason to send it nothing.
SOFT_BOUNCE_DAYS: Final = 90

_LONG_AGO: Final = datetime(1, 1, 1, tzinfo=UTC)
# `give_up_at` is 24 h after a mail was queued, was to be sent, or was tried again by an admin: whichever came last.
_OLD_MAIL: Final = "give_up_at >= :after AND give_up_at < now() + interval '24 hours' - make_interval(days => :days)"

# `:after` is how far the batch before came: entries of an index that are dead are not walked over again and again.
_TAKE_OUT_BODIES: Final = """
WITH old AS MATERIALIZED (
    SELECT id FROM mails WHERE {old} ORDER BY give_up_at LIMIT :limit FOR UPDATE SKIP LOCKED
), emptied AS (
    UPDATE mails SET message = '', text = '', secret = NULL, body_removed_at = now()
    FROM old WHERE mails.id = old.id
    RETURNING mails.id, give_up_at AS reached
), stripped AS (
    UPDATE mail_attachments SET content = NULL, problem = coalesce(problem, 'It was taken out, since the mail is old.')
    FROM emptied WHERE mail_id = emptied.id AND content IS NOT NULL
)
SELECT count(*) AS rows, max(reached) AS reached FROM emptied
"""
# Counted where they are deleted: a mail is in one of the two tables, and never in both. Sorted, so that two that count
# at once wait for each other in the same order.
_DELETE_MAILS: Final = """
WITH old AS MATERIALIZED (
    SELECT id FROM mails WHERE {old} ORDER BY give_up_at LIMIT :limit FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM mails USING old WHERE mails.id = old.id RETURNING time, action, status, give_up_at AS reached
), counted AS (
    INSERT INTO mail_counts (day, action, status, mails)
    SELECT (time AT TIME ZONE 'UTC')::date AS day, action, status, count(*) FROM gone GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (day, action, status) DO UPDATE SET mails = mail_counts.mails + excluded.mails
)
SELECT count(*) AS rows, max(reached) AS reached FROM gone
"""
_DELETE: Final = """
WITH gone AS (
    DELETE FROM {table} WHERE {key} IN (
        SELECT {key} FROM {table} WHERE {old} ORDER BY {column} LIMIT :limit FOR UPDATE SKIP LOCKED
    ) RETURNING {column} AS reached
)
SELECT count(*) AS rows, max(reached) AS reached FROM gone
"""


@dataclass(frozen=True)
class Rule:
    """What is removed after so many days.

    Attributes:
        what: `bodies`, `mails`, `messages`, `keys`, `events` or `bounces`.
        days: after how many days; None, never.
        remove: removes a batch; returns how many rows there were, and how far it came.
        overdue: counts what would be removed.
    """

    what: str
    days: int | None
    remove: TextClause
    overdue: TextClause


def clean(engine: Engine, seconds: float | None = None, batch: int = BATCH) -> Counter[str]:
    """Remove what the settings say is too old, and count it by what it was.

    Args:
        engine: the database.
        seconds: no new batch begins after this time; None, all is removed.
        batch: rows of one statement.
    """
    removed: Counter[str] = Counter()
    stop_at = None if seconds is None else time.monotonic() + seconds
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for rule in rules(connection):
            for rows in _batches(connection, rule, batch):
                removed[rule.what] += rows
                if stop_at is not None and time.monotonic() >= stop_at:
                    return removed
    return removed


def overdue(engine: Engine) -> Counter[str]:
    """How much `clean` would remove."""
    found: Counter[str] = Counter()
    with engine.connect() as connection:
        for rule in rules(connection):
            values = {"days": rule.days, "after": _LONG_AGO}
            found[rule.what] += connection.execute(rule.overdue, values).scalar_one()
    return found


def rules(connection: Connection) -> list[Rule]:
    """What the settings and this module say, in the order in which it is done: a row that goes needs no emptying."""
    row = connection.execute(
        select(Setting.mail_body_days, Setting.mail_days, Setting.mail_problem_days).where(Setting.id == SETTING_ID)
    ).one_or_none()
    body_days, days, problem_days = row or (None, None, None)
    every = [
        *(_mail_rule("mails", days, _DELETE_MAILS, f"status = '{status}'") for status in ARRIVED),
        *(_mail_rule("mails", problem_days, _DELETE_MAILS, f"status = '{status}'") for status in PROBLEMS),
        _mail_rule("bodies", body_days, _TAKE_OUT_BODIES, f"body_removed_at IS NULL AND {one_of('status', OVER)}"),
        *(_message_rule(days, SENT, channel) for channel in TEXT_CHANNELS),
        *(_message_rule(problem_days, *of) for of in product(MESSAGE_PROBLEMS, TEXT_CHANNELS)),
        _table_rule("keys", KEY_DAYS, "idempotency_keys.id", "created_at"),
        _table_rule("events", UNKNOWN_EVENT_DAYS, "mail_events.id", "time", "mail_id IS NULL AND "),
        _table_rule("bounces", SOFT_BOUNCE_DAYS, "soft_bounces.address", "last_at"),
    ]
    return [rule for rule in every if rule.days is not None]


def _mail_rule(what: str, days: int | None, statement: str, which: str) -> Rule:
    old = f"{which} AND {_OLD_MAIL}"
    count = f"SELECT count(*) FROM mails WHERE {old}"  # noqa: S608 - of our own words
    return Rule(what, days, text(statement.format(old=old)), text(count))


def _message_rule(days: int | None, status: str, channel: str) -> Rule:
    """SMS and chat messages, which are kept as long as mails; by channel too, as their index has them."""
    which = f"status = '{status}' AND channel = '{channel}' AND "
    return _table_rule("messages", days, "channel_messages.id", "time", which)


def _table_rule(what: str, days: int | None, primary_key: str, column: str, which: str = "") -> Rule:
    """The rows of another table, whose primary key is named as `table.key`."""
    table, _, key = primary_key.partition(".")
    old = f"{which}{column} >= :after AND {column} < now() - make_interval(days => :days)"
    count = f"SELECT count(*) FROM {table} WHERE {old}"  # noqa: S608 - of our own words
    return Rule(what, days, text(_DELETE.format(table=table, key=key, column=column, old=old)), text(count))


def _batches(connection: Connection, rule: Rule, batch: int) -> Iterator[int]:
    """Remove batch after batch until there is none, and tell the size of each."""
    values: dict[str, Any] = {"days": rule.days, "limit": batch, "after": _LONG_AGO}
    while True:
        rows, reached = connection.execute(rule.remove, values).one()
        if rows:
            yield rows
        if rows < batch:
            return
        values["after"] = reached
