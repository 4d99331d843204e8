"""When an answer about an inbox still holds: a version of each inbox in Redis, so that "nothing new" needs no database.

What is to be guaranteed: an answer that is confirmed (304) is the one that PostgreSQL would give at some moment during
the request. Two rules do it.

- A reader takes the version *before* he reads PostgreSQL, and there is none while a writer is between his two steps.
- A writer *holds* the versions of the inboxes that he changes just before his commit (they are deleted, and none is
  made as long as he is written down as one), and *releases* them after it. Each writer has a name of his own: one who
  is done does not free what another holds.

Why that is enough: let an answer with the version V be given, and V be there again when the client asks whether the
answer holds. A version is random and never comes back once it is deleted, so from the one moment to the other nobody
has taken hold of it. A change whose commit lies in between would therefore have been held already when V was made or
read; but then there was no V. A commit before that was seen by the reader, who read PostgreSQL later. Who may ask is
part of it: the account's `token_version` counts as content of the inbox, and a change of it is held like any other.
What is kept with a version (how many there are, how many unread, which generation of tokens counts) was read after the
version was, and is as good as an answer that was given at it.

What can go wrong, and what then:

- A writer dies between his steps, or his commit fails, so that nobody knows whether it counted: nothing is released.
  His name expires after `HOLD` seconds; until then the inbox is read from PostgreSQL each time.
- Redis is away: there are no versions, no ETag and no 304. A commit waits for it once, for the time-out of a socket;
  then it is not asked for some seconds.
- Redis is away for the writer only: what he has changed others may confirm as unchanged, until he reaches Redis again
  (then all versions end), but never for longer than `LIFE`: a version's time to live begins when it is made, and
  nothing makes it longer.
- Redis forgets (restart, eviction): versions that are gone are made anew and fit no old answer. One that comes back
  from an old copy of its memory is bounded by `LIFE` too, and so is a commit that takes longer than `HOLD`.
- Somebody changes rows past the application (psql): bounded by `LIFE`.

A writer who changes more than `MANY` inboxes is written down once, with the first and the last of these users: no
version is made between them until he is done. Only the versions of those whose inboxes he changes are ended; the others
between them keep theirs. The version of all inboxes, which is part of every answer, ends when changes were missed.
"""

from __future__ import annotations

import secrets
from typing import Final

from flask import current_app
from sqlalchemy import inspect
from sqlalchemy.orm import Session

from app.inbox.changes import noted_changes
from app.inbox.store import MANY, Store, inbox_store, name_of_many
from app.models import User

_ENDED: Final = "usher.inbox_logins_ended"
_HELD: Final = "usher.inbox_held"


def store() -> Store:
    """The versions of the application's Redis."""
    return inbox_store(current_app.config["USHER"].redis_url)


def note_ended_logins(session: Session) -> None:
    """Note whose earlier tokens a flush has ended; called after each.

    Of one that is rolled back with its savepoint the inbox is only read once more.
    """
    for row in session.dirty:
        if isinstance(row, User):
            state = inspect(row)
            changed = (state.attrs[name].history.has_changes() for name in ("token_version", "deleted_at", "is_admin"))
            if any(changed):
                session.info.setdefault(_ENDED, set()).add(row.id)


def hold_versions(session: Session) -> None:
    """The writer's first step: called when all is flushed and nothing is left but the commit."""
    users = {user_id for change in noted_changes(session) for user_id in change.user_ids}
    users |= session.info.pop(_ENDED, set())
    if users:
        writer, owners = secrets.token_hex(16), sorted(users)
        if len(owners) > MANY:
            writer = name_of_many(writer, owners)
            session.info[_HELD] = (writer, None, store().hold_many(writer, owners))
        else:
            session.info[_HELD] = (writer, owners, store().hold(writer, owners))


def release_versions(session: Session) -> None:
    """The writer's second step: the commit is done."""
    if _HELD in session.info:
        writer, owners, was_held = session.info.pop(_HELD)
        is_released = store().release_many(writer) if owners is None else store().release(writer, owners)
        if not was_held and (owners is None or not is_released):
            store().miss()


def forget_versions(session: Session) -> None:
    """The transaction was rolled back. What was held is not released: a commit may have failed on its way back."""
    session.info.pop(_ENDED, None)
    session.info.pop(_HELD, None)
