"""A step of the small play: the mail server is away, and a second service takes the mail at once."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from app.demo.cast import Cast
from app.demo.checks import Check, equal
from app.demo.client import Answer, JsonObject, document
from app.demo.inbox import mails_to
from app.demo.people import Person
from app.demo.tables import show_timeline
from app.embedded.ports import LOOPBACK

BACKUP: Final = "backup"
SERVER: Final = ("smtp-host", "smtp-port", "smtp-encryption")


def go_round_dead_server(cast: Cast, admin: Person) -> list[Check]:
    """Bo asks for a new password while nobody listens at the settings' mail server."""
    screen, client = cast.play.screen, admin.client
    screen.title("The mail server is away: a second service takes Bo's mail at once")
    settings = client.get("/v1/settings/1").data["attributes"]
    service = _add_service(cast, admin, {name: settings[name] for name in SERVER})
    with _dead_port() as port:
        screen.answer(_set_port(admin, port), "where nobody listens")
        mail = _ask_for_password(cast, admin)
    entries = show_timeline(screen, client, mail["id"])
    for words in (entry["text"] for entry in entries if entry["event"] == "rerouted"):
        screen.say(words.partition(". ")[0], "cyan")
    screen.answer(_set_port(admin, settings["smtp-port"]), "the mail server is back")
    screen.answer(client.delete(f"/v1/mail-services/{service}"), "the second service is not needed any more")
    told = [f"{entry['event']} {entry['provider'] or ''}".strip() for entry in entries]
    return [
        equal("the mail that met a dead server", "queued, sending, rerouted smtp, sent backup", ", ".join(told)),
        equal("tries that it took", 1, mail["attributes"]["attempts"]),
    ]


def _add_service(cast: Cast, admin: Person, server: JsonObject) -> str:
    """Add a service behind the settings' own; give its id."""
    attributes = {"name": BACKUP, "position": 1, "email-service": "smtp", **server}
    answer = admin.client.post("/v1/mail-services", document("mail-service", attributes))
    cast.play.screen.answer(answer, f"{BACKUP}: {answer.data['attributes']['state']}")
    return answer.id


def _set_port(admin: Person, port: int) -> Answer:
    return admin.client.patch("/v1/settings/1", document("setting", {"smtp-port": port}, id_="1"))


def _ask_for_password(cast: Cast, admin: Person) -> JsonObject:
    """Wait until the mail with Bo's link has left; give it."""
    bo = cast.speakers[1]
    answer = cast.play.door.visitor.post("/v1/auth/reset-password", {"data": {"email": bo.email}}, 200)
    cast.play.screen.answer(answer, f"a link for {bo.email}")
    what = f"the link for {bo.email} to leave"
    with cast.play.screen.waiting(f"waiting for {what}"):
        cast.play.stage.wait(lambda: mails_to(admin.client, bo.email)[0]["attributes"]["status"] == "sent", what)
    return mails_to(admin.client, bo.email)[0]


@contextmanager
def _dead_port() -> Iterator[int]:
    """A port of this machine that refuses connections: it is taken, so that nobody else can listen there."""
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        yield taken.getsockname()[1]
