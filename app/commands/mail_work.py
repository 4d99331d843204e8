"""What `manage.py mail` does with mails, and how it tells what was done and what was not."""

from __future__ import annotations

from collections import Counter
from typing import Final

import click

from app.api.helpers.templates import one_line
from app.commands.mail_choice import Choice
from app.delivery.desk.batches import Report, Words, do_all, foresee_all
from app.delivery.desk.deeds import Deed
from app.models import db

# Who it was, for the timeline.
BY: Final = "manage.py"


def carry_out(deed: Deed, choice: Choice, reason: str, *, dry_run: bool) -> None:
    """Do a deed with the mails that are chosen, and print what was done, by cause, and what was not, by reason.

    Raises:
        click.ClickException: a mail that was named by its id was left as it is.
    """
    if dry_run:
        report = foresee_all(db.session, deed, choice.batches())
    else:
        report = do_all(db.session, deed, choice.batches(), Words(BY, reason))
    _tell(report, f"Would be {deed.said[0].lower()}{deed.said[1:]}" if dry_run else deed.said)
    if choice.ids and report.skipped:
        raise click.ClickException(f"{_mails(report.skipped)} left as before.")


def _tell(report: Report, said: str) -> None:
    click.echo(f"{said}: {_mails(report.changed)}.")
    for name, (count, words) in sorted(report.causes.items(), key=lambda item: -item[1][0]):
        click.echo(f"{count:>8}  {name:<13}  {one_line(words)}".rstrip())
    if report.skipped:
        click.echo(f"Not: {_mails(report.skipped)}.")
        for why, count in Counter(report.reasons.values()).most_common():
            click.echo(f"{count:>8}  {_first(report, why)}: {why}")
        if report.skipped > len(report.reasons):
            click.echo(f"{report.skipped - len(report.reasons):>8}  more")


def _first(report: Report, why: str) -> str:
    """The first mails that were left as they are for this reason."""
    ids = [str(id_) for id_, reason in report.reasons.items() if reason == why]
    return ", ".join(ids[:5]) + (", …" if len(ids) > 5 else "")  # noqa: PLR2004 - enough to look at


def _mails(count: int) -> str:
    return "1 mail" if count == 1 else f"{count} mails"
