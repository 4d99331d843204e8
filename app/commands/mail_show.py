"""Mails and their timelines as tables on a terminal; never what a mail says, or a secret."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import click
from sqlalchemy import select
from sqlalchemy.orm import load_only

from app.api.helpers.templates import one_line
from app.commands.mail_choice import Choice
from app.models import Mail, MailEvent, db

_WIDTH: Final = 160
_COLOURS: Final = {
    **dict.fromkeys(("sent", "delivered"), "green"),
    **dict.fromkeys(("failed", "bounced", "complained", "rejected"), "red"),
    **dict.fromkeys(("uncertain", "deferred", "suppressed"), "yellow"),
}
# What is shown of a mail.
_SHOWN: Final = (
    *("status", "recipient", "action", "subject", "lane_name", "time", "attempts", "retries", "next_attempt_at"),
    *("give_up_at", "sent_at", "provider", "provider_message_id", "message_id", "error_class", "last_error"),
)
_LISTED: Final = ("id", "time", "recipient", "action", "status", "attempts", "last_error")


def show_mail(mail_id: int) -> None:
    """Print what is known of a mail, and its timeline.

    Raises:
        click.ClickException: there is no such mail.
    """
    mail = db.session.get(Mail, mail_id)
    if mail is None:
        raise click.ClickException(f"There is no mail with the id {mail_id}.")
    click.echo(f"Mail {mail_id}")
    for name in _SHOWN:
        value = _text(getattr(mail, name))
        if value:
            label = "lane" if name == "lane_name" else name.replace("_", " ")
            click.echo(f"  {label:<20}{_styled(value) if name == 'status' else value}")
    click.echo()
    entries = db.session.scalars(select(MailEvent).where(MailEvent.mail_id == mail_id).order_by(MailEvent.id))
    names = ("time", "event", "provider", "code", "text")
    _table(names, [[_text(getattr(entry, name)) for name in names] for entry in entries], styled=1)


def show_list(choice: Choice, limit: int) -> None:
    """Print the mails that are chosen, the newest first."""
    columns = [getattr(Mail, name) for name in _LISTED]
    statement = select(Mail).options(load_only(*columns)).where(*choice.conditions())
    mails = db.session.scalars(statement.order_by(Mail.time.desc(), Mail.id.desc()).limit(limit)).all()
    if not mails:
        click.echo("No mail is like that.")
        return
    head = ("id", "queued", "recipient", "action", "status", "tries", "why")
    _table(head, [[_text(getattr(mail, name)) for name in _LISTED] for mail in mails], styled=4)


def _text(value: Any) -> str:
    """A value on one line; what a provider said may hold anything."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"
    return one_line(str(value))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], styled: int) -> None:
    """Columns as wide as they must be; the last one as wide as the terminal allows."""
    widths = [max(len(row[index]) for row in (head, *rows)) for index in range(len(head) - 1)]
    left = max(shutil.get_terminal_size((_WIDTH, 24)).columns - sum(widths) - 2 * len(widths), 20)
    for row in (head, *rows):
        cells = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)]
        if row is not head:
            cells[styled] = _styled(cells[styled])
        last = row[-1] if len(row[-1]) <= left else f"{row[-1][: left - 1]}…"
        click.echo("  ".join([*cells, last]).rstrip())


def _styled(cell: str) -> str:
    return click.style(cell, fg=_COLOURS.get(cell.strip()))
