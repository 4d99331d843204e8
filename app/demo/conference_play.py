"""The large play: a whole conference from a file, imported in one call, then published to everybody in it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from app.demo.checks import Check
from app.demo.client import Client, document
from app.demo.conference import Conference
from app.demo.conference_checks import Imported, publishing_told_each_once, told_of_import_alone, whole_event_is_there
from app.demo.inbox import OPEN_STATUSES, mail_log, mails_with
from app.demo.people import Person, log_in, welcome
from app.demo.play import Outcome, Play, await_no_open_mail, begin, enter_organizer
from app.demo.screen import Screen
from app.demo.stage import Stage
from app.demo.story_live import Live, tell_live
from app.demo.tables import show_mail_log, show_notifications
from app.demo.transfers import await_mail, import_file
from app.demo.verdict import sent_and_arrived

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
    begun = time.monotonic()
    imported = _import(play, organizer, conference)
    seconds = time.monotonic() - begun
    admin = log_in(play.door, stage.admin)
    _look_at_draft(play, imported, admin)
    begun = time.monotonic()
    _publish(play, imported, admin)
    mails_seconds = time.monotonic() - begun
    _look_around(play, organizer, admin)
    play.screen.title("Lena comes to hear of the sessions: registers, confirms, logs in")
    live = Live(play, imported.event, welcome(play.door, "Lena", "Lund"), organizer, admin)
    made = tell_live(live)
    _check(play, imported, admin, made)
    figures = [
        ("sessions", str(len(conference.content.sessions))),
        ("speakers", str(len(conference.content.speakers))),
        ("import", f"{seconds:.1f} s, from the file to the draft"),
        ("mails", str(stage.mailbox.count())),
        ("publishing", f"{mails_seconds:.1f} s, until the last mail of it had left"),
    ]
    return Outcome([("organizer", organizer.login), ("admin", stage.admin)], figures)


def _import(play: Play, organizer: Person, conference: Conference) -> Imported:
    play.screen.title(f"The whole of {conference.content.name} is imported in one call")
    event = import_file(play, organizer, conference.filename, conference.file)
    return Imported(conference, organizer, event)


def _look_at_draft(play: Play, imported: Imported, admin: Client) -> None:
    """The organizer is told, and finds it all; nobody else is told of anything."""
    play.screen.title("The organizer is told of it once, and finds a draft")
    play.screen.mail(await_mail(play, imported.organizer, "was imported"))
    await_no_open_mail(play, admin)
    answer = imported.organizer.client.get(f"/v1/events/{imported.event}")
    play.screen.answer(answer, answer.data["attributes"]["state"])
    for check in whole_event_is_there(imported):
        play.screen.check(check)
    for check in told_of_import_alone(imported, mail_log(admin)):
        play.screen.check(check)


def _publish(play: Play, imported: Imported, admin: Client) -> None:
    play.screen.title("The organizer publishes it: everybody in it is told")
    path = f"/v1/events/{imported.event}"
    answer = imported.organizer.client.patch(path, document("event", {"state": "published"}, id_=imported.event))
    play.screen.answer(answer, answer.data["attributes"]["state"])
    _await_all_mails(play, admin)


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


def _check(play: Play, imported: Imported, admin: Client, made: Sequence[Check]) -> None:
    play.screen.title("Checks")
    log = mail_log(admin)
    for check in publishing_told_each_once(imported, log):
        play.screen.check(check)
    for check in made:
        play.screen.check(check)
    for check in sent_and_arrived(admin, play.stage.mailbox, log):
        play.screen.check(check)
