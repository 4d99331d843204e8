"""The checks that both plays end with: everybody was told exactly once, and what was sent is what arrived."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from app.demo.checks import Check, equal, exactly_once, same
from app.demo.client import Client, JsonObject
from app.demo.inbox import DECISION, NEW_SESSION, Told, mails_with, notifications, told_by_mail
from app.demo.mailbox import Mailbox
from app.demo.people import Person


@dataclass(frozen=True)
class Proposal:
    """A session as it was proposed.

    Attributes:
        id: what the server calls it.
        addresses: of its speakers, in lower case.
        decided: whether it was accepted or rejected.
    """

    id: str
    addresses: frozenset[str]
    decided: bool = False


def organizer_told(organizer: Person, proposals: Sequence[Proposal], log: Sequence[JsonObject]) -> Iterator[Check]:
    """The organizer has exactly one notification and one mail for each session."""
    wanted = [(organizer.id, proposal.id) for proposal in proposals]
    yield exactly_once("organizer: one notification a session", wanted, notifications(organizer, NEW_SESSION))
    address = organizer.email.lower()
    mails = [told for told in told_by_mail(log, NEW_SESSION) if told[0] == address]
    yield exactly_once("organizer: one mail a session", [(address, proposal.id) for proposal in proposals], mails)


def speakers_told(organizer: Person, proposals: Sequence[Proposal], log: Sequence[JsonObject]) -> Iterator[Check]:
    """Every address of a session's speakers got one mail that it was proposed, and one when it was decided."""
    others = [told for told in told_by_mail(log, NEW_SESSION) if told[0] != organizer.email.lower()]
    yield exactly_once("speakers: one mail a session and address", _wanted(proposals), others)
    decided = [proposal for proposal in proposals if proposal.decided]
    mails = told_by_mail(log, DECISION)
    yield exactly_once("speakers: one mail a decision and address", _wanted(decided), mails)


def sent_and_arrived(admin: Client, mailbox: Mailbox, log: Sequence[JsonObject]) -> Iterator[Check]:
    """No mail is left or was refused; the catcher has the very mails of the log, and as many as were sent."""
    sent = mails_with(admin, "sent")
    yield equal("every mail of the log was sent", len(log), sent)
    yield equal("as many .eml files as mails sent", sent, mailbox.count())
    logged = ((mail["recipient"].lower(), " ".join(mail["subject"].split())) for mail in log)
    arrived = ((mail.recipient, mail.subject) for mail in mailbox.mails())
    yield same("each mail of the log arrived, and no other", logged, arrived)


def _wanted(proposals: Iterable[Proposal]) -> list[Told]:
    return [(address, proposal.id) for proposal in proposals for address in proposal.addresses]
