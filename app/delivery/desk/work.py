"""What an operator does with mails by hand: try them again, cancel them, settle those that nobody knows of.

Each deed is one statement over at most some thousand ids: it locks the rows, leaves those as they are that the deed is
not for, changes the others and writes the entries of their timelines, or nothing at all.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, text
from sqlalchemy.orm import object_session

from app.api.helpers.system_mails import MAILS
from app.api.helpers.templates import MASK
from app.auth.tokens import INVITE, LIFETIMES, RESET, VERIFY
from app.delivery.desk.deeds import CANCEL, RETRY, SETTLE, Deed
from app.models.mail import EVENT_ROLE, PASSWORD_RESET, USER_CONFIRM, Mail

# Who did it, where it was not a person.
APPLICATION: Final = "the application"

# The actions whose messages show asterisks where the secret is put in when they are sent.
_SECRETIVE: Final = sorted(action for action, template in MAILS.items() if "secret" in template)
# Seconds after which the link of such a mail opens nothing.
LINK_LIVES: Final = {USER_CONFIRM: LIFETIMES[VERIFY], PASSWORD_RESET: LIFETIMES[RESET], EVENT_ROLE: LIFETIMES[INVITE]}

# Judged in the order of the ids, so that two operators wait for each other, instead of for ever. A row that another
# transaction has just changed is judged as it is now: with FOR UPDATE it is read anew.
_JUDGE: Final = """
    SELECT id, status AS before, body_removed_at AS removed_at, expires_at, error_class, last_error, CASE
        WHEN status <> ALL(:takes) THEN 'status'
        WHEN :needs_message AND body_removed_at IS NOT NULL THEN 'message'
        WHEN :needs_message AND EXISTS (
            SELECT FROM fanouts WHERE fanouts.happening_id = mails.happening_id AND fanouts.state = 'recalled'
        ) THEN 'recalled'
        WHEN :needs_message AND secret IS NULL AND action = ANY(:secretive) AND strpos(message, :mask) > 0
            THEN 'secret'
        WHEN :needs_message AND secret IS NOT NULL AND expires_at < now() THEN 'expired'
        END AS obstacle
    FROM mails, LATERAL (
        SELECT time + make_interval(secs => CAST(CAST(:lives AS json) ->> action AS float)) AS expires_at
    ) AS link
    WHERE id = ANY(:ids) ORDER BY id
"""
_DO: Final = """
WITH chosen AS MATERIALIZED ({judge} FOR UPDATE OF mails), changed AS (
    UPDATE mails SET status = :status, {assignments}
    FROM chosen WHERE mails.id = chosen.id AND chosen.obstacle IS NULL
    RETURNING mails.id
), told AS (
    INSERT INTO mail_events (mail_id, event, text) SELECT id, :status, :text FROM changed
)
SELECT * FROM chosen ORDER BY id
"""


@dataclass(frozen=True)
class Done:
    """What a deed has changed, and what not.

    Attributes:
        changed: the ids of the mails that were changed.
        skipped: the ids of those that were not, and why.
        causes: why the changed ones had to be: how many there are of an error's class (of a status, where there was no
            error), and the words of one of them.
    """

    changed: tuple[int, ...] = ()
    skipped: dict[int, str] = field(default_factory=dict)
    causes: dict[str, tuple[int, str]] = field(default_factory=dict)


def do(connection: Connection, deed: Deed, ids: Sequence[int], by: str, reason: str = "") -> Done:
    """Do a deed with the mails that have these ids; nothing is committed.

    Args:
        connection: in the caller's transaction.
        deed: what to do.
        ids: of at most some thousand mails, which are locked until the transaction ends.
        by: who does it, for the timeline.
        reason: why, for the timeline; may be empty.

    Returns:
        What was changed and what was not; an id that no mail has is among the latter.
    """
    said = f"{deed.said} by {by}: {reason}" if reason else f"{deed.said} by {by}."
    statement = text(_DO.format(judge=_JUDGE, assignments=deed.assignments))
    values = {**_values(deed, ids), "status": deed.status, "text": said}
    return _done(deed, ids, connection.execute(statement, values).all())


def foresee(connection: Connection, deed: Deed, ids: Sequence[int]) -> Done:
    """What the deed would do with these mails now; nothing is changed or locked."""
    return _done(deed, ids, connection.execute(text(_JUDGE), _values(deed, ids)).all())


def _values(deed: Deed, ids: Sequence[int]) -> dict[str, Any]:
    return {
        "ids": list(ids),
        "takes": list(deed.takes),
        "needs_message": deed.needs_message,
        "secretive": _SECRETIVE,
        "mask": MASK,
        "lives": json.dumps(LINK_LIVES),
    }


def _done(deed: Deed, ids: Sequence[int], rows: Sequence[Row[Any]]) -> Done:
    known = {row.id for row in rows}
    skipped = {id_: "There is no mail with this id." for id_ in ids if id_ not in known}
    skipped |= {row.id: _why(deed, row) for row in rows if row.obstacle}
    causes: dict[str, tuple[int, str]] = {}
    changed = [row for row in rows if not row.obstacle]
    for row in changed:
        name = row.error_class or row.before
        count, words = causes.get(name, (0, row.last_error or ""))
        causes[name] = (count + 1, words)
    return Done(tuple(row.id for row in changed), skipped, causes)


def _why(deed: Deed, row: Row[Any]) -> str:
    match row.obstacle:
        case "status":
            return f"It is {row.before}: {deed.rule}."
        case "message":
            return f"Its text was removed on {_utc(row.removed_at)}, since it was old: there is nothing to send."
        case "recalled":
            return "What it tells was recalled: it is not sent any more."
        case "expired":
            return f"The link in it expired on {_utc(row.expires_at)}: whoever needs one must ask for a new one."
    return "The link in it was for its recipient only, and is not kept: whoever needs one must ask for a new one."


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d at %H:%M} UTC"


def retry(connection: Connection, ids: Sequence[int], by: str, reason: str = "") -> Done:
    """Queue failed, suppressed and uncertain mails again, for 24 hours; the tries so far stay counted."""
    return do(connection, RETRY, ids, by, reason)


def cancel(connection: Connection, ids: Sequence[int], by: str, reason: str = "") -> Done:
    """End mails that wait, before anybody takes them up."""
    return do(connection, CANCEL, ids, by, reason)


def settle(connection: Connection, ids: Sequence[int], outcome: str, by: str, reason: str = "") -> Done:
    """Say what became of uncertain mails: `sent`, `failed`, or `retry` to send them again.

    Raises:
        KeyError: there is no such outcome.
    """
    return do(connection, SETTLE[outcome], ids, by, reason)


def cancel_email(mail: Mail, by: str = APPLICATION, reason: str = "") -> bool:
    """Cancel a mail in the caller's transaction; False if it no longer waits, and then nothing is changed.

    Raises:
        ValueError: the mail is in no session.
    """
    session = object_session(mail)
    if session is None:
        raise ValueError("a mail can be cancelled only in the session that it belongs to")
    session.flush()
    done = cancel(session.connection(), [mail.id], by, reason)
    session.refresh(mail)
    return mail.id in done.changed
