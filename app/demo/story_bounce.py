"""A step of the small play: a mail comes back, and both the admin and the person it was for see why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from app.demo.cast import Cast
from app.demo.checks import Check, equal
from app.demo.inbox import mails_to
from app.demo.people import Person, log_in, register
from app.demo.tables import show_timeline

# A simulated recipient: no mail leaves for it, and what a mail server would tell is recorded.
ADDRESS: Final = "bounced@simulator.test"
SUPPRESSIONS: Final = f"/v1/suppressions?filter[address]={ADDRESS}"


def have_mail_bounce(cast: Cast, admin: Person) -> list[Check]:
    """Finn's mail comes back; the admin looks why, and lets mail go to him again."""
    cast.play.screen.title("Finn registers with an address that does not exist: his mail comes back")
    finn = register(cast.play.door, "Finn", "Falk", ADDRESS)
    entries = show_timeline(cast.play.screen, admin.client, _await_return(cast, admin))
    told = [entry["event"] for entry in entries]
    cast.play.screen.say(f"{entries[-1]['code']} {entries[-1]['text']}", "cyan")
    finn = replace(finn, client=log_in(cast.play.door, finn.login))
    return [
        equal("the timeline of a mail that came back", "queued, sending, sent, bounced", ", ".join(told)),
        equal("the code that it came back with", 550, entries[-1]["code"]),
        *_let_go_again(cast, admin, finn),
    ]


def _await_return(cast: Cast, admin: Person) -> str:
    """Wait until no mail to Finn is under way any more; give the id of the first.

    The second comes back too, or is not sent at all: it depends on whether the first was back before it left.
    """
    what = f"the mails to {ADDRESS} to come back"

    def have_ended() -> bool:
        mails = mails_to(admin.client, ADDRESS)
        return all(mail["attributes"]["status"] in ("bounced", "suppressed") for mail in mails)

    with cast.play.screen.waiting(f"waiting for {what}"):
        cast.play.stage.wait(have_ended, what)
    return str(mails_to(admin.client, ADDRESS)[-1]["id"])


def _let_go_again(cast: Cast, admin: Person, finn: Person) -> Iterator[Check]:
    """The address is on the suppression list, and Finn sees it, until the admin takes it off."""
    screen = cast.play.screen
    yield equal("Finn reads on his account why no mail comes", "hard-bounce", _problem(cast, finn))
    listed = admin.client.get(SUPPRESSIONS)
    reasons = [entry["attributes"]["reason"] for entry in listed.data]
    screen.answer(listed, f"{ADDRESS}: {', '.join(reasons)}")
    yield equal("the suppression list has his address", "hard-bounce", ", ".join(reasons))
    screen.answer(admin.client.delete(f"/v1/suppressions/{listed.data[0]['id']}"), "mail goes to it again")
    yield equal("what he reads when the admin took it off the list", "nothing", _problem(cast, finn))


def _problem(cast: Cast, person: Person) -> str:
    """What a person reads of why mail does not reach him."""
    answer = person.client.get(f"/v1/users/{person.id}")
    problem = answer.data["attributes"]["email-problem"]
    reason = str(problem["reason"]) if problem else "nothing"
    cast.play.screen.answer(answer, f"email-problem: {reason}")
    return reason
