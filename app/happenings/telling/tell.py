"""Telling some thousands of people of one happening: every channel with one statement, whoever said nothing of it.

For those who have said something the decision is made one by one (`decide`), and kept. Nothing is committed here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import TextClause, text

from app.api.helpers.queued import remember_queued
from app.api.helpers.queueing import sender_domain
from app.api.helpers.settings import make_frontend_url
from app.api.helpers.templates import escape, html_to_text, one_line
from app.delivery.handover import CHANNELS as CHANNELS_TASK
from app.delivery.handover import DELIVER
from app.happenings.audience import NAMED
from app.happenings.deciding.decision import DIGEST, LATER, NOTHING, SEND, UNLESS_READ, Answer
from app.happenings.deciding.plan import Plan
from app.happenings.deciding.wishes import read_wishes
from app.happenings.telling.arrays import id_array
from app.inbox.changes import NEW, note_change
from app.language import DEFAULT, LANGUAGES, direction, msg, translate
from app.models import Happening, db
from app.models.base import utc_now
from app.models.event_type import CHAT, IN_APP, MAIL, SMS
from app.models.mail import BULK, GIVE_UP_AFTER, QUEUED, SCHEDULED

# The order of the ids is that of the rows in the index of users, and of the rows that are written.
_NOTIFY: Final = text(
    """
    INSERT INTO notifications (happening_id, user_id, received_at)
    SELECT :happening_id, users.id, :now FROM users
    WHERE users.id = ANY(CAST(:ids AS bigint[])) AND users.deleted_at IS NULL
    ORDER BY users.id
    ON CONFLICT (happening_id, user_id) DO NOTHING
    """
)
_LANGUAGE: Final = "lower(split_part(replace(users.language, '_', '-'), '-', 1))"
# `dues` has a time for each of the first of the ids that are to wait; the others leave at once.
_MAIL: Final = text(
    f"""
    INSERT INTO mails (happening_id, user_id, recipient, language, action, subject, message, text, message_id, lane,
        batch_id, status, time, next_attempt_at, give_up_at)
    SELECT :happening_id, users.id, users.email, words.language, :action, :subject, words.message, words.text,
        replace(CAST(gen_random_uuid() AS text), '-', '') || '@' || :domain, :lane, :batch_id,
        CASE WHEN wanted.due IS NULL THEN '{QUEUED}' ELSE '{SCHEDULED}' END, :now, coalesce(wanted.due, :now),
        coalesce(wanted.due, :now) + :give_up_after
    FROM unnest(CAST(:ids AS bigint[]), CAST(:dues AS timestamptz[])) AS wanted (user_id, due)
    JOIN users ON users.id = wanted.user_id
    JOIN unnest(CAST(:languages AS text[]), CAST(:messages AS text[]), CAST(:texts AS text[]))
        AS words (language, message, text)
        ON words.language = CASE WHEN {_LANGUAGE} = ANY(CAST(:languages AS text[])) THEN {_LANGUAGE} ELSE :default END
    WHERE users.is_verified AND users.deleted_at IS NULL
    ORDER BY users.id
    RETURNING id
    """  # noqa: S608 - the names are ours
)
_TEXT: Final = """
    INSERT INTO channel_messages (happening_id, user_id, channel, recipient, action, title, text, time, next_attempt_at)
    SELECT :happening_id, users.id, :channel, users.{address}, :action, :title, :text, :now, coalesce(wanted.due, :now)
    FROM unnest(CAST(:ids AS bigint[]), CAST(:dues AS timestamptz[])) AS wanted (user_id, due)
    JOIN users ON users.id = wanted.user_id
    WHERE users.{address} IS NOT NULL AND users.deleted_at IS NULL
    ORDER BY users.id
    ON CONFLICT (happening_id, user_id, channel) WHERE happening_id IS NOT NULL DO NOTHING
    RETURNING id
