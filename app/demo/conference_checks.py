"""The checks of the large play: all of the file is there, and everybody was told of the right things, once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from app.demo.checks import Check, equal, exactly_once, same
from app.demo.client import JsonObject
from app.demo.conference import Conference
from app.demo.people import MAILS_OF_REGISTERING, Person
from app.demo.transfers import IMPORTED, told_in_app

PUBLISHED: Final = "Event Published"


@dataclass(frozen=True)
class Imported:
    """A conference that was imported; `event` is the server's id of it."""

    conference: Conference
    organizer: Person
    event: str

    @property
    def people(self) -> frozenset[str]:
        """The addresses of everybody who has to do with it, in lower case, each once."""
        return self.conference.addresses | {self.organizer.email.lower()}


def whole_event_is_there(imported: Imported) -> Iterator[Check]:
    """Every session with its state and speakers, and every speaker."""
    content, client = imported.conference.content, imported.organizer.client
    path = f"/v1/events/{imported.event}"
    names = [speaker.name for speaker in content.speakers]
    there = [each["attributes"]["name"] for each in client.pages(f"{path}/speakers")]
    yield same("every speaker is there", names, there)
    wanted = [(session.title, session.state, len(session.speakers)) for session in content.sessions]
    sessions = client.pages(f"{path}/sessions?include=speakers")
    yield same("every session is there, with state and speakers", wanted, (_of_session(each) for each in sessions))


def told_of_import_alone(imported: Imported, log: Sequence[JsonObject]) -> Iterator[Check]:
    """The importer has one notification and one mail; nobody else got anything."""
    organizer = imported.organizer
    yield equal("organizer: notifications of the import", 1, len(told_in_app(organizer, IMPORTED)))
    recipients = [mail["recipient"].lower() for mail in log if mail["action"] == IMPORTED]
    yield exactly_once("one mail of the import, to the organizer", [organizer.email.lower()], recipients)
    yield equal("mails so far, with those of registering", MAILS_OF_REGISTERING + 1, len(log))


def publishing_told_each_once(imported: Imported, log: Sequence[JsonObject]) -> Iterator[Check]:
    """Each distinct address of the conference got one mail, and so did the organizer."""
    recipients = [mail["recipient"].lower() for mail in log if mail["action"] == PUBLISHED]
    yield exactly_once("publishing: one mail an address", imported.people, recipients)
    yield equal("organizer: notifications of the publishing", 1, len(told_in_app(imported.organizer, PUBLISHED)))


def _of_session(session: JsonObject) -> tuple[str, str, int]:
    attributes = session["attributes"]
    return attributes["title"], attributes["state"], len(session["relationships"]["speakers"]["data"])
