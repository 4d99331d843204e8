"""Mails that were held: sent when their time has come, unless they are not needed any more.

The rows of a user and the mail that they become change hands in one transaction, with his row locked: two workers
make no digest twice, and one that dies loses none.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import RowMapping, text

from app.api.helpers.log import record_activity
from app.api.helpers.queueing import sender_domain, when
from app.api.helpers.settings import mail_is_on, users_control
from app.api.helpers.templates import html_to_text, one_line
from app.happenings.audience import NAMED, Audience
from app.happenings.deciding.decision import DEFAULT, NOTHING, READ, RECALLED, SEND, UNREACHABLE, Answer
from app.happenings.deciding.hours import hours_of
from app.happenings.deciding.plan import Plan
from app.happenings.deciding.wishes import Wishes, read_wishes
from app.happenings.holding.digests import DIGEST_ACTION, Item, make_digest
from app.happenings.telling.tell import message_in
from app.happenings.types import type_of_action
from app.language import best_language
from app.models import Mail, db
from app.models.event_type import MAIL
from app.models.mail import BULK
from app.models.preference import UNREAD

log = logging.getLogger(__name__)

# Users of one transaction, and the rows that are looked at to find them: several workers find different ones.
PEOPLE: Final = 100
# After this what could not be made is tried again.
TRIED_AGAIN: Final = timedelta(hours=1)
WINDOW: Final = 10_000

_WAITING: Final = text(
    """
    SELECT DISTINCT user_id
    FROM (SELECT user_id FROM held_mails WHERE due_at <= :now ORDER BY due_at LIMIT :window) AS due
    """
)
# As nobody else may have them: whoever has their rows is making their mails.
_PEOPLE: Final = text(
    """
    SELECT users.id, users.email, users.language, users.timezone,
        users.is_verified AND users.deleted_at IS NULL AS is_there,
        hours.quiet_from, hours.quiet_until, hours.digest_hour, hours.digest_weekday
    FROM users LEFT JOIN delivery_hours AS hours ON hours.user_id = users.id
    WHERE users.id = ANY(CAST(:ids AS bigint[]))
    ORDER BY users.id LIMIT :people
    FOR NO KEY UPDATE OF users SKIP LOCKED
    """
)
# What is read during the night needs no mail in the morning.
_POSTPONE: Final = text(
    """
    UPDATE held_mails SET due_at = quiet.until
    FROM unnest(CAST(:ids AS bigint[]), CAST(:times AS timestamptz[])) AS quiet (user_id, until)
    WHERE held_mails.user_id = quiet.user_id AND held_mails.due_at <= :now
    """
)
_TAKE: Final = text(
    f"""
    SELECT due.id, due.user_id, due.happening_id, due.mode, due.action, due.subject, due.created_at, happenings.link,
        CASE WHEN due.mode = '{UNREAD}' THEN due.words END AS words,
        CASE WHEN due.mode = '{UNREAD}' AND due.words IS NULL THEN happenings.message END AS message,
        batches.id AS batch_id, happenings.plan -> 'reply_to' AS reply_to,
        coalesce(notifications.is_read OR notifications.deleted_at IS NOT NULL, false) AS is_read,
        happenings.event_type
    FROM held_mails AS due
    LEFT JOIN happenings ON happenings.id = due.happening_id
    LEFT JOIN notifications
        ON notifications.happening_id = due.happening_id AND notifications.user_id = due.user_id
    LEFT JOIN mail_batches AS batches
        ON batches.id = CAST(coalesce(due.words ->> 'batch_id', happenings.plan ->> 'batch_id') AS bigint)
    WHERE due.user_id = ANY(CAST(:ids AS bigint[])) AND due.due_at <= :now
    ORDER BY due.id
    """  # noqa: S608 - a constant of ours
)
_DONE: Final = text("DELETE FROM held_mails WHERE id = ANY(CAST(:ids AS bigint[]))")
# Whoever takes a happening back waits for us, and then finds the mails that we have made of it.
_STATES: Final = text(
    "SELECT happening_id, state FROM fanouts WHERE happening_id = ANY(CAST(:ids AS bigint[])) ORDER BY 1 FOR SHARE"
)
_NOT_NEEDED: Final = text(
    f"""
    UPDATE decisions SET outcome = '{NOTHING}', reason = dropped.reason, due_at = NULL,
        pattern = coalesce(dropped.pattern, decisions.pattern)
    FROM unnest(CAST(:happenings AS bigint[]), CAST(:users AS bigint[]), CAST(:reasons AS text[]),
        CAST(:patterns AS text[])) AS dropped (happening_id, user_id, reason, pattern)
    WHERE decisions.happening_id = dropped.happening_id AND decisions.user_id = dropped.user_id
        AND decisions.channel = 'mail'
    """  # noqa: S608 - a constant of ours
)


def release(now: datetime, seconds: float | None = None) -> Iterator[int]:
    """Send the held mails that are due, in transactions of at most 100 users; tells how many mails each has made.

    Args:
        now: the moment, with its time zone.
        seconds: nothing more is begun after this time; the next run goes on.

    Raises:
        SQLAlchemyError: the database refused; what was to be sent is held as before.
    """
    stop_at = None if seconds is None else time.monotonic() + seconds
    while True:
        people = _lock(now)
        if not people:
            db.session.rollback()
            return
        mails = _release(people, now)
        db.session.commit()
        yield mails
        if stop_at is not None and time.monotonic() >= stop_at:
            return


def _lock(now: datetime) -> Sequence[RowMapping]:
    ids = db.session.scalars(_WAITING, {"now": now, "window": WINDOW}).all()
    if not ids:
        return ()
    return db.session.execute(_PEOPLE, {"ids": ids, "people": PEOPLE}).mappings().all()


def _release(people: Sequence[RowMapping], now: datetime) -> int:
    """Make the mails of these users, whose rows are locked; returns how many."""
    awake = _postpone(people, now)
    rows = db.session.execute(_TAKE, {"ids": awake, "now": now}).mappings().all()
    known = {person["id"]: person for person in people}
    needed, done = _sift(rows, known, now)
    mails: list[Mail] = []
    for user_id, held in needed.items():
        made = _try(known[user_id], held, now)
        if made is not None:
            mails += made
            done += [row["id"] for row in held]
    db.session.execute(_DONE, {"ids": done})
    for mail in mails:
        record_activity("mail_event", email=mail.recipient, action=mail.action, subject=mail.subject)
    db.session.add_all(mails)
    return len(mails)


def _sift(
    rows: Sequence[RowMapping], known: Mapping[int, RowMapping], now: datetime
) -> tuple[dict[int, list[RowMapping]], list[int]]:
    """What is still needed, by user; and the ids of what is not, of which the decisions say why."""
    needed: dict[int, list[RowMapping]] = {}
    dropped: list[tuple[RowMapping, Answer]] = []
    recalled, said = _recalled(rows), _read_said(rows)
    for row in rows:
        wishes = said.get((row["user_id"], _type_name(row)))
        answer = _not_needed(row, known[row["user_id"]], recalled) or _as_of_now(row, wishes, now)
        if answer.tells:
            needed.setdefault(row["user_id"], []).append(row)
        else:
            dropped.append((row, answer))
    _tell_why(dropped)
    return needed, [row["id"] for row, _ in dropped]


def _try(person: RowMapping, held: Sequence[RowMapping], now: datetime) -> list[Mail] | None:
    """The mails of one user; None if they cannot be made now: they are held for another hour."""
    try:
        return list(_mails(person, held, {**when(None), "time": now}))
    except Exception as error:  # noqa: BLE001 - whatever one user's mails fail of must not keep those of all others
        words = "The held mails of user %d cannot be made (%s): they are tried again in an hour."
        log.error(words, person["id"], type(error).__name__)  # noqa: TRY400 - an error's words may be those of a mail
        db.session.execute(_POSTPONE, {"ids": [person["id"]], "times": [now + TRIED_AGAIN], "now": now})
        return None


def _postpone(people: Sequence[RowMapping], now: datetime) -> list[int]:
    """Hold what is due within quiet hours until their end; returns the users who are not within theirs."""
    ends = {person["id"]: hours_of(person).end_of_quiet(now) for person in people}
    quiet = {user_id: end for user_id, end in ends.items() if end is not None}
    if quiet:
        db.session.execute(_POSTPONE, {"ids": list(quiet), "times": list(quiet.values()), "now": now})
    return [user_id for user_id, end in ends.items() if end is None]


def _recalled(rows: Sequence[RowMapping]) -> set[int]:
    """The happenings that were taken back."""
    ids = {row["happening_id"] for row in rows if row["happening_id"] is not None}
    found = db.session.execute(_STATES, {"ids": sorted(ids)}) if ids else ()
    return {happening_id for happening_id, state in found if state == RECALLED}


def _type_name(row: RowMapping) -> str:
    """The type whose preferences rule it; empty for an action of somebody's own, which only those for all do."""
    event_type = type_of_action(row["action"])
    return row["event_type"] or (event_type.name if event_type else "")