"""
_TEXTS: Final[dict[str, TextClause]] = {
    SMS: text(_TEXT.format(address="phone")),
    CHAT: text(_TEXT.format(address="chat_address")),
}
_HOLD: Final = text(
    """
    INSERT INTO held_mails (happening_id, user_id, mode, due_at, action, subject)
    SELECT :happening_id, held.user_id, held.mode, held.due, :action, :subject
    FROM unnest(CAST(:ids AS bigint[]), CAST(:modes AS text[]), CAST(:dues AS timestamptz[]))
        AS held (user_id, mode, due)
    ON CONFLICT (happening_id, user_id) DO NOTHING
    """
)
_DECIDED: Final = text(
    """
    INSERT INTO decisions (happening_id, user_id, channel, outcome, reason, pattern, due_at)
    SELECT :happening_id, made.* FROM unnest(CAST(:ids AS bigint[]), CAST(:channels AS text[]),
        CAST(:outcomes AS text[]), CAST(:reasons AS text[]), CAST(:patterns AS text[]), CAST(:dues AS timestamptz[]))
        AS made (user_id, channel, outcome, reason, pattern, due_at)
    ON CONFLICT (happening_id, user_id, channel) DO NOTHING
    """
)
# Whom a named audience was is found nowhere else, where the app says nothing to them: of who has no mail either it
# could not be said why.
_NAME: Final = text(
    """
    INSERT INTO decisions (happening_id, user_id, channel, outcome, reason)
    SELECT :happening_id, users.id, :channel, :outcome, :reason FROM users
    WHERE users.id = ANY(CAST(:ids AS bigint[])) AND users.deleted_at IS NULL
    ON CONFLICT (happening_id, user_id, channel) DO NOTHING
    """
)


@dataclass(frozen=True)
class Told:
    """How many rows were made."""

    notifications: int = 0
    mails: int = 0


@dataclass
class _Recipients:
    """The people of one channel: those who wait come first, with their times; then those who do not."""

    waiting: list[tuple[int, datetime]] = field(default_factory=list)
    at_once: list[int] = field(default_factory=list)

    def parameters(self) -> dict[str, Any]:
        """The arrays of the statements."""
        ids = [user_id for user_id, _ in self.waiting] + self.at_once
        return {"ids": id_array(ids), "dues": [due for _, due in self.waiting]}


def tell(happening: Happening, plan: Plan, ids: Sequence[int]) -> Told:
    """Tell these users by every channel that is to tell them; each is told once, however often this is called.

    Args:
        happening: which is in the database.
        plan: its plan.
        ids: the users, each once, in ascending order.

    Returns:
        What was made in this transaction, which the caller commits.
    """
    now = utc_now()
    decided = {
        user_id: wishes.answers(plan, now) for user_id, wishes in read_wishes(ids, happening.event_type or "").items()
    }
    shared = {"happening_id": happening.id, "action": happening.action, "now": now}
    inbox = _recipients(IN_APP, plan, ids, decided).at_once
    notifications = _notify(happening, inbox, now)
    mails = _mail(happening, _recipients(MAIL, plan, ids, decided), shared, plan.batch_id)
    for channel, statement in _TEXTS.items():
        _send_texts(happening, _recipients(channel, plan, ids, decided), statement, {**shared, "channel": channel})
    _hold(happening, decided)
    _keep(happening, decided)
    if plan.audience.kind == NAMED and not plan.tells(IN_APP):
        values = {"channel": IN_APP, "outcome": NOTHING, "reason": plan.why_silent(IN_APP), "ids": id_array(ids)}
        db.session.execute(_NAME, {"happening_id": happening.id, **values})
    return Told(notifications, mails)


def _recipients(
    channel: str, plan: Plan, ids: Sequence[int], decided: Mapping[int, Mapping[str, Answer]]
) -> _Recipients:
    found = _Recipients()
    if plan.tells(channel):
        found.at_once = [user_id for user_id in ids if user_id not in decided] if decided else list(ids)
    for user_id, answers in decided.items():
        answer = answers[channel]
        if answer.outcome == LATER and answer.at is not None:
            found.waiting.append((user_id, answer.at))
        elif answer.outcome == SEND:
            found.at_once.append(user_id)
    return found


def _notify(happening: Happening, ids: Sequence[int], now: datetime) -> int:
    if not ids:
        return 0
    made = db.session.execute(_NOTIFY, {"happening_id": happening.id, "ids": id_array(ids), "now": now})
    note_change(db.session(), NEW, ids, happening_id=happening.id)
    count: int = made.rowcount  # type: ignore[attr-defined]  # an INSERT has it
    return count


def _mail(happening: Happening, who: _Recipients, shared: Mapping[str, Any], batch_id: int | None) -> int:
    if not (who.at_once or who.waiting):
        return 0
    values = {
        **shared,
        **who.parameters(),
        **_words(happening),
        "subject": one_line(happening.title),
        "domain": sender_domain(),
        "lane": BULK,
        "batch_id": batch_id,
        "give_up_after": GIVE_UP_AFTER,
        "default": DEFAULT,
    }
    ids = db.session.scalars(_MAIL, values).all()
    remember_queued(db.session(), DELIVER, ids, is_bulk=True)
    return len(ids)


def _words(happening: Happening) -> dict[str, list[str]]:
    """The mail's message in every language: the happening's own, and a link to it in words that its reader knows."""
    messages = [message_in(language, happening.message, happening.link) for language in LANGUAGES]
    return {"languages": list(LANGUAGES), "messages": messages, "texts": [html_to_text(each) for each in messages]}


READ_MORE: Final = msg("Read more")


def message_in(language: str, message: str, link: str | None) -> str:
    """A happening's message as that of a mail."""
    # Words that have the link already need it once.
    if not link or escape(full_link(link)) in message:
        return message
    words = escape(translate(READ_MORE, language))
    return f'{message}<p dir="{direction(language)}"><a href="{escape(full_link(link))}">{words}</a></p>'


