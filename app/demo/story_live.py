"""A step of both plays: another program announces something; who listens is told while he looks, as he prefers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from app.demo.checks import Check, equal, exactly_once
from app.demo.client import Client, JsonObject, document
from app.demo.inbox import mail_log
from app.demo.people import Person
from app.demo.play import Play, await_no_open_mail
from app.demo.stream import Stream, message_of
from app.demo.transfers import told_in_app

PROGRAM: Final = "recorder"
TYPE: Final = "sessions.recording.published"
FOLLOWED: Final = "sessions.*"
TITLE: Final = "The recording is there"
SCOPES: Final = ("--scope", "happenings:write", "--scope", "event-types:write")


@dataclass(frozen=True)
class Live:
    """Who is in it.

    Attributes:
        event: its id.
        quiet: who listens, and wants no mail of it.
        other: who listens, and has no such wish.
        admin: who asks why.
    """

    play: Play
    event: str
    quiet: Person
    other: Person
    admin: Client


def tell_live(live: Live) -> list[Check]:
    """Play it; give the checks of what came of it."""
    _follow(live)
    program = _make_program(live)
    screen, stage = live.play.screen, live.play.stage
    screen.title(f"The program announces; the stream of {live.quiet.name} has it at once")
    path = f"/v1/users/{live.quiet.id}/notifications/stream"
    with screen.waiting("waiting for the realtime gateway"):
        stage.application.await_realtime()
    with Stream(stage.application.realtime_url, path, live.quiet.client.token) as stream:
        screen.answer(stream.answer, f"a stream, at {stage.application.realtime_url}")
        stage.wait(stream.has_begun, "the beginning of the stream")
        happening, lines = _announce(live, program, stream)
    return [*_stream_checks(happening, lines), *_told_checks(live), *_explain(live, happening)]


def _follow(live: Live) -> None:
    """Both listen to all about the event's sessions; one wants no mail of it."""
    screen = live.play.screen
    screen.title(f"{live.quiet.name} and {live.other.name} listen to {FOLLOWED} of the event")
    for person in (live.quiet, live.other):
        listen = document("listen", {"event-type": FOLLOWED}, {"event": ("event", live.event)})
        answer = person.client.post(f"/v1/users/{person.id}/listens", listen)
        screen.answer(answer, f"{answer.data['attributes']['event-type']} of event {live.event}")
    wish = {"types": [{"type": FOLLOWED, "channel": "mail", "mode": "off"}]}
    path = f"/v1/users/{live.quiet.id}/preferences"
    answer = live.quiet.client.patch(path, document("preferences", wish, id_=live.quiet.id))
    screen.answer(answer, f"no mail of {answer.data['attributes']['types'][0]['type']}")


def _make_program(live: Live) -> Client:
    """A service account, made by the command as an operator does; it declares what it will announce."""
    screen, stage = live.play.screen, live.play.stage
    screen.title("Another program gets a token, and declares a type of its own")
    screen.say(f"manage.py create-token {PROGRAM} {' '.join(SCOPES)}", "yellow")
    with screen.waiting("waiting for the command"):
        token = stage.command("create-token", PROGRAM, *SCOPES, "--expires", "1h")
    screen.say(f"{token[:4]}… ({len(token)} characters, shown once)", "dim")
    program = replace(live.play.door.visitor, token=token)
    declared = {"name": TYPE, "title": "A recording was published", "channels": ["in-app", "mail"]}
    answer = program.post("/v1/event-types", document("event-type", declared))
    screen.answer(answer, answer.data["attributes"]["name"])
    return program


def _announce(live: Live, program: Client, stream: Stream) -> tuple[str, list[str]]:
    """Announce, and wait for the stream; give the happening's id, and the lines of the stream as they came."""
    screen = live.play.screen
    words = {"event-type": TYPE, "title": TITLE, "message": "<p>Of <em>all</em> halls.</p>"}
    body = document("happening", {**words, "data": {"minutes": 30}}, {"event": ("event", live.event)})
    asked = time.monotonic()
    answer = program.post("/v1/happenings", body)
    screen.answer(answer, f"happening {answer.id}: {answer.data['attributes']['told']} told")
    with screen.waiting("waiting for the stream"):
        live.play.stage.wait(lambda: stream.event_of(answer.id) is not None, "the happening in the stream")
    moment, lines = stream.event_of(answer.id) or (0.0, [])
    for line in lines:
        screen.line(line, "cyan")
    notification = message_of(lines[-1])["notification"]["attributes"]
    screen.say(f"“{notification['title']}”, {(moment - asked) * 1000:.0f} ms after the POST was sent", "bold")
    return answer.id, lines


def _stream_checks(happening: str, lines: list[str]) -> Iterator[Check]:
    message = message_of(lines[-1])
    attributes = message["notification"]["attributes"]
    came = f"{message['action']}: {attributes['title']}"
    yield equal(f"the stream has happening {happening}", f"new: {TITLE}", came)
    yield equal("its id is the event's, to resume from", f"id: {message['id']}", lines[0])


def _told_checks(live: Live) -> Iterator[Check]:
    """Both have the notification; only who has no wish has the mail."""
    await_no_open_mail(live.play, live.admin)
    told = [person.email for person in (live.quiet, live.other) for _ in told_in_app(person, TYPE)]
    yield exactly_once("one notification for each listener", [live.quiet.email, live.other.email], told)
    mails = [mail["recipient"] for mail in mail_log(live.admin) if mail["action"] == TYPE]
    yield exactly_once("one mail, to the listener who wants mails", [live.other.email], mails)


def _explain(live: Live, happening: str) -> Iterator[Check]:
    """The admin asks why."""
    screen = live.play.screen
    screen.title(f"Why did {live.quiet.name} get no mail? The admin asks")
    answer = live.admin.get(f"/v1/happenings/{happening}/explain?user={live.quiet.id}")
    attributes = answer.data["attributes"]
    screen.answer(answer, attributes["audience"]["sentence"])
    channels: dict[str, JsonObject] = {each["channel"]: each for each in attributes["channels"]}
    for name in ("in-app", "mail"):
        screen.say(f"{name}: {channels[name]['sentence']}", "cyan")
        expected = {"in-app": "send, default", "mail": "nothing, user-type"}[name]
        came = f"{channels[name]['outcome']}, {channels[name]['reason']}"
        yield equal(f"what was decided of it, {name}", expected, came)