def _read_said(rows: Sequence[RowMapping]) -> dict[tuple[int, str], Wishes]:
    """What the users say by now, by user and type."""
    users: dict[str, set[int]] = {}
    for row in rows:
        users.setdefault(_type_name(row), set()).add(row["user_id"])
    return {
        (user_id, type_name): wishes
        for type_name, ids in users.items()
        for user_id, wishes in read_wishes(ids, type_name).items()
    }


def _not_needed(row: RowMapping, person: RowMapping, recalled: Collection[int]) -> Answer | None:
    """Why nothing more is sent, whatever is wished."""
    if row["happening_id"] in recalled:
        return Answer(NOTHING, RECALLED)
    if row["is_read"]:
        return Answer(NOTHING, READ)
    return None if person["is_there"] else Answer(NOTHING, UNREACHABLE)


def _as_of_now(row: RowMapping, wishes: Wishes | None, now: datetime) -> Answer:
    """The decision once more: users and admins may have switched it off since it is held. When it comes is settled."""
    switched_off = frozenset[str]() if mail_is_on(row["action"]) else frozenset({MAIL})
    plan = Plan(Audience(NAMED), frozenset({MAIL}), switched_off, user_controls=users_control(row["action"]))
    if wishes is not None:
        return wishes.answer(MAIL, plan, now)
    return Answer(SEND, DEFAULT) if plan.tells(MAIL) else Answer(NOTHING, plan.why_silent(MAIL))


