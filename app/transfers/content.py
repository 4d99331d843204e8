"""What a file has: an event with its speakers and sessions, as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class SpeakerContent:
    """Somebody who speaks; `id` is the file's own."""

    id: str
    name: str
    email: str | None
    organisation: str | None
    country: str | None


@dataclass(frozen=True)
class SessionContent:
    """A session; `speakers` are the file's ids."""

    title: str
    short_abstract: str | None
    starts_at: datetime | None
    ends_at: datetime | None
    state: str
    speakers: tuple[str, ...]


@dataclass(frozen=True)
class EventContent:
    """An event with its speakers and sessions, each in the order of the file."""

    name: str
    starts_at: datetime
    ends_at: datetime
    timezone: str
    location_name: str | None
    speakers: tuple[SpeakerContent, ...]
    sessions: tuple[SessionContent, ...]

    @property
    def size(self) -> int:
        """How many things there are in it, as progress counts them."""
        return 1 + len(self.speakers) + len(self.sessions)
