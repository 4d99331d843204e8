"""The end of login tokens, told to the gateways: they have no database to see that a user's token version was raised.

It is noted when it is flushed and told after the commit. Whoever is told nothing, since Redis was away, is told by a
task that repeats what was ended in the last day.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, inspect, text
from sqlalchemy.orm import Session, SessionTransaction

from app.api.helpers.queued import is_within
from app.models import User
from app.models.base import utc_now
from app.realtime.keys import ENDED_SECONDS, NO_VERSION

_ENDED: Final = "usher.ended_tokens"
_LATELY: Final = text(
    "SELECT id, token_version, deleted_at FROM users"
    " WHERE tokens_ended_at > now() - make_interval(secs => :seconds) ORDER BY tokens_ended_at"
)


def note_ended_tokens(session: Session) -> None:
    """Note, before they are flushed, the users whose tokens end; and in their rows when that was."""
    for row in session.dirty:
        if not isinstance(row, User):
            continue
        changed = inspect(row).attrs
        if changed.token_version.history.has_changes() or changed.deleted_at.history.has_changes():
            row.tokens_ended_at = utc_now()
            entry = (row.id, _version(row), session.get_nested_transaction())
            session.info.setdefault(_ENDED, []).append(entry)


def take_ended_tokens(session: Session) -> dict[int, int]:
    """Whose tokens the transaction that was just committed has ended, and the version that good ones have."""
    entries: list[tuple[int, int, SessionTransaction | None]] = session.info.pop(_ENDED, [])
    return {user_id: version for user_id, version, _ in entries}


def forget_ended_tokens(session: Session, savepoint: SessionTransaction | None = None) -> None:
    """Drop what a transaction, or only a savepoint and those within it, had ended: it was rolled back."""
    entries: list[tuple[int, int, SessionTransaction | None]] = session.info.pop(_ENDED, [])
    if savepoint is not None:
        session.info[_ENDED] = [entry for entry in entries if not is_within(entry[2], savepoint)]


def ended_lately(connection: Connection) -> dict[int, int]:
    """Whose tokens were ended while some that were given out before have not yet expired, and the version since."""
    rows = connection.execute(_LATELY, {"seconds": ENDED_SECONDS})
    return {row.id: row.token_version if row.deleted_at is None else NO_VERSION for row in rows}


def _version(user: User) -> int:
    return user.token_version if user.deleted_at is None else NO_VERSION
