"""A step of the small play: the organizer exports the event, and imports the file as a new draft."""

from __future__ import annotations

import json
from collections.abc import Iterator

from app.demo.cast import Cast
from app.demo.checks import Check, equal, same
from app.demo.client import JsonObject, document
from app.demo.play import Play
from app.demo.transfers import IMPORTED, await_mail, follow, import_file, told_in_app


def export_and_import(cast: Cast) -> tuple[str, list[Check]]:
    """Play it; give the id of the copy, and the checks of what came of it."""
    play, organizer = cast.play, cast.organizer
    play.screen.title("The organizer exports the event, and downloads it by the mail's link")
    asked = organizer.client.post("/v1/event-exports", document("event-export", {}, {"event": ("event", cast.event)}))
    play.screen.answer(asked, f"export {asked.id}: {asked.data['attributes']['state']}")
    follow(play, organizer.client, f"/v1/event-exports/{asked.id}", "exported")
    file = _download(play, cast)
    play.screen.title("The organizer imports the file: a copy, as a draft")
    event = import_file(play, organizer, "copy.json", json.dumps(file).encode())
    play.screen.mail(await_mail(play, organizer, "was imported"))
    return event, list(_checks(cast, event, file))


def _download(play: Play, cast: Cast) -> JsonObject:
    """Open the link of the mail, without a login, as a browser would."""
    [link] = [link for link in await_mail(play, cast.organizer, "is ready").links if "token=" in link]
    page = play.door.visitor.get(link)
    play.screen.answer(page, f"{len(page.body['sessions'])} sessions, {len(page.body['speakers'])} speakers")
    return page.body


def _checks(cast: Cast, event: str, file: JsonObject) -> Iterator[Check]:
    copy = cast.organizer.client.get(f"/v1/events/{event}").data["attributes"]
    yield equal("the copy is a draft", "draft", copy["state"])
    copied = cast.organizer.client.pages(f"/v1/events/{event}/sessions")
    titles = [session["title"] for session in file["sessions"]]
    yield same("the copy has every session", titles, (session["attributes"]["title"] for session in copied))
    yield equal("organizer: notifications of the import", 1, len(told_in_app(cast.organizer, IMPORTED)))
