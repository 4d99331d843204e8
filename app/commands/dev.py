"""`manage.py dev`: everything on one machine, for development and for a first look."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import click

from app.commands.data_dir import DEFAULT_DATA_DIR
from app.embedded.errors import StackError, StoppedBySignal


@click.command()
@click.option(
    "--port",
    type=click.IntRange(1, 65534),
    default=5000,
    show_default=True,
    help="Where the web server listens, on 127.0.0.1; the realtime gateway listens on the next one.",
)
@click.option(
    "--data-dir",
    default=DEFAULT_DATA_DIR,
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where PostgreSQL, Valkey, the mails and the logs are kept.",
)
def dev(port: int, data_dir: Path) -> None:
    """Run web, worker, beat, gateway and a mail catcher on embedded PostgreSQL and Valkey, until Ctrl-C."""
    # A production image has this file too, but not the packages of the embedded servers.
    from app.embedded.application import Application  # noqa: PLC0415
    from app.embedded.stack import EmbeddedStack  # noqa: PLC0415

    catcher_port_before = _catcher_port(data_dir)
    try:
        with EmbeddedStack(data_dir, handle_signals=True) as stack:
            application = Application(stack, port, os.environ)
            application.migrate(catcher_port_before)
            application.start()
            application.start_realtime()
            click.echo(f"mail is kept in {stack.mail_dir}, logs in {stack.data_dir / 'log'}")
            click.echo(f"realtime {application.realtime_url}")
            click.echo(f"ready {application.url}")
            sys.stdout.flush()
            code = stack.wait()
    except StoppedBySignal:
        code = 0
    except StackError as error:
        raise click.ClickException(str(error)) from error
    sys.exit(code)


def _catcher_port(data_dir: Path) -> int:
    """The port that the catcher had the last time: settings that still name it follow it to another one."""
    try:
        known = json.loads((data_dir / "ports.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 0
    return int(known.get("mailcatcher", 0)) if isinstance(known, dict) else 0
