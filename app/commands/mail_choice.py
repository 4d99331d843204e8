"""Which mails an operator means: by ids, status, action, and how long they have been so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Self

import click
from sqlalchemy import ColumnElement, exists

from app.delivery.desk.batches import in_batches, matching
from app.models import Mail, MailEvent, db
from app.models.base import utc_now
from app.models.mail import MAIL_STATUSES


@dataclass(frozen=True)
class Choice:
    """What the options of the command line choose: all that are given must hold."""

    ids: tuple[int, ...] = ()
    statuses: tuple[str, ...] = ()
    action: str | None = None
    since: timedelta | None = None

    @classmethod
    def from_options(
        cls,
        ids: tuple[int, ...] = (),
        status: str | None = None,
        action: str | None = None,
        since: timedelta | None = None,
    ) -> Self:
        """The choice, checked.

        Raises:
            click.UsageError: there is no such status, or ids are given with something else.
        """
        if status is not None and status not in MAIL_STATUSES:
            raise click.UsageError(f"--status must be one of: {', '.join(MAIL_STATUSES)}.")
        if ids and (status or action or since):
            raise click.UsageError("--id names the mails: leave --status, --action and --since out.")
        return cls(tuple(dict.fromkeys(ids)), (status,) if status else (), action, since)

    def needs_something(self) -> None:
        """See that not simply all mails are meant.

        Raises:
            click.UsageError: they are.
        """
        if self == type(self)():
            raise click.UsageError("Name the mails: by --id, --status, --action or --since.")

    def with_default(self, statuses: tuple[str, ...]) -> Self:
        """The same, of these statuses where none is named."""
        return self if self.ids or self.statuses else replace(self, statuses=statuses)

    def batches(self) -> Iterator[Sequence[int]]:
        """The ids of the mails, batch after batch."""
        return in_batches(self.ids) if self.ids else matching(db.session, self.conditions())

    def conditions(self) -> list[ColumnElement[bool]]:
        """The choice as SQL."""
        found: list[ColumnElement[bool]] = []
        if self.ids:
            found.append(Mail.id.in_(self.ids))
        if self.statuses:
            found.append(Mail.status.in_(self.statuses))
        if self.action is not None:
            found.append(Mail.action == self.action)
        if self.since is not None:
            lately = MailEvent.time > utc_now() - self.since
            found.append(exists().where(MailEvent.mail_id == Mail.id, MailEvent.event == Mail.status, lately))
        return found
