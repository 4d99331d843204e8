"""Announcing happenings: what other resources call when something happened that people may want to know."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlsplit

from sqlalchemy import Select, select

from app.api.helpers.log import record_activity
from app.api.helpers.templates import one_line
from app.api.jsonapi.jsontext import MAX_BIGINT, is_storable, loads
from app.api.viewer import current_viewer
from app.happenings import declared  # noqa: F401 - declares the types
from app.happenings.audience import LISTENERS, NAMED, Audience, listeners
from app.happenings.deciding.plan import plan_for
from app.happenings.telling.fanout import announce, named_ids
from app.happenings.types import EventType, EventTypeError, find_type
from app.models import Event, Happening, MailBatch, Session, User, db

# Bytes of a happening's data as JSON in UTF-8, without spaces between its values.
MAX_DATA: Final = 16 * 1024
MAX_TITLE: Final = 1000
MAX_MESSAGE: Final = 100_000
MAX_NAME: Final = 255
MAX_LINK: Final = 2000

Users = Audience | Select[Any] | Sequence[User | int] | None


class HappeningError(ValueError):
    """A happening that cannot be announced; `field` is the argument that is wrong, `index` its place in a list."""

    def __init__(self, field: str, message: str, index: int | None = None) -> None:
        super().__init__(message)
        self.field = field
        self.index = index


def notify_happening(  # noqa: PLR0913 - what a happening is made of; all but its words by name
    event_type: str,
    title: str,
    message: str,
    *,
    actor: User | None = None,
    event: Event | None = None,
    session: Session | None = None,
    subject: str | None = None,
    link: str | None = None,
    data: Any = None,
    group_key: str | None = None,
    users: Users = None,
    besides: Iterable[User] = (),
    batch: MailBatch | None = None,
) -> Happening:
    """Say that something happened: whoever is to know is told in the app, by mail, SMS or chat, as he prefers.

    It only adds rows to the caller's transaction. Up to 500 people are told with its commit, more of them after it.

    Args:
        event_type: a declared type, `<application>.<function>.<action>`.
        title: one line of text; control characters and line breaks are taken out.
        message: HTML; values of other people in it must be escaped.
        actor: who did it; by default the caller of the request. He is told only if he asked for it.
        event: what it is about; of a session its event.
        session: the same.
        subject: the same, as another application calls it (`forums.post:99`).
        link: where to read more: an address, or a path of the front end.
        data: anything that JSON can say, for programs, at most 16 KB.
        group_key: happenings with the same key are one line in a grouped inbox.
        users: who is told: users or their ids, a `select` of users or ids, an `Audience`; by default who listens.
        besides: those who are told in other words.
        batch: that the mails belong to.

    Returns:
        The happening, in the caller's session and not committed.

    Raises:
        HappeningError: an argument cannot be; its `field` says which.
    """
    declared_type = _type(event_type)
    # Who was only just added has no id yet.
    db.session.flush()
    audience, named = _audience(users, tuple(sorted({user.id for user in besides})))
    if audience.kind == LISTENERS and not declared_type.is_listenable:
        raise HappeningError("users", f"Nobody may follow {declared_type.name}: name who is told.")
    happening = Happening(
        action=declared_type.name,
        event_type=declared_type.name,
        title=check_words("title", one_line(title), MAX_TITLE),
        message=check_words("message", message, MAX_MESSAGE),
        link=check_link(link),
        subject=_name("subject", subject),
        group_key=_name("group_key", group_key),
        actor=actor or current_viewer().user,
        event=_event_of(event, session),
        session=session,
        **({} if data is None else {"data": check_data(data)}),
    )
    db.session.add(happening)
    db.session.flush()
    plan = plan_for(declared_type, audience, declared_type.name)
    announce(happening, replace(plan, batch_id=batch.id) if batch else plan, named)
    record_activity("announce", happening=f"{happening.event_type} ({happening.id})", title=happening.title)
    return happening


def check_data(data: Any) -> Any:
    """Data that can be kept: JSON of at most 16 KB.

    Raises:
        HappeningError: it has a cycle, is no JSON, too large, too deep, or has characters that cannot be stored.
    """
    try:
        encoded = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        size = len(encoded)
        kept = loads(encoded) if size <= MAX_DATA else None
    # A JsonTextError is a ValueError, as are those of a cycle, of NaN, and of a surrogate alone.
    except (TypeError, ValueError, RecursionError) as error:
        raise HappeningError("data", f"This cannot be kept as JSON: {error}.") from error
    if size > MAX_DATA:
        raise HappeningError("data", f"This is {size} bytes as JSON: at most {MAX_DATA} are kept.")
    return kept


def check_words(field: str, value: str, at_most: int) -> str:
    """A text of a message that can be kept.

    Raises:
        HappeningError: there is nothing in it, it is too long, or has characters that cannot be stored.
    """
    if not value.strip() or len(value) > at_most or not is_storable(value):
        raise HappeningError(field, f"This must have 1 to {at_most} characters, and no U+0000 or half a surrogate.")
    return value


def check_link(link: str | None) -> str | None:
    """A link that a person can follow: http, https, or a path of the front end.

    Raises:
        HappeningError: it is something else (`javascript:`), or too long.
    """
    if link is None:
        return None
    problem = HappeningError("link", "This must be an address with http or https, or a path such as /events/1.")
    if not isinstance(link, str) or len(link) > MAX_LINK or not link.isprintable() or " " in link or "\\" in link:
        raise problem
    is_path = link.startswith("/") and not link.startswith("//")
    if not is_path and not _is_web_address(link):
        raise problem
    return link


def _is_web_address(link: str) -> bool:
    try:
        parts = urlsplit(link)
        # A port that is none is found when it is asked for.
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _event_of(event: Event | None, session: Session | None) -> Event | None:
    if session is None:
        return event
    if event is not None and session.event is not event:
        raise HappeningError("session", "This session is not one of the event.")
    return session.event


def _type(name: str) -> EventType:
    try:
        return find_type(name)
    except EventTypeError as error:
        raise HappeningError("event_type", str(error)) from error


def _name(field: str, value: str | None) -> str | None:
    if value is not None and not (0 < len(value) <= MAX_NAME and value.isprintable()):
        raise HappeningError(field, f"This must have 1 to {MAX_NAME} printable characters.")
    return value


def _audience(users: Users, besides: tuple[int, ...]) -> tuple[Audience, Select[Any] | None]:
    """The audience, and of one that was named the statement that finds the ids."""
    if users is None:
        return _without(listeners(), besides), None
    if isinstance(users, Audience):
        return _without(users, besides), None
    if isinstance(users, Select):
        # In its order, by which it may be limited.
        found = users.subquery()
        return Audience(NAMED, besides=besides), select(found.c.id if "id" in found.c else found.c[0])
    ids = [user.id if isinstance(user, User) else user for user in users]
    _check_users(ids)
    return Audience(NAMED, besides=besides), named_ids(ids)


def _without(audience: Audience, besides: tuple[int, ...]) -> Audience:
    return replace(audience, besides=besides) if besides else audience


def _check_users(ids: Sequence[int]) -> None:
    """See that all are users.

    Raises:
        HappeningError: one is none; its `index` is the place.
    """
    named = named_ids(id_ for id_ in ids if _can_be_id(id_))
    known = set(db.session.scalars(select(User.id).where(User.id.in_(named), User.deleted_at.is_(None))))
    for index, id_ in enumerate(ids):
        if not _can_be_id(id_) or id_ not in known:
            raise HappeningError("users", f"There is no user with the id {id_!r}.", index)


def _can_be_id(value: object) -> bool:
    """Whether the database can be asked for it: it would end the caller's transaction with an error."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MAX_BIGINT
