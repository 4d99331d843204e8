"""A step of the small play: the organizer counts whom a broadcast is for, then sends it to the speakers."""

from __future__ import annotations

from typing import Final

from app.demo.cast import Cast
from app.demo.checks import Check, equal, exactly_once
from app.demo.client import document
from app.demo.transfers import told_in_app

WORDS: Final = {"title": "Doors open at nine", "message": "<p>Come to the <b>north</b> gate.</p>"}
TYPE: Final = "events.broadcast.sent"


def broadcast(cast: Cast) -> list[Check]:
    """Play it; give the checks."""
    screen, client = cast.play.screen, cast.organizer.client
    screen.title("The organizer tells all speakers, and knows before how many that are")
    body = document("broadcast", {**WORDS, "audience": "speakers"}, {"event": ("event", cast.event)})
    draft = client.post("/v1/broadcasts", body)
    counted = draft.data["attributes"]["recipients"]
    screen.answer(draft, f"{draft.data['attributes']['state']}, for {counted} people")
    path = f"/v1/broadcasts/{draft.id}"
    # With the count that was seen: if it is another by now, nothing is sent.
    send = document("broadcast", {"state": "sending", "recipients": counted}, id_=draft.id)
    screen.answer(client.patch(path, send), "sending, if there are still as many")

    def is_sent() -> bool:
        return bool(client.get(path).data["attributes"]["state"] == "sent")

    with screen.waiting("waiting until everybody was told"):
        cast.play.stage.wait(is_sent, "the broadcast to be sent")
    sent = client.get(path)
    attributes = sent.data["attributes"]
    screen.answer(sent, f"{attributes['state']}: {attributes['told']} told, {attributes['mails']} mails")
    told = [speaker.email for speaker in cast.speakers for _ in told_in_app(speaker, TYPE)]
    return [
        equal("people of the broadcast: counted before, told", "2, 2", f"{counted}, {attributes['told']}"),
        exactly_once("the broadcast in the inbox of each speaker", [one.email for one in cast.speakers], told),
    ]
