"""The listens that a happening is what they wait for."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import ColumnElement, Text, and_, any_, literal, or_, text
from sqlalchemy.dialects.postgresql import ARRAY

from app.happenings.types import patterns_of
from app.models import Happening, Listen


def listening(happening: Happening, at_most: int | None = None) -> dict[str, Any]:
    """The values of `LISTENING`: users with such listens, of one with several several times; `at_most` so many."""
    return {
        "patterns": patterns_of(happening.event_type or ""),
        "event_id": happening.event_id,
        "session_id": happening.session_id,
        "subject": happening.subject,
        "at_most": at_most,
    }


# Made once: it is asked at every change, and nearly always nobody listens. A part for each kind of thing that a listen
# can be about, so that each reads only its own part of an index.
_LISTENS: Final = "SELECT user_id FROM listens WHERE pattern = ANY(CAST(:patterns AS text[]))"
LISTENING: Final = text(
    f"""
    {_LISTENS} AND event_id IS NULL AND session_id IS NULL AND subject IS NULL
    UNION ALL {_LISTENS} AND event_id = :event_id AND session_id IS NULL AND subject IS NULL
    UNION ALL {_LISTENS} AND session_id = :session_id AND event_id IS NULL AND subject IS NULL
    UNION ALL {_LISTENS} AND subject = :subject AND event_id IS NULL AND session_id IS NULL
    LIMIT :at_most
    """
)


def matches(happening: Happening) -> ColumnElement[bool]:
    """The listens that a happening is what they wait for."""
    return and_(_has_pattern(happening), or_(*_things(happening)))


def _has_pattern(happening: Happening) -> ColumnElement[bool]:
    """As one value: of several, SQLAlchemy would write the statement anew each time."""
    return Listen.pattern == any_(literal(patterns_of(happening.event_type or ""), ARRAY(Text)))


def _things(happening: Happening) -> list[ColumnElement[bool]]:
    """What a listen can be about: everything, or what the happening is about; it has one of them."""
    columns = {
        Listen.event_id: happening.event_id,
        Listen.session_id: happening.session_id,
        Listen.subject: happening.subject,
    }
    things = [dict.fromkeys(columns, None)]
    things += [{**things[0], column: value} for column, value in columns.items() if value is not None]
    # In SQLAlchemy `== None` is IS NULL.
    return [and_(*(column == value for column, value in thing.items())) for thing in things]
