"""`manage.py retention`: removes what is too old, all of it and now; beat does some of it every ten minutes."""

from __future__ import annotations

from typing import Final

import click
from flask.cli import with_appcontext

from app.commands.data_dir import data_dir_option

_WHAT: Final = {
    "bodies": "bodies of mails",
    "messages": "SMS and chat messages",
    "mails": "mails, which stay counted",
    "keys": "answers kept for an Idempotency-Key",
    "events": "events of providers for mails that nobody knows",
    "bounces": "addresses whose bounces for now were long ago",
}


@click.command("retention", params=[data_dir_option()])
@click.option("--dry-run", is_flag=True, help="Only say how many there are.")
@with_appcontext
def retention(*, dry_run: bool) -> None:
    """Remove old mails' bodies and rows, as the settings mail-body-days, mail-days and mail-problem-days say."""
    # The models are imported here, so that `manage.py --help` needs no database.
    from app.delivery.retention import clean, overdue  # noqa: PLC0415
    from app.models import db  # noqa: PLC0415

    counts = overdue(db.engine) if dry_run else clean(db.engine)
    verb = "To be removed" if dry_run else "Removed"
    for what, shown in _WHAT.items():
        click.echo(f"{verb}: {counts[what]} {shown}.")