def full_link(link: str) -> str:
    """An address that a mail can show: a path is one of the front end."""
    return make_frontend_url(link) if link.startswith("/") else link


def text_of(happening: Happening) -> str:
    """A happening as plain text, with its link, for channels that know no HTML."""
    words, link = html_to_text(happening.message).strip(), full_link(happening.link) if happening.link else ""
    parts = [words, "" if link in words else link]
    return "\n".join(part for part in parts if part)


def _send_texts(happening: Happening, who: _Recipients, statement: TextClause, shared: Mapping[str, Any]) -> None:
    if not (who.at_once or who.waiting):
        return
    values = {**shared, **who.parameters(), "title": one_line(happening.title), "text": text_of(happening)}
    ids = db.session.scalars(statement, values).all()
    remember_queued(db.session(), CHANNELS_TASK, ids)


def _hold(happening: Happening, decided: Mapping[int, Mapping[str, Answer]]) -> None:
    """Keep the mails that wait for a digest, or for whether they are still needed."""
    rows = [
        (user_id, answers[MAIL].mode, answers[MAIL].at)
        for user_id, answers in decided.items()
        if answers[MAIL].outcome in (DIGEST, UNLESS_READ)
    ]
    if rows:
        ids, modes, dues = (list(column) for column in zip(*rows, strict=True))
        values = {"happening_id": happening.id, "action": happening.action, "subject": one_line(happening.title)}
        db.session.execute(_HOLD, {**values, "ids": ids, "modes": modes, "dues": dues})


def _keep(happening: Happening, decided: Mapping[int, Mapping[str, Answer]]) -> None:
    """Keep why, of those for whom it was not as for everybody."""
    rows: Iterable[tuple[Any, ...]] = [
        (user_id, channel, answer.outcome, answer.reason, answer.pattern, answer.at)
        for user_id, answers in decided.items()
        for channel, answer in answers.items()
    ]
    if rows:
        names = ("ids", "channels", "outcomes", "reasons", "patterns", "dues")
        columns = {name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
        db.session.execute(_DECIDED, {"happening_id": happening.id, **columns})
