"""The middle of the small play: what the organizer, the speakers and the admin see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from app.demo.cast import Cast
from app.demo.client import document
from app.demo.failure import DemoFailure
from app.demo.inbox import counts, session_of, to_counts
from app.demo.mailbox import CaughtMail
from app.demo.people import MAILS_OF_REGISTERING, Person
from app.demo.play import Play, change_session
from app.demo.tables import clock, show_notifications
from app.demo.verdict import Proposal


def show_inbox(cast: Cast) -> None:
    """The organizer's notifications, as the API gives them."""
    cast.play.screen.title("The organizer's inbox: there when the request returned")
    show_notifications(cast.play.screen, cast.organizer)


def show_arrived_mail(cast: Cast) -> None:
    """One mail that told the organizer, as it arrived."""
    play = cast.play
    play.screen.title("One of the mails, as it arrived")
    play.screen.mail(_await_mails_about(play, cast.organizer, cast.proposals)[0])


def mark_as_read(cast: Cast) -> None:
    """The organizer reads one notification."""
    screen, organizer = cast.play.screen, cast.organizer
    screen.title("The organizer marks one as read")
    before = counts(organizer)
    newest = organizer.client.get(f"/v1/users/{organizer.id}/notifications?page[size]=1").data[0]
    path = f"/v1/notifications/{newest['id']}"
    answer = organizer.client.patch(path, document("notification", {"is-read": True}, id_=newest["id"]))
    screen.answer(answer, f"read at {clock(answer.data['attributes']['read-at'])}")
    counted = organizer.client.get(f"/v1/users/{organizer.id}/notifications/count")
    after = to_counts(counted.meta)
    screen.answer(counted, f"{before.unread} unread before, {after.unread} now")
    if (after.all, after.unread) != (before.all, before.unread - 1):
        raise DemoFailure("the counts after one was read", f"{before.unread - 1} unread of {before.all}", str(after))


def decide(cast: Cast) -> list[Proposal]:
    """The organizer rejects the first session and accepts the second; the third waits."""
    cast.play.screen.title("The organizer rejects one session and accepts another")
    decided = list(cast.proposals)
    for number, state in enumerate(("rejected", "accepted")):
        answer = change_session(cast.organizer.client, decided[number].id, {"state": state})
        cast.play.screen.answer(answer, f"{answer.data['attributes']['state']}")
        decided[number] = replace(decided[number], decided=True)
    return decided


def show_speakers_side(cast: Cast) -> None:
    """What each speaker was told, in the app and by mail."""
    screen = cast.play.screen
    for speaker in cast.speakers:
        screen.title(f"What {speaker.name} was told")
        show_notifications(cast.play.screen, speaker)
        own = [proposal for proposal in cast.proposals if speaker.email.lower() in proposal.addresses]
        for mail in _await_mails_about(cast.play, speaker, own):
            screen.say(f"by mail: {mail.subject}", "cyan")


def _await_mails_about(play: Play, person: Person, proposals: Sequence[Proposal]) -> list[CaughtMail]:
    """The person's mails about sessions: one for each proposal, and one for each decision if a speaker."""
    decided = sum(proposal.decided and person.email.lower() in proposal.addresses for proposal in proposals)
    expected = MAILS_OF_REGISTERING + len(proposals) + decided
    what = f"{expected} mails for {person.email}"
    with play.screen.waiting(f"waiting for {what}"):
        play.stage.wait(lambda: len(play.stage.mailbox.to(person.email)) >= expected, what)
    return [mail for mail in play.stage.mailbox.to(person.email) if session_of(mail.text)]
