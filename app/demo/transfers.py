"""Exports and imports in the plays: asked for, followed to their end, and what the organizer was told of them."""

from __future__ import annotations

from typing import Final

from app.demo.client import Answer, Client, JsonObject
from app.demo.failure import DemoFailure
from app.demo.mailbox import CaughtMail
from app.demo.people import Person
from app.demo.play import Play

IMPORTED: Final = "Event Imported"
ENDED: Final = ("succeeded", "failed")


def import_file(play: Play, organizer: Person, filename: str, file: bytes) -> str:
    """Import a file in one call, and follow its progress; give the id of the event.

    Raises:
        DemoFailure: it failed; says why.
    """
    answer = organizer.client.upload("/v1/event-imports", filename, file)
    play.screen.answer(answer, f"import {answer.id}: {answer.data['attributes']['state']}")
    ended = follow(play, organizer.client, f"/v1/event-imports/{answer.id}", "imported")
    return str(ended.data["relationships"]["event"]["data"]["id"])


def follow(play: Play, client: Client, path: str, words: str) -> Answer:
    """Show the progress of an export or import until it has ended.

    Raises:
        DemoFailure: it failed; says why.
    """
    with play.screen.progress() as progress:
        bar = progress.add_task(words, total=None)

        def has_ended() -> bool:
            attributes = client.get(path).data["attributes"]
            progress.update(bar, completed=attributes["done"], total=attributes["total"] or None)
            return attributes["state"] in ENDED

        play.stage.wait(has_ended, f"the end of {path}")
    answer = client.get(path)
    attributes = answer.data["attributes"]
    if attributes["state"] != "succeeded":
        raise DemoFailure(path, "succeeded", f"{attributes['state']}: {attributes['error']}")
    play.screen.answer(answer, f"{attributes['state']}, {attributes['progress']} percent")
    return answer


def told_in_app(person: Person, action: str) -> list[JsonObject]:
    """What a person's notifications of an action say."""
    inbox = person.client.pages(f"/v1/users/{person.id}/notifications")
    return [each["attributes"] for each in inbox if each["attributes"]["action"] == action]


def await_mail(play: Play, person: Person, words: str) -> CaughtMail:
    """Wait for the newest mail of a person whose subject has these words."""

    def newest() -> list[CaughtMail]:
        return [mail for mail in play.stage.mailbox.to(person.email) if words in mail.subject]

    with play.screen.waiting(f"waiting for the mail “{words}”"):
        play.stage.wait(lambda: bool(newest()), f"a mail to {person.email} whose subject has {words!r}")
    return newest()[-1]
