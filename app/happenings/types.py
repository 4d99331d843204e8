"""The types of happenings (`<application>.<function>.<action>`), each declared once, and the patterns they match."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select

from app.models import EventTypeRow, db
from app.models.event_type import CHANNELS, IN_APP

MAX_NAME: Final = 255
# Three levels or more, each of small letters, digits, hyphens and underscores.
_LEVEL: Final = "[a-z0-9][a-z0-9_-]*"
_NAME: Final = re.compile(rf"{_LEVEL}(\.{_LEVEL}){{2,}}", re.ASCII)
_PATTERN: Final = re.compile(rf"\*|{_LEVEL}(\.{_LEVEL})*\.\*|{_LEVEL}(\.{_LEVEL}){{2,}}", re.ASCII)
# All types.
EVERYTHING: Final = "*"


class EventTypeError(ValueError):
    """A type that is not declared, or cannot be; the message says what to do."""


@dataclass(frozen=True)
class EventType:
    """A kind of happening.

    Attributes:
        name: `<application>.<function>.<action>`, with further levels if needed.
        title: what users read in the list of what they can follow, and prefer.
        description: one or two sentences more.
        channels: which of `CHANNELS` tell of it where neither the admins nor the user say otherwise.
        is_critical: told whatever anybody has switched off.
        is_listenable: whether users may follow it by themselves; if not, only those who are named are told.
        actions: the actions of Open Event that are of this type.
    """

    name: str
    title: str
    description: str | None = None
    channels: frozenset[str] = frozenset({IN_APP})
    is_critical: bool = False
    is_listenable: bool = True
    actions: tuple[str, ...] = ()


_types: Final[dict[str, EventType]] = {}
_by_action: Final[dict[str, EventType]] = {}


def declare(event_type: EventType) -> EventType:
    """Make a type known; modules of the application do this when they are imported.

    Raises:
        EventTypeError: its name or channels cannot be, or it is declared already.
    """
    check_name(event_type.name)
    if event_type.name in _types:
        raise EventTypeError(f"The type {event_type.name} is declared twice.")
    if not event_type.channels <= set(CHANNELS):
        raise EventTypeError(f"The channels of {event_type.name} are not all of {', '.join(CHANNELS)}.")
    _types[event_type.name] = event_type
    for action in event_type.actions:
        if action in _by_action:
            raise EventTypeError(f"The action {action!r} has two types.")
        _by_action[action] = event_type
    return event_type


def check_name(name: str) -> str:
    """A name that a type can have.

    Raises:
        EventTypeError: it has fewer than three levels, or other characters.
    """
    if not isinstance(name, str) or len(name) > MAX_NAME or not _NAME.fullmatch(name):
        raise EventTypeError(
            "A type is <application>.<function>.<action>, of small letters, digits, - and _, "
            f"with more levels if needed, and at most {MAX_NAME} characters: for example forums.post.comment.new."
        )
    return name


def check_pattern(pattern: str) -> str:
    """A pattern that can match types: a type, a prefix with `.*`, or `*`.

    Raises:
        EventTypeError: it is something else.
    """
    if not isinstance(pattern, str) or len(pattern) > MAX_NAME or not _PATTERN.fullmatch(pattern):
        raise EventTypeError(
            "This must be a type (sessions.session.decided), all below a prefix (sessions.*), or all (*)."
        )
    return pattern


def patterns_of(name: str) -> list[str]:
    """The patterns that match a type, the closest first: itself, its prefixes, everything."""
    levels = name.split(".")
    prefixes = [".".join(levels[:count]) + ".*" for count in range(len(levels) - 1, 0, -1)]
    return [name, *prefixes, EVERYTHING]


def declared_types() -> list[EventType]:
    """Those that the program declares, by name."""
    return [_types[name] for name in sorted(_types)]


def type_of_action(action: str) -> EventType | None:
    """The type of an action of Open Event."""
    return _by_action.get(action)


def find_type(name: str) -> EventType:
    """A declared type: the program's, or one that was declared over the API.

    Raises:
        EventTypeError: there is none of this name.
    """
    known = _types.get(name)
    if known is not None:
        return known
    row = db.session.scalar(select(EventTypeRow).where(EventTypeRow.name == check_name(name)))
    if row is None:
        raise EventTypeError(
            f"The type {name} is not declared: declare it with app.happenings.types.declare or POST /v1/event-types."
        )
    return EventType(row.name, row.title, row.description, frozenset(row.channels), row.is_critical, row.is_listenable)
