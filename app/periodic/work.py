"""One thing after another, each in a transaction of its own: what fails for one does not stop the others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from zoneinfo import ZoneInfoNotFoundError

from sqlalchemy import Row, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from app.api.helpers.addresses import AddressError
from app.api.helpers.templates import TemplateError
from app.models import Event, Mail, Notification, db

log = logging.getLogger(__name__)

# What may be wrong with one event and not with the next: a statement that the database refuses, a template that lacks
# a value, a time zone that is no longer known. Anything else is a mistake in the code, and ends the run.
FAILURES = (SQLAlchemyError, TemplateError, ZoneInfoNotFoundError)

Person = TypeVar("Person")


@dataclass(frozen=True)
class Outcome:
    """What became of one thing that was due: an action, what it is about, and how many were told, or why nobody was."""

    action: str
    about: str
    mails: int = 0
    notifications: int = 0
    error: str | None = None


def each(action: str, rows: Sequence[Row[Any]], step: Callable[[Row[Any]], Outcome | None]) -> Iterator[Outcome]:
    """Take the step for each row, which has an id first, and commit it; one that has nothing to tell of returns None.

    Raises:
        DBAPIError: the connection to the database is lost.
    """
    for row in rows:
        try:
            outcome = step(row)
            db.session.commit()
        except FAILURES as error:
            db.session.rollback()
            if isinstance(error, DBAPIError) and error.connection_invalidated:
                raise
            cause = error.orig if isinstance(error, DBAPIError) else error
            # The first line only: PostgreSQL's details, which follow, may show an address.
            reason = f"{type(cause).__name__}: {str(cause).partition(chr(10))[0]}"
            log.error("%s, %s: %s. It is tried again with the next run.", action, row[0], reason)  # noqa: TRY400 - the traceback would show those details
            outcome = Outcome(action, str(row[0]), error=reason)
        if outcome is not None:
            yield outcome


def tell_all(people: Iterable[Person], send: Callable[[Person], Mail | Notification | None]) -> int:
    """Tell each of these people; returns how many were told, which is nobody where the admins switched it off.

    An address that cannot be one, however it came into the table, does not keep the others from being told.
    """
    told = 0
    # What is added goes to the database together, not with each look at the settings.
    with db.session.no_autoflush:
        for person in people:
            try:
                told += send(person) is not None
            except AddressError:
                log.warning("Somebody with an address that cannot be one is not told.")
    return told


def hold_event(event_id: int) -> Event | None:
    """The event, which nobody changes or deletes before the end of this transaction; None if it was deleted."""
    return db.session.scalar(
        select(Event)
        .where(Event.id == event_id, Event.deleted_at.is_(None))
        .with_for_update(read=True)
        .execution_options(populate_existing=True)
    )
