"""Reminders: an event begins within a week, an event was over yesterday. A row of `reminders` is the marker.

The marker is written in the transaction of the messages: both are there, or neither. It is of the event, not of its
times: whoever moves an event after people were told does not have them told again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, and_, exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import InstrumentedAttribute

from app.api.helpers.event_messages import event_link, in_batch, people_of
from app.api.helpers.mail import send_email_after_event, send_email_next_event
from app.api.helpers.notification import About, send_notif_after_event, send_notif_next_event
from app.language import Labelled, Listing, Moment, Value, msg
from app.models import Event, EventRole, Reminder, db
from app.models import reminder as kinds
from app.models.event import OWNER, PUBLISHED
from app.models.mail import AFTER_EVENT, NEXT_EVENT
from app.periodic.clock import days_later, is_place
from app.periodic.work import Outcome, each, hold_event, tell_all

# As many as one run takes up; the rest is the next one's.
BATCH: Final = 1000
# How far so many days on a wall clock may be from so many times 24 hours, where a place crosses the date line.
DATE_LINE: Final = timedelta(hours=26)
# Events that a mail about a past one names as next.
MOST_NAMED: Final = 3
NO_EVENTS: Final = msg("none at the moment")


@dataclass(frozen=True)
class Kind:
    """A kind of reminder: due from so many days after a time of the event until so many, on its place's clocks."""

    marker: str
    action: str
    time: InstrumentedAttribute[datetime]
    opens: int
    closes: int
    tell: Callable[[Event, datetime], Outcome]

    def is_due(self, time: datetime, timezone: str, now: datetime) -> bool:
        """Whether now is between the two."""
        return days_later(time, self.opens, timezone) <= now < days_later(time, self.closes, timezone)

    def may_be_due(self, now: datetime) -> ColumnElement[bool]:
        """The same without the place's clocks, and wider, as a condition that an index answers."""
        return and_(
            self.time > now - timedelta(days=self.closes) - DATE_LINE,
            self.time <= now - timedelta(days=self.opens) + DATE_LINE,
        )


def remind_of_next(now: datetime) -> Iterator[Outcome]:
    """Tell the organizers and speakers of events that begin within a week."""
    return _remind(_NEXT, now)


def remind_of_past(now: datetime) -> Iterator[Outcome]:
    """Thank the organizers and speakers of events that ended a day ago; after a week it is too late."""
    return _remind(_PAST, now)


def _remind(kind: Kind, now: datetime) -> Iterator[Outcome]:
    was_told = exists().where(Reminder.event_id == Event.id, Reminder.kind == kind.marker)
    statement = (
        select(Event.id, kind.time.label("time"), Event.timezone)
        .where(Event.state == PUBLISHED, Event.deleted_at.is_(None), kind.may_be_due(now), ~was_told)
        .order_by(kind.time)
        .limit(BATCH)
    )
    rows: list[Row[Any]] = list(db.session.execute(statement))
    return each(kind.action, rows, lambda row: _remind_one(kind, row, now))


def _remind_one(kind: Kind, row: Row[Any], now: datetime) -> Outcome | None:
    if not kind.is_due(row.time, row.timezone, now):
        return None
    event = hold_event(row.id)
    # It may have changed since the list was made.
    if event is None or event.state != PUBLISHED:
        return None
    if not kind.is_due(getattr(event, kind.time.key), event.timezone, now):
        return None
    values = {"event_id": event.id, "kind": kind.marker, "sent_at": now}
    marker = insert(Reminder).values(values).on_conflict_do_nothing().returning(Reminder.event_id)
    return None if db.session.scalar(marker) is None else kind.tell(event, now)


def _tell_of_next(event: Event, _now: datetime) -> Outcome:
    accounts, addresses = people_of(event)
    name, link, what = event.name, event_link(event), _named(event)
    about = _about(event, link)
    notifications = tell_all(accounts, lambda user: send_notif_next_event(user, name, what, link, about))
    sending = in_batch(event, NEXT_EVENT)
    mails = tell_all(addresses, lambda to: send_email_next_event(to, name, what, link, sending))
    return Outcome(NEXT_EVENT, name, mails, notifications)


def _tell_of_past(event: Event, now: datetime) -> Outcome:
    accounts, addresses = people_of(event)
    name, about, following = event.name, _about(event, event_link(event)), _following(event, now)
    notifications = tell_all(accounts, lambda user: send_notif_after_event(user, name, about))
    sending = in_batch(event, AFTER_EVENT)
    mails = tell_all(addresses, lambda to: send_email_after_event(to, name, following, sending))
    return Outcome(AFTER_EVENT, name, mails, notifications)


def _following(event: Event, now: datetime) -> Listing:
    """The next published events of this one's owner."""
    owners = select(EventRole.user_id).where(EventRole.event_id == event.id, EventRole.role == OWNER)
    owned = select(EventRole.event_id).where(EventRole.user_id.in_(owners), EventRole.role == OWNER)
    events = db.session.scalars(
        select(Event)
        .where(Event.id.in_(owned), Event.state == PUBLISHED, Event.deleted_at.is_(None), Event.starts_at > now)
        .order_by(Event.starts_at)
        .limit(MOST_NAMED)
    )
    # The time of one that cannot be told must not keep this one's people from being told.
    return Listing([_named(following) for following in events if is_place(following.timezone)], NO_EVENTS)


def _named(event: Event) -> Value:
    return Labelled(event.name, Moment(event.starts_at, event.timezone))


def _about(event: Event, link: str) -> About:
    return About(link=link, data={"event-id": str(event.id)}, event=event)


_NEXT: Final = Kind(kinds.NEXT_EVENT, NEXT_EVENT, Event.starts_at, -7, 0, _tell_of_next)
_PAST: Final = Kind(kinds.AFTER_EVENT, AFTER_EVENT, Event.ends_at, 1, 8, _tell_of_past)
