"""A conference in a JSON file: read, checked, and refused in one line that says what is wrong where."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from app.delivery.playpen import is_allowed
from config import RESERVED_DOMAINS

STATES: Final = ("pending", "accepted", "confirmed", "rejected", "canceled", "withdrawn")


class ConferenceError(ValueError):
    """The file cannot be played; the message names it and what is missing or wrong."""


@dataclass(frozen=True)
class Speaker:
    """Somebody who speaks; `id` is the file's own."""

    id: str
    name: str
    email: str | None
    organisation: str | None
    country: str | None


@dataclass(frozen=True)
class Talk:
    """A session; times are RFC 3339 as the file has them."""

    title: str
    abstract: str | None
    starts_at: str | None
    ends_at: str | None
    state: str | None
    speakers: tuple[Speaker, ...]

    @property
    def addresses(self) -> frozenset[str]:
        """The addresses of its speakers, in lower case, each once."""
        return frozenset(speaker.email.lower() for speaker in self.speakers if speaker.email)


@dataclass(frozen=True)
class Conference:
    """An event with its speakers and sessions."""

    name: str
    starts_at: str
    ends_at: str
    timezone: str
    location: str | None
    speakers: tuple[Speaker, ...]
    talks: tuple[Talk, ...]


def load_conference(path: Path) -> Conference:
    """Read and check a file.

    Raises:
        ConferenceError: it is not there, is not JSON, or has another shape.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConferenceError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ConferenceError(f"{path}: is not JSON in UTF-8: {error}") from error
    try:
        return _conference(_Fields(content, ""))
    except _ShapeError as error:
        raise ConferenceError(f"{path}: {error}") from error


class _ShapeError(ValueError):
    """Something of the content is missing or wrong."""


class _Fields:
    """The fields of one JSON object, taken out by name and kind."""

    def __init__(self, value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise _ShapeError(f"{where or 'the whole'} must be a JSON object")
        self._value: Mapping[str, Any] = value
        self._where = where

    def where(self, name: str) -> str:
        """The path of a field, as in `sessions[3].title`."""
        return f"{self._where}.{name}" if self._where else name

    def text(self, name: str) -> str:
        """A text that has something in it."""
        value = self.text_or_none(name)
        if value is None or not value.strip():
            raise _ShapeError(f"{self.where(name)} is missing or empty")
        return value

    def text_or_none(self, name: str) -> str | None:
        """A text, or None where the field is null or is not there."""
        value = self._value.get(name)
        if value is not None and not isinstance(value, str):
            raise _ShapeError(f"{self.where(name)} must be a text or null")
        return value

    def line(self, name: str) -> str:
        """The same as one line: any white space in it, such as the tab of a real speaker's name, is one space."""
        return " ".join(self.text(name).split())

    def line_or_none(self, name: str) -> str | None:
        """The same, or None where there is nothing in it."""
        return " ".join((self.text_or_none(name) or "").split()) or None

    def time_or_none(self, name: str) -> str | None:
        """A time with its offset (RFC 3339)."""
        value = self.text_or_none(name)
        if value is None:
            return None
        try:
            offset = datetime.fromisoformat(value).utcoffset()
        except ValueError:
            offset = None
        if offset is None:
            raise _ShapeError(f"{self.where(name)} must be a time with an offset, such as 2017-03-17T09:00:00+08:00")
        return value

    def time(self, name: str) -> str:
        """The same where it may not be missing."""
        self.text(name)
        return self.time_or_none(name) or ""

    def several(self, name: str) -> Sequence[Any]:
        """A list."""
        value = self._value.get(name)
        if not isinstance(value, list):
            raise _ShapeError(f"{self.where(name)} must be a list")
        return value

    def one(self, name: str) -> _Fields:
        """An object."""
        return _Fields(self._value.get(name), self.where(name))


def _conference(fields: _Fields) -> Conference:
    event = fields.one("event")
    speakers: dict[str, Speaker] = {}
    for number, value in enumerate(fields.several("speakers")):
        speaker = _speaker(_Fields(value, f"speakers[{number}]"))
        if speaker.id in speakers:
            raise _ShapeError(f"speakers[{number}].id is {speaker.id}, as of a speaker before")
        speakers[speaker.id] = speaker
    values = fields.several("sessions")
    if not values:
        raise _ShapeError("sessions is empty: there is nothing to propose")
    return Conference(
        name=event.line("name"),
        starts_at=event.time("starts-at"),
        ends_at=event.time("ends-at"),
        timezone=event.text_or_none("timezone") or "UTC",
        location=event.line_or_none("location-name"),
        speakers=tuple(speakers.values()),
        talks=tuple(_talk(_Fields(value, f"sessions[{number}]"), speakers) for number, value in enumerate(values)),
    )


def _speaker(fields: _Fields) -> Speaker:
    email = fields.text_or_none("email")
    if email is not None and not is_allowed(email, RESERVED_DOMAINS):
        raise _ShapeError(
            f"{fields.where('email')} is {email!r}: the demo mails to domains for examples and tests only, "
            "such as example.org (RFC 2606)"
        )
    return Speaker(
        id=fields.text("id"),
        name=fields.line("name"),
        email=email,
        organisation=fields.line_or_none("organisation"),
        country=fields.line_or_none("country"),
    )


def _talk(fields: _Fields, speakers: Mapping[str, Speaker]) -> Talk:
    state = fields.text_or_none("state")
    if state is not None and state not in STATES:
        raise _ShapeError(f"{fields.where('state')} is {state!r}: it must be one of {', '.join(STATES)}, or null")
    ids = fields.several("speaker-ids")
    unknown = [id_ for id_ in ids if not isinstance(id_, str) or id_ not in speakers]
    if unknown:
        raise _ShapeError(f"{fields.where('speaker-ids')} names {unknown[0]!r}, which is no speaker's id")
    return Talk(
        title=fields.line("title"),
        abstract=fields.text_or_none("short-abstract"),
        starts_at=fields.time_or_none("starts-at"),
        ends_at=fields.time_or_none("ends-at"),
        state=state,
        speakers=tuple(speakers[id_] for id_ in dict.fromkeys(ids)),
    )