def _tell_why(dropped: Sequence[tuple[RowMapping, Answer]]) -> None:
    known = [
        (row["happening_id"], row["user_id"], answer.reason, answer.pattern)
        for row, answer in dropped
        if row["happening_id"]
    ]
    if known:
        columns = (list(column) for column in zip(*known, strict=True))
        values = dict(zip(("happenings", "users", "reasons", "patterns"), columns, strict=True))
        db.session.execute(_NOT_NEEDED, values)


def _mails(person: RowMapping, held: Sequence[RowMapping], times: Mapping[str, Any]) -> Iterator[Mail]:
    """Those of one user: one for each that was to come alone, and one for all others."""
    digest = [row for row in held if row["mode"] != UNREAD]
    for row in held:
        if row["mode"] == UNREAD:
            yield Mail(**times, **_alone(person, row))
    if digest:
        yield Mail(**times, **_digest(person, digest))


def _alone(person: RowMapping, row: RowMapping) -> Mapping[str, Any]:
    words = {"lane": BULK, **_words(person, row)} if row["words"] is None else dict(row["words"])
    return words | {
        "user_id": row["user_id"],
        # He may have another address by now.
        "recipient": person["email"],
        "happening_id": row["happening_id"],
        "batch_id": row["batch_id"],
        "action": row["action"],
        "subject": one_line(row["subject"]),
        "message_id": _message_id(),
    }


def _words(person: RowMapping, row: RowMapping) -> Mapping[str, Any]:
    """Those of a mail that only has its happening."""
    language = best_language(person["language"])
    message = message_in(language, row["message"] or "", row["link"])
    text = html_to_text(message) or row["subject"]
    return {"language": language, "message": message, "text": text, "reply_to": row["reply_to"] or []}


def _digest(person: RowMapping, held: Sequence[RowMapping]) -> Mapping[str, Any]:
    items = [Item(row["subject"], row["created_at"], row["link"]) for row in held]
    rendered = make_digest(items, person["language"], person["timezone"])
    return {
        "user_id": person["id"],
        "recipient": person["email"],
        "language": best_language(person["language"]),
        "action": DIGEST_ACTION,
        "subject": rendered.line,
        "message": rendered.html,
        "text": rendered.text,
        "lane": BULK,
        "message_id": _message_id(),
    }


def _message_id() -> str:
    return f"{uuid4().hex}@{sender_domain()}"
