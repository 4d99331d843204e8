"""Listens: what users follow, by their own wish over the API, or because other resources say so on their behalf."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import ColumnElement, CursorResult, delete, exists, func, or_, select

from app.happenings import declared  # noqa: F401 - declares the types
from app.happenings.types import EVERYTHING, EventTypeError, check_pattern, declared_types, patterns_of
from app.models import Event, EventTypeRow, Listen, Session, User, db

# Listens of one user: whoever wants to know of so much follows a prefix, or an event as a whole.
MAX_LISTENS: Final = 1000
MAX_SUBJECT: Final = 255

Thing = dict[str, Any]


class ListenError(ValueError):
    """A listen that cannot be; `field` is the argument that is wrong."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class TooManyListensError(ListenError):
    """The user has as many as one can have."""


def create_user_notification(
    user: User,
    event_type: str,
    *,
    event: Event | None = None,
    session: Session | None = None,
    subject: str | None = None,
    includes_own: bool = False,
) -> Listen:
    """Let a user be told of happenings of a type, everywhere or about one thing, from now on.

    It only adds to the caller's transaction. What a user follows already stays one listen, with the new `includes_own`.
    Whether he may see the event or the session is asked when something happens, not here.

    Args:
        user: who is to be told.
        event_type: a type (`sessions.session.decided`), all below a prefix (`sessions.*`), or all (`*`).
        event: only what is about this event, its sessions included.
        session: only what is about this session.
        subject: only what is about this thing of another application, as that one calls it (`forums.post:99`).
        includes_own: whether he is also told of what he did himself.

    Raises:
        ListenError: the type is none that anybody may follow, or there is more than one thing.
        TooManyListensError: he has 1,000.
    """
    thing = thing_of(event, session, subject)
    return follow(user, check_listenable(event_type), thing, includes_own=includes_own)[0]


def follow(user: User, pattern: str, thing: Thing, *, includes_own: bool) -> tuple[Listen, bool]:
    """The listen with this pattern, which was checked, on this thing; and whether it is a new one.

    Raises:
        TooManyListensError: the user has 1,000.
    """
    _lock(user)
    listen = db.session.scalar(select(Listen).where(Listen.user_id == user.id, *_is(pattern, thing)))
    is_new = listen is None
    if listen is None:
        count = select(func.count()).select_from(Listen).where(Listen.user_id == user.id)
        if (db.session.scalar(count) or 0) >= MAX_LISTENS:
            raise TooManyListensError(
                "user",
                f"A user has at most {MAX_LISTENS} listens: delete some, or follow a prefix or a whole event instead.",
            )
        listen = Listen(user_id=user.id, pattern=pattern, **thing)
        db.session.add(listen)
    listen.includes_own = includes_own
    db.session.flush()
    return listen, is_new


def delete_user_notification(
    user: User | None,
    event_type: str | None,
    *,
    event: Event | None = None,
    session: Session | None = None,
    subject: str | None = None,
) -> int:
    """End the listens that `create_user_notification` made with the same arguments, in the caller's transaction.

    Args:
        user: whose; None for everybody's, for example when the thing is gone.
        event_type: the type or pattern; None for whatever was followed about the thing.
        event: what the listens are about, as they were made.
        session: the same.
        subject: the same.

    Returns:
        How many there were.

    Raises:
        ListenError: no user, no type and no thing is named, or more than one thing.
    """
    thing = thing_of(event, session, subject)
    if user is None and event_type is None and not any(thing.values()):
        raise ListenError("user", "Name a user, a type or a thing: otherwise all listens of everybody would end.")
    where = _is(event_type, thing)
    if user is not None:
        where.append(Listen.user_id == user.id)
    return _delete(*where)


def end_listens_on(event_or_session: Event | Session) -> int:
    """End everybody's listens on a thing that is being deleted, and on the sessions of an event."""
    id_ = event_or_session.id
    if isinstance(event_or_session, Session):
        return _delete(Listen.session_id == id_)
    of_event = select(Session.id).where(Session.event_id == id_)
    return _delete(or_(Listen.event_id == id_, Listen.session_id.in_(of_event)))


def check_listenable(pattern: str) -> str:
    """A pattern that matches a declared type that users may follow.

    Raises:
        ListenError: it cannot be one, or matches none.
    """
    try:
        check_pattern(pattern)
    except EventTypeError as error:
        raise ListenError("event_type", str(error)) from error
    if not (_matches_program(pattern) or _matches_table(pattern)):
        detail = "There is no type that this matches and that may be followed: see GET /v1/event-types."
        raise ListenError("event_type", detail)
    return pattern


def _matches_program(pattern: str) -> bool:
    return any(each.is_listenable and pattern in patterns_of(each.name) for each in declared_types())


def _matches_table(pattern: str) -> bool:
    name: ColumnElement[bool] = EventTypeRow.name == pattern
    if pattern != EVERYTHING and pattern.endswith(".*"):
        name = EventTypeRow.name.startswith(pattern.removesuffix("*"), autoescape=True)
    return bool(db.session.scalar(select(exists().where(EventTypeRow.is_listenable, name))))


def thing_of(event: Event | None, session: Session | None, subject: str | None = None) -> Thing:
    """The columns of what a listen is about; all None where it is about everything.

    Raises:
        ListenError: there are several, or the subject cannot be one.
    """
    given = [
        name for name, value in (("event", event), ("session", session), ("subject", subject)) if value is not None
    ]
    if len(given) > 1:
        raise ListenError(given[1], "A listen is about one thing: an event, a session, or something else.")
    if subject is not None and not (0 < len(subject) <= MAX_SUBJECT and subject.isprintable()):
        raise ListenError("subject", f"This must have 1 to {MAX_SUBJECT} printable characters.")
    if {event, session} & set(db.session.new):
        db.session.flush()
    for name, row in (("event", event), ("session", session)):
        # Without an id it would be about everything.
        if row is not None and row.id is None:
            raise ListenError(name, f"This {name} is not in the database: add it to the session first.")
    return {
        "event_id": None if event is None else event.id,
        "session_id": None if session is None else session.id,
        "subject": subject,
    }


def _is(pattern: str | None, thing: Thing) -> list[ColumnElement[bool]]:
    """The listens with this pattern that are about exactly this."""
    where: list[ColumnElement[bool]] = [] if pattern is None else [Listen.pattern == pattern]
    columns = {"event_id": Listen.event_id, "session_id": Listen.session_id, "subject": Listen.subject}
    return where + [columns[name].is_not_distinct_from(value) for name, value in thing.items()]


def _lock(user: User) -> None:
    """Two that make listens of one user are one after another; nobody else waits for them.

    Not even who tells the user of something: a reference to a row needs less than this lock keeps away.
    """
    if user in db.session.new:
        db.session.flush()
    db.session.execute(select(User.id).where(User.id == user.id).with_for_update(key_share=True))


def _delete(*where: ColumnElement[bool]) -> int:
    result: CursorResult[Any] = db.session.execute(  # type: ignore[assignment]  # a DELETE has a cursor
        delete(Listen).where(*where), execution_options={"synchronize_session": "fetch"}
    )
    return result.rowcount
