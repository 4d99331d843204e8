"""What both plays begin with: an organizer, a published event; and the requests that they share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.demo.client import Answer, Client, JsonObject, document
from app.demo.inbox import OPEN_STATUSES, mails_with
from app.demo.people import Door, Login, Person, await_mails, confirm, log_in, register
from app.demo.screen import Screen
from app.demo.stage import Stage


@dataclass(frozen=True)
class Play:
    """What a play needs: the running application, the screen, and the door people come in by."""

    stage: Stage
    screen: Screen
    door: Door


@dataclass(frozen=True)
class Outcome:
    """What a play that went well leaves: accounts to log in with, and figures to show."""

    logins: Sequence[tuple[str, Login]]
    figures: Sequence[tuple[str, str]]


def begin(stage: Stage, screen: Screen) -> Play:
    """Set up a play."""
    return Play(stage, screen, Door(stage.visitor(), screen, stage.mailbox, stage.wait))


def await_no_open_mail(play: Play, admin: Client) -> None:
    """Wait until no mail of the log is left to send."""
    with play.screen.waiting("waiting until every mail has left"):
        play.stage.wait(lambda: mails_with(admin, *OPEN_STATUSES) == 0, "every mail to leave")


def enter_organizer(play: Play) -> Person:
    """The first three steps: register, confirm with what the mail says, log in."""
    play.screen.title("An organizer registers")
    person = register(play.door, "Olivia", "Okafor")
    play.screen.title("Two mails arrive; the link in one of them confirms the address")
    confirm(play.door, await_mails(play.door, person))
    play.screen.title("The organizer logs in")
    return replace(person, client=log_in(play.door, person.login))


def create_event(play: Play, organizer: Person, attributes: JsonObject) -> str:
    """Make a published event; give its id."""
    play.screen.title("The organizer publishes an event")
    answer = organizer.client.post("/v1/events", document("event", {**attributes, "state": "published"}))
    play.screen.answer(answer, f"event {answer.id}, {answer.data['attributes']['identifier']}")
    return answer.id


def enter_speaker(client: Client, event: str, attributes: JsonObject, user: str | None) -> Answer:
    """Enter a speaker; `user` is the account that looks after the entry, if there is one."""
    relationships = {"event": ("event", event), "user": ("user", user) if user else None}
    return client.post("/v1/speakers", document("speaker", attributes, relationships))


def propose(client: Client, event: str, attributes: JsonObject, speakers: Sequence[str]) -> Answer:
    """Propose a session."""
    linked = {"event": ("event", event), "speakers": [("speaker", speaker) for speaker in speakers]}
    return client.post("/v1/sessions", document("session", attributes, linked))


def change_session(client: Client, session: str, attributes: JsonObject) -> Answer:
    """Change a session, such as its state."""
    return client.patch(f"/v1/sessions/{session}", document("session", attributes, id_=session))
