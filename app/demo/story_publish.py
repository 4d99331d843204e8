"""A step of the small play: all the people of an event are told together, and its organizer sees whom that reached."""

from __future__ import annotations

from app.demo.cast import Cast
from app.demo.checks import Check, exactly_once
from app.demo.client import JsonObject, document
from app.demo.inbox import OPEN_STATUSES


def publish_copy(cast: Cast, event: str) -> list[Check]:
    """The organizer publishes the imported draft; give the check of what became of each mail."""
    screen, client = cast.play.screen, cast.organizer.client
    screen.title("The organizer publishes the copy, and sees what became of each mail")
    answer = client.patch(f"/v1/events/{event}", document("event", {"state": "published"}, id_=event))
    screen.answer(answer, answer.data["attributes"]["state"])
    mails = _await_ends(cast, event)
    screen.table(("recipient", "subject", "status"), [_row(mail) for mail in mails], "subject")
    everybody = [(person.email, "sent") for person in (cast.organizer, *cast.speakers)]
    came = [(mail["recipient"], mail["status"]) for mail in mails]
    return [exactly_once("the batch of publishing, as the organizer sees it", everybody, came)]


def _await_ends(cast: Cast, event: str) -> list[JsonObject]:
    """Wait until none of the event's mails is left to send; give their attributes, as its organizer reads them."""
    client, path = cast.organizer.client, f"/v1/events/{event}/mails?sort=id"
    with cast.play.screen.waiting("waiting until every mail of the batch has left"):
        cast.play.stage.wait(
            lambda: all(mail["attributes"]["status"] not in OPEN_STATUSES for mail in client.get(path).data),
            "every mail of the batch to leave",
        )
    batches = client.get("/v1/mail-batches")
    newest = batches.data[0]["attributes"]
    cast.play.screen.answer(batches, newest["description"])
    answer = client.get(path)
    counts = (f"{count} {status}" for status, count in newest["by-status"].items())
    cast.play.screen.answer(answer, ", ".join(counts))
    return [mail["attributes"] for mail in answer.data]


def _row(mail: JsonObject) -> tuple[str, ...]:
    return mail["recipient"], mail["subject"], mail["status"]
