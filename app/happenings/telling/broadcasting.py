"""Broadcasts: whom one is for, how it is sent, and how far it has come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select

from app.api.helpers.batches import create_batch
from app.api.helpers.happenings import notify_happening
from app.delivery.states import TAKEN
from app.happenings.audience import Audience, everyone, find, role_on, speakers_of, ticket_holders_of
from app.happenings.declared import EVENT_BROADCAST, PLATFORM_BROADCAST
from app.models import Broadcast, Event, Happening, Mail, User, db
from app.models.base import utc_now
from app.models.broadcast import DRAFT, EVERYONE, ROLES, SENDING, SPEAKERS
from app.models.mail import CANCELLED

# Broadcasts that the managers of one event may send within `PERIOD`: each is a mail to everybody who comes to it.
AT_MOST: Final = 20
PERIOD: Final = timedelta(days=1)


@dataclass(frozen=True)
class Figures:
    """The numbers of a broadcast.

    Attributes:
        recipients: how many it is for: of a draft now, of what was sent as it was then, or, of many people, as it was
            when the workers began.
        told: how many of them were told so far.
        mails: how many mails were made for them; of a list, when they were told.
        mails_sent: how many of those were taken by a mail server; None where they were not counted.
        mails_stopped: how many were cancelled before they left; likewise.
    """

    recipients: int
    told: int
    mails: int
    mails_sent: int | None = None
    mails_stopped: int | None = None


def audience_of(broadcast: Broadcast) -> Audience:
    """Whom it is for; who sends it gets it too, if he is one of them."""
    event = broadcast.event
    if broadcast.audience == EVERYONE or event is None:
        audience = everyone()
    elif broadcast.audience == ROLES:
        audience = role_on(event, *broadcast.roles)
    elif broadcast.audience == SPEAKERS:
        audience = speakers_of(event)
    else:
        audience = ticket_holders_of(event)
    return replace(audience, includes_actor=True)


def count_people(broadcast: Broadcast) -> int:
    """How many it is for now, each counted once."""
    people = find(audience_of(broadcast), Happening(event_id=broadcast.event_id)).order_by(None).subquery()
    return db.session.scalar(select(func.count()).select_from(people)) or 0


def next_moment(event: Event) -> datetime | None:
    """From when on another broadcast of an event may be sent; None for now. Others who send one wait for the answer."""
    db.session.execute(select(Event.id).where(Event.id == event.id).with_for_update(key_share=True))
    sent = select(Broadcast.sent_at).where(Broadcast.event_id == event.id, Broadcast.sent_at > utc_now() - PERIOD)
    first = db.session.scalar(sent.order_by(Broadcast.sent_at.desc()).offset(AT_MOST - 1).limit(1))
    return None if first is None else first + PERIOD


def send(broadcast: Broadcast, sender: User | None, recipients: int) -> None:
    """Make a draft a happening: few people are told with the caller's commit, many after it.

    Args:
        broadcast: a draft, whose row the caller has locked.
        sender: who does it.
        recipients: how many it is for now.

    Raises:
        HappeningError: its words cannot be told.
    """
    event = broadcast.event
    broadcast.batch = None if event is None else create_batch(broadcast.title, event, sender)
    db.session.flush()
    broadcast.happening = notify_happening(
        PLATFORM_BROADCAST if event is None else EVENT_BROADCAST,
        broadcast.title,
        broadcast.message,
        actor=sender,
        event=event,
        link=broadcast.link,
        users=audience_of(broadcast),
        batch=broadcast.batch,
    )
    broadcast.state, broadcast.sent_at, broadcast.recipients = SENDING, utc_now(), recipients
    db.session.flush()
    db.session.expire(broadcast, ["fanout"])


def figures_of(broadcasts: Sequence[Broadcast]) -> list[Figures]:
    """The numbers of each; the mails by status are counted of one alone, since there may be a million of each."""
    counted: dict[tuple[object, ...], int] = {}
    found = []
    for broadcast in broadcasts:
        if broadcast.state == DRAFT:
            key = (broadcast.audience, broadcast.event_id, *broadcast.roles)
            counted[key] = counted[key] if key in counted else count_people(broadcast)
            found.append(Figures(counted[key], 0, 0))
        else:
            found.append(_of_sent(broadcast))
    return [_with_mails(broadcasts[0], found[0])] if len(found) == 1 else found


def _of_sent(broadcast: Broadcast) -> Figures:
    fanout = broadcast.fanout
    if fanout is None:
        return Figures(broadcast.recipients or 0, 0, 0)
    # Of many people it is the worker who writes down who they are: somebody may have come or gone since it was sent.
    recipients = broadcast.recipients if fanout.recipients is None else fanout.recipients
    return Figures(recipients or 0, fanout.done, fanout.mails)


def _with_mails(broadcast: Broadcast, figures: Figures) -> Figures:
    if broadcast.happening_id is None:
        return replace(figures, mails_sent=0, mails_stopped=0)
    are_sent, are_stopped = Mail.status.in_(TAKEN), Mail.status == CANCELLED
    counts = select(func.count(), func.count().filter(are_sent), func.count().filter(are_stopped))
    made, sent, stopped = db.session.execute(counts.where(Mail.happening_id == broadcast.happening_id)).one()
    # Those that waited for whether they were needed came later; those that retention has deleted were made, too.
    return replace(figures, mails=max(figures.mails, made), mails_sent=sent, mails_stopped=stopped)
