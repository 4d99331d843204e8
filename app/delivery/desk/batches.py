"""An operator's deed with any number of mails: batch after batch, each committed, so that none locks them all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import scoped_session

from app.api.helpers.log import record_activity
from app.api.viewer import current_viewer
from app.delivery.desk.deeds import Deed
from app.delivery.desk.work import Done, do, foresee
from app.delivery.handover import IDS_PER_TASK, ask_to_drain, hand_over
from app.models.mail import QUEUED, Mail

# Mails in one transaction.
BATCH: Final = 1000
# How many ids of changed and of skipped mails a report has; the rest is only counted.
LISTED: Final = 1000


@dataclass(frozen=True)
class Words:
    """Who does it, for the timeline and the log of activities, and why."""

    by: str
    reason: str = ""


@dataclass
class Report:
    """What was done in all batches.

    Attributes:
        changed: how many mails were changed.
        ids: the first ones of those.
        skipped: how many were not.
        reasons: the first ones of those, and why.
        causes: why the changed ones had to be; see `Done`.
        is_complete: False if there are more than the caller wanted to do at once.
    """

    changed: int = 0
    ids: list[int] = field(default_factory=list)
    skipped: int = 0
    reasons: dict[int, str] = field(default_factory=dict)
    causes: dict[str, tuple[int, str]] = field(default_factory=dict)
    is_complete: bool = True

    def add(self, done: Done) -> None:
        """Add what was done in a batch."""
        self.changed += len(done.changed)
        self.ids += done.changed[: LISTED - len(self.ids)]
        self.skipped += len(done.skipped)
        self.reasons |= dict(islice(done.skipped.items(), LISTED - len(self.reasons)))
        for name, (count, words) in done.causes.items():
            before, first = self.causes.get(name, (0, words))
            self.causes[name] = (before + count, first)


def in_batches(ids: Iterable[int]) -> Iterator[Sequence[int]]:
    """These mails, each once."""
    once = list(dict.fromkeys(ids))
    for start in range(0, len(once), BATCH):
        yield once[start : start + BATCH]


def matching(session: scoped_session[Any], conditions: Iterable[ColumnElement[bool]]) -> Iterator[Sequence[int]]:
    """The mails that meet all conditions, the oldest first; one that comes to meet them later may be among them."""
    wanted = list(conditions)
    last = 0
    while ids := session.scalars(select(Mail.id).where(Mail.id > last, *wanted).order_by(Mail.id).limit(BATCH)).all():
        yield ids
        last = ids[-1]


def do_all(
    session: scoped_session[Any],
    deed: Deed,
    batches: Iterable[Sequence[int]],
    words: Words,
    at_most: int | None = None,
) -> Report:
    """Do a deed with each batch and commit it, with a sentence in the log of activities; retried mails are handed over.

    Args:
        session: the application's; with nothing in it that is not to be committed.
        deed: what to do.
        batches: of ids.
        words: who does it, and why.
        at_most: stop when so many mails have been changed; the report then says that there are more.
    """
    report = Report()
    for ids in batches:
        if at_most is not None and report.changed >= at_most:
            report.is_complete = False
            break
        done = do(session.connection(), deed, ids, words.by, words.reason)
        if done.changed:
            actor = current_viewer().user or words.by
            record_activity("change_mails", actor, deed=deed.said, mails=_named(done, words.reason))
        session.commit()
        report.add(done)
        if deed.status == QUEUED:
            _tell_workers(done.changed)
    return report


def _tell_workers(ids: Sequence[int]) -> None:
    """Few are named; of many a worker is told that there is something to do, and finds them in the table."""
    if len(ids) <= IDS_PER_TASK:
        hand_over(ids)
    else:
        ask_to_drain()


def foresee_all(session: scoped_session[Any], deed: Deed, batches: Iterable[Sequence[int]]) -> Report:
    """What would be done; nothing is changed."""
    report = Report()
    for ids in batches:
        report.add(foresee(session.connection(), deed, ids))
        session.rollback()
    return report


def _named(done: Done, reason: str) -> str:
    """`mail 7 (reason)`, or `12 mails`."""
    named = f"mail {done.changed[0]}" if len(done.changed) == 1 else f"{len(done.changed)} mails"
    return f"{named} ({reason})" if reason else named
