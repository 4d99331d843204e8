"""The small play: one organizer, two speakers, three sessions, and every step of the main job."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from app.demo.cast import HOSTILE_TITLE, Cast
from app.demo.client import JsonObject
from app.demo.people import Person, log_in, welcome
from app.demo.play import (
    Outcome,
    Play,
    await_no_open_mail,
    begin,
    create_event,
    enter_organizer,
    enter_speaker,
    propose,
)
from app.demo.screen import Screen
from app.demo.stage import Stage
from app.demo.story_bounce import have_mail_bounce
from app.demo.story_broadcast import broadcast
from app.demo.story_checks import run_checks
from app.demo.story_detour import go_round_dead_server
from app.demo.story_import import export_and_import
from app.demo.story_inbox import decide, mark_as_read, show_arrived_mail, show_inbox, show_speakers_side
from app.demo.story_invite import invite
from app.demo.story_live import Live, tell_live
from app.demo.story_order import order_tickets
from app.demo.story_publish import publish_copy
from app.demo.tables import show_mail_log
from app.demo.verdict import Proposal

EVENT_NAME: Final = "Harbour Conference"
DAYS_AHEAD: Final = 60


def play_story(stage: Stage, screen: Screen) -> Outcome:
    """Play it all.

    Raises:
        DemoFailure: a step or a check did not come out as it must.
        StoppedBySignal, StackError: see `Stage.wait`.
    """
    play = begin(stage, screen)
    organizer = enter_organizer(play)
    event = create_event(play, organizer, _event())
    cast = _propose_sessions(play, organizer, event, _enter_speakers(play, event))
    show_inbox(cast)
    show_arrived_mail(cast)
    mark_as_read(cast)
    cast = replace(cast, proposals=decide(cast))
    show_speakers_side(cast)
    made = [*order_tickets(cast), *invite(cast)]
    copy, checks = export_and_import(cast)
    made += [*checks, *publish_copy(cast, copy)]
    admin = _open_mail_log(cast)
    made += [*have_mail_bounce(cast, admin), *go_round_dead_server(cast, admin)]
    ana, bo = cast.speakers
    made += [*tell_live(Live(play, event, ana, bo, admin.client)), *broadcast(cast)]
    passed = run_checks(cast, admin, made)
    logins = [("organizer", organizer.login), ("speaker", cast.speakers[0].login), ("admin", stage.admin)]
    return Outcome(logins, [("checks", f"{passed} of {passed} passed"), ("mails", str(stage.mailbox.count()))])


def _event() -> JsonObject:
    opening = (datetime.now(UTC) + timedelta(days=DAYS_AHEAD)).replace(hour=9, minute=0, second=0, microsecond=0)
    return {
        "name": EVENT_NAME,
        "starts-at": opening.isoformat(),
        "ends-at": (opening + timedelta(days=1)).isoformat(),
        "timezone": "Europe/Lisbon",
        "location-name": "The old customs house",
    }


def _enter_speakers(play: Play, event: str) -> list[tuple[Person, str]]:
    """Two people with accounts, and their entries as speakers of the event."""
    entered = []
    for first, last in (("Ana", "Almeida"), ("Bo", "Berg")):
        play.screen.title(f"{first} comes to speak: registers, confirms, logs in")
        person = welcome(play.door, first, last)
        attributes = {"name": person.name, "email": person.email, "organisation": None, "country": None}
        entry = enter_speaker(person.client, event, attributes, person.id)
        play.screen.answer(entry, f"speaker {entry.id}")
        entered.append((person, entry.id))
    return entered


def _propose_sessions(play: Play, organizer: Person, event: str, entered: list[tuple[Person, str]]) -> Cast:
    """Ana proposes two sessions, Bo one for both of them; each call tells the organizer and the speakers."""
    play.screen.title("Three sessions are proposed; one has a title that nobody should trust")
    (ana, _), (bo, _) = entered
    talks = [
        (ana, entered[:1], "Telling everybody once"),
        (bo, entered, HOSTILE_TITLE),
        (ana, entered[:1], "A table is a fine queue"),
    ]
    proposals = []
    for person, speakers, title in talks:
        entries = [entry for _, entry in speakers]
        answer = propose(person.client, event, {"title": title, "short-abstract": "Half an hour."}, entries)
        play.screen.answer(answer, f"{answer.id}: {answer.data['attributes']['title']}")
        proposals.append(Proposal(answer.id, frozenset(speaker.email.lower() for speaker, _ in speakers)))
    return Cast(play, organizer, event, [ana, bo], proposals)


def _open_mail_log(cast: Cast) -> Person:
    """The admin logs in, waits until no mail is left to send, and looks."""
    play = cast.play
    play.screen.title("The admin reads the log of all mails")
    login = play.stage.admin
    admin = Person("Admin", login, "", log_in(play.door, login))
    await_no_open_mail(play, admin.client)
    show_mail_log(play.screen, admin.client)
    return admin
