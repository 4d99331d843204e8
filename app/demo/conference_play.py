"""The large play: a whole conference from a file, told to everybody in it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from app.demo.client import Client, JsonObject
from app.demo.conference import Conference, Speaker, Talk
from app.demo.failure import DemoFailure
from app.demo.inbox import OPEN_STATUSES, mail_log, mails_with
from app.demo.people import Person, log_in
from app.demo.play import (
    Outcome,
    Play,
    begin,
    change_session,
    create_event,
    enter_organizer,
    enter_speaker,
    propose,
)
from app.demo.screen import Screen
from app.demo.stage import Stage
from app.demo.tables import show_mail_log, show_notifications
from app.demo.verdict import Proposal, organizer_told, sent_and_arrived, speakers_told

ACCEPTED: Final = "accepted"
# As long as mails go on leaving there is nothing to complain of, however many there are.
STALLED_SECONDS: Final = 60.0
NEWEST: Final = "?page[size]=5"


def play_conference(stage: Stage, screen: Screen, conference: Conference) -> Outcome:
    """Play it all.

    Raises:
        DemoFailure: a step or a check did not come out as it must.
        StoppedBySignal, StackError: see `Stage.wait`.
    """
    play = begin(stage, screen)
    organizer = enter_organizer(play)
    event = create_event(play, organizer, _event(conference))
    begun = time.monotonic()
    screen.title(f"The whole of {conference.name}")
    entries = _enter_speakers(play, organizer, event, conference.speakers)
    proposals = _propose_all(play, organizer, event, conference, entries)
    proposals = _accept_all(play, organizer, conference, proposals)
    admin = log_in(play.door, stage.admin)
    _await_all_mails(play, admin)
    seconds = time.monotonic() - begun
    _look_around(play, organizer, admin)
    _check(play, organizer, admin, proposals)
    return Outcome([("organizer", organizer.login), ("admin", stage.admin)], _figures(play, proposals, seconds))


def _event(conference: Conference) -> JsonObject:
    return {
        "name": conference.name,
        "starts-at": conference.starts_at,
        "ends-at": conference.ends_at,
        "timezone": conference.timezone,
        "location-name": conference.location,
    }


def _enter_speakers(play: Play, organizer: Person, event: str, speakers: tuple[Speaker, ...]) -> dict[str, str]:
    """Enter them all, as people without an account; give the server's id for each of the file's."""
    entries = {}
    with play.screen.progress() as progress:
        for speaker in progress.track(speakers, description="speakers entered"):
            attributes = {
                "name": speaker.name,
                "email": speaker.email,
                "organisation": speaker.organisation,
                "country": speaker.country,
            }
            entries[speaker.id] = enter_speaker(organizer.client, event, attributes, None).id
    return entries


def _propose_all(
    play: Play, organizer: Person, event: str, conference: Conference, entries: Mapping[str, str]
) -> list[Proposal]:
    proposals = []
    with play.screen.progress() as progress:
        for talk in progress.track(conference.talks, description="sessions proposed"):
            speakers = [entries[speaker.id] for speaker in talk.speakers]
            answer = propose(organizer.client, event, _session(talk), speakers)
            proposals.append(Proposal(answer.id, talk.addresses))
    return proposals


def _session(talk: Talk) -> JsonObject:
    return {
        "title": talk.title,
        "short-abstract": talk.abstract,
        "starts-at": talk.starts_at,
        "ends-at": talk.ends_at,
    }


def _accept_all(play: Play, organizer: Person, conference: Conference, proposals: list[Proposal]) -> list[Proposal]:
    """Accept what the file says was accepted; the proposals in the same order, those marked as decided."""
    chosen = [number for number, talk in enumerate(conference.talks) if talk.state == ACCEPTED]
    decided = list(proposals)
    with play.screen.progress() as progress:
        for number in progress.track(chosen, description="sessions accepted"):
            change_session(organizer.client, proposals[number].id, {"state": ACCEPTED})
            decided[number] = replace(proposals[number], decided=True)
    return decided


def _await_all_mails(play: Play, admin: Client) -> None:
    """Wait until no mail is left to send.

    Raises:
        DemoFailure: none left for a minute, though some were waiting.
    """
    with play.screen.progress() as progress:
        bar = progress.add_task("mails sent", total=admin.count("/v1/mails"))
        left = mails_with(admin, *OPEN_STATUSES)
        while left:
            left = _await_fewer(play, admin, left)
            progress.update(bar, completed=mails_with(admin, "sent"))
        progress.update(bar, completed=mails_with(admin, "sent"))


def _await_fewer(play: Play, admin: Client, waiting: int) -> int:
    """Wait until fewer mails than before are left to send; give how many."""
    what = f"one of {waiting} waiting mails to leave"
    play.stage.wait(lambda: mails_with(admin, *OPEN_STATUSES) < waiting, what, STALLED_SECONDS)
    return mails_with(admin, *OPEN_STATUSES)


def _look_around(play: Play, organizer: Person, admin: Client) -> None:
    """A few rows of what is now there in hundreds."""
    play.screen.title("The organizer's inbox and the admin's log of mails, the newest rows")
    show_notifications(play.screen, organizer, NEWEST)
    show_mail_log(play.screen, admin, NEWEST)


def _check(play: Play, organizer: Person, admin: Client, proposals: list[Proposal]) -> None:
    play.screen.title("Checks")
    log = mail_log(admin)
    for check in organizer_told(organizer, proposals, log):
        play.screen.check(check)
    for check in speakers_told(organizer, proposals, log):
        play.screen.check(check)
    for check in sent_and_arrived(admin, play.stage.mailbox, log):
        play.screen.check(check)


def _figures(play: Play, proposals: list[Proposal], seconds: float) -> list[tuple[str, str]]:
    mails = play.stage.mailbox.count()
    if not mails:
        raise DemoFailure("the mails of a conference", "some", "none")
    return [
        ("sessions", str(len(proposals))),
        ("requests", str(play.door.visitor.wire.sent)),
        ("mails", str(mails)),
        ("seconds", f"{seconds:.1f}, from the first speaker to the last mail"),
        ("mails/s", f"{mails / seconds:.0f}, while the requests came in"),
    ]
