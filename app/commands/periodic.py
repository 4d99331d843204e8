"""`manage.py periodic`: what beat starts every minute, once and now."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from app.commands.data_dir import data_dir_option


@click.command("periodic", params=[data_dir_option()])
@with_appcontext
def periodic() -> None:
    """Send what is due by the clock: reminders, expired orders, invoices. What was sent before is not sent again."""
    # The models are imported here, so that `manage.py --help` needs no database.
    from app.models.base import utc_now  # noqa: PLC0415
    from app.periodic.run import run_periodic  # noqa: PLC0415

    outcomes = run_periodic(utc_now())
    for each in outcomes:
        if each.error is None:
            click.echo(f"{each.action}: {each.about} (mails: {each.mails}, notifications: {each.notifications})")
    if not outcomes:
        click.echo("Nothing is due.")
    failed = [each for each in outcomes if each.error is not None]
    if failed:
        reasons = "".join(f"\n{each.action}, {each.about}: {each.error}" for each in failed)
        raise click.ClickException(f"{len(failed)} failed, and are tried again with the next run:{reasons}")
