"""A conference in a file, for the large play: read before anything is started, and refused in one line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.delivery.recipients.playpen import is_allowed
from app.transfers.content import EventContent
from app.transfers.errors import FileError
from app.transfers.reading import MAX_BYTES, read_event
from config import RESERVED_DOMAINS

_REASON: Final = "the demo mails to domains for examples and tests only, such as example.org (RFC 2606)"


class ConferenceError(ValueError):
    """The file cannot be played; the message names it and what is missing or wrong."""


@dataclass(frozen=True)
class Conference:
    """A file and what is in it."""

    filename: str
    file: bytes
    content: EventContent

    @property
    def addresses(self) -> frozenset[str]:
        """The addresses of all its speakers, in lower case, each once."""
        return frozenset(speaker.email.lower() for speaker in self.content.speakers if speaker.email)


def load_conference(path: Path) -> Conference:
    """Read and check a file.

    Raises:
        ConferenceError: it is not there, is not one that can be imported, or has addresses of real people.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConferenceError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        conference = Conference(path.name, content, read_event(content))
    except FileError as error:
        raise ConferenceError(f"{path}: {error}") from error
    for number, speaker in enumerate(conference.content.speakers):
        if speaker.email and not is_allowed(speaker.email, RESERVED_DOMAINS):
            raise ConferenceError(f"{path}: speakers[{number}].email is {speaker.email!r}: {_REASON}")
    if not conference.content.sessions:
        raise ConferenceError(f"{path}: sessions is empty: there is nothing to play")
    return conference
