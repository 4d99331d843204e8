"""What follows from events that are known to be a mail's: its status, and whether its address is written to again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from app.delivery.inbound.events import RECORDED_ONLY, MailEvent
from app.delivery.inbound.matching import SIGNED, KnownMail, key_of
from app.delivery.recipients.suppression_list import Cause, count_soft_bounces, forget, lift, put
from app.delivery.states import next_status
from app.models.mail import BOUNCED, COMPLAINED, DELIVERED, REJECTED, SENT
from app.models.suppression import COMPLAINT, HARD_BOUNCE, SOFT_BOUNCES

# What an admin sees as the reason beside the status.
_WITH_REASON: Final = frozenset({BOUNCED, COMPLAINED, REJECTED})
# An `uncertain` mail that a provider tells of had been taken.
_MOVE: Final = text(
    """
    UPDATE mails SET status = told.status, sent_at = coalesce(mails.sent_at, told.time), secret = NULL,
        error_class = NULL, doubts = 0,
        provider_message_id = coalesce(mails.provider_message_id, told.provider_message_id),
        last_error = coalesce(told.reason, mails.last_error)
    FROM unnest(
        CAST(:ids AS bigint[]), CAST(:statuses AS text[]), CAST(:times AS timestamptz[]), CAST(:names AS text[]),
        CAST(:reasons AS text[])
    ) AS told (id, status, time, provider_message_id, reason)
    WHERE mails.id = told.id
    """
)


@dataclass(frozen=True, slots=True)
class Told:
    """An event, and the mail that it is about."""

    event: MailEvent
    mail: KnownMail | None


@dataclass(slots=True)
class _Outcome:
    """What a list of events comes to; addresses are in lower case."""

    moved: dict[int, tuple[str, MailEvent]] = field(default_factory=dict)
    arrived: dict[str, datetime] = field(default_factory=dict)
    soft: list[Cause] = field(default_factory=list)
    causes: list[Cause] = field(default_factory=list)


def apply(connection: Connection, told: Sequence[Told]) -> int:
    """Do what follows from events, in their order; return how many mails have another status. The caller commits."""
    outcome = _Outcome()
    for each in told:
        if each.mail is not None:
            _move(outcome, each.event, each.mail)
            outcome.causes.extend(_causes(each.event, each.mail))
    if outcome.moved:
        _write(connection, outcome.moved)
    forget(connection, outcome.arrived)
    count_soft_bounces(connection, outcome.soft)
    put(connection, outcome.causes)
    lift(connection, outcome.arrived)
    return len(outcome.moved)


def _move(outcome: _Outcome, event: MailEvent, mail: KnownMail) -> None:
    """Take the mail a step further, if the event says so and the states allow it.

    Only a step counts for the soft bounces: what is told of one mail twice, by two ways, is one bounce.
    """
    if event.kind in RECORDED_ONLY or not mail.is_to(event.recipient):
        return
    # A provider that goes on trying has the mail.
    status = next_status(mail.status, SENT if event.kind == "deferred" else event.kind)
    if status == mail.status:
        return
    mail.status = status
    outcome.moved[mail.id] = (status, event)
    address = key_of(mail.recipient)
    if status == DELIVERED:
        outcome.arrived[address] = max(event.at, outcome.arrived.get(address, event.at))
        outcome.soft = [bounce for bounce in outcome.soft if bounce.address != address]
    elif status == BOUNCED and not event.is_permanent:
        outcome.soft.append(Cause(address, SOFT_BOUNCES, event.text, mail.id))


def _causes(event: MailEvent, mail: KnownMail) -> Iterator[Cause]:
    """Why no more mail is to go to an address: a fault that will not pass, or a complaint.

    Anybody who got a mail can forge a report that came by mail about the others who got it, so only a provider that
    signs is believed about blind copies.
    """
    is_of_recipient = mail.is_to(event.recipient)
    if event.is_permanent and (is_of_recipient or (event.provider in SIGNED and mail.is_copy_to(event.recipient))):
        # SendGrid drops what goes to people who complained before: the reason is in its words.
        is_complaint = event.kind == "complained" or "spam report" in event.text.lower()
        address = mail.recipient if is_of_recipient else event.recipient or mail.recipient
        yield Cause(key_of(address), COMPLAINT if is_complaint else HARD_BOUNCE, event.text, mail.id)


def _write(connection: Connection, moved: dict[int, tuple[str, MailEvent]]) -> None:
    ids = sorted(moved)
    last = [moved[id_] for id_ in ids]
    connection.execute(
        _MOVE,
        {
            "ids": ids,
            "statuses": [status for status, _ in last],
            "times": [event.at for _, event in last],
            "names": [event.provider_message_id for _, event in last],
            "reasons": [event.text or None if status in _WITH_REASON else None for status, event in last],
        },
    )
