"""What an operator does with mails by hand: try them again, cancel them, settle those that nobody knows of.

Each deed is one statement over at most some thousand ids: it locks the rows, leaves those as they are that the deed is
not for, changes the others and writes the entries of their timelines, or nothing at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sqlalchemy import Connection, Row, text
from sqlalchemy.orm import object_session

from app.api.helpers.system_mails import MAILS
from app.api.helpers.templates import MASK
from app.delivery.states import TRANSITIONS
from app.models.mail import CANCELLED, FAILED, MAIL_STATUSES, QUEUED, SENDING, SENT, UNCERTAIN, Mail

# Who did it, where it was not a person.
APPLICATION: Final = "the application"

_AGAIN: Final = """next_attempt_at = now(), give_up_at = now() + interval '24 hours', doubts = 0,
    retries = LEAST(retries + 1, 32767)"""


@dataclass(frozen=True)
class Deed:
    """One of the things that an operator does.

    Attributes:
        status: what the mails become.
        takes: the statuses of mails that it is for.
        assignments: what changes besides the status, as SQL.
        said: how the entry of the timeline begins.
        rule: what it is for, in words.
        needs_message: whether the mail must still have all that is to be sent.
    """

    status: str
    takes: tuple[str, ...]
    assignments: str
    said: str
    rule: str
    needs_message: bool = False


def _leading_to(status: str) -> tuple[str, ...]:
    """The statuses of mails that nobody is sending, and that may become this."""
    return tuple(each for each in MAIL_STATUSES if each != SENDING and status in TRANSITIONS[each])


RETRY: Final = Deed(
    status=QUEUED,
    takes=_leading_to(QUEUED),
    assignments=_AGAIN,
    said="Tried again",
    rule="only failed, suppressed and uncertain mails can be tried again",
    needs_message=True,
)
# The same with all that match a filter: what may be in somebody's inbox already is not among those.
RETRY_MATCHING: Final = replace(
    RETRY,
    takes=tuple(each for each in RETRY.takes if each != UNCERTAIN),
    rule="a filter is for failed and suppressed mails; an uncertain one, which may have arrived, is named by its id",
)
CANCEL: Final = Deed(
    status=CANCELLED,
    takes=_leading_to(CANCELLED),
    assignments="secret = NULL",
    said="Cancelled",
    rule="only queued, scheduled and deferred mails can be cancelled",
)
_ONLY_UNCERTAIN: Final = "only uncertain mails can be settled"
# By the outcome that the operator has found out, or wants.
SETTLE: Final = {
    SENT: Deed(
        status=SENT,
        takes=(UNCERTAIN,),
        assignments="sent_at = coalesce(sent_at, now()), secret = NULL, error_class = NULL, last_error = NULL",
        said="Settled as sent",
        rule=_ONLY_UNCERTAIN,
    ),
    "retry": replace(RETRY, takes=(UNCERTAIN,), said="Settled, to be tried again", rule=_ONLY_UNCERTAIN),
    FAILED: Deed(
        status=FAILED,
        takes=(UNCERTAIN,),
        assignments="last_error = :text",
        said="Settled as failed",
        rule=_ONLY_UNCERTAIN,
    ),
}

# The actions whose messages show asterisks where the secret is put in when they are sent.
_SECRETIVE: Final = sorted(action for action, template in MAILS.items() if "secret" in template)

# Judged in the order of the ids, so that two operators wait for each other, instead of for ever. A row that another
# transaction has just changed is judged as it is now: with FOR UPDATE it is read anew.
_JUDGE: Final = """
    SELECT id, status AS before, body_removed_at AS removed_at, error_class, last_error, CASE
        WHEN status <> ALL(:takes) THEN 'status'
        WHEN :needs_message AND body_removed_at IS NOT NULL THEN 'message'
        WHEN :needs_message AND secret IS NULL AND action = ANY(:secretive) AND strpos(message, :mask) > 0
            THEN 'secret'
        END AS obstacle
    FROM mails WHERE id = ANY(:ids) ORDER BY id
"""
_DO: Final = """
WITH chosen AS MATERIALIZED ({judge} FOR UPDATE), changed AS (
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
    if row.obstacle == "status":
        return f"It is {row.before}: {deed.rule}."
    if row.obstacle == "message":
        return f"Its text was removed on {row.removed_at:%Y-%m-%d}, since it was old: there is nothing to send."
    return "The link in it was for its recipient only, and is not kept: whoever needs one must ask for a new one."


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
