"""`manage.py bounce` and `manage.py bounces`: what mail servers send back, by a pipe or from a maildir."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from flask.cli import ScriptInfo
from sqlalchemy.exc import InterfaceError, OperationalError, ProgrammingError

from app.commands.data_dir import DEFAULT_DATA_DIR, use_servers
from config import ConfigurationError

if TYPE_CHECKING:
    from flask import Flask

# A mail server that starts a program keeps the message and tries again if it ends with this (sysexits.h). With any
# other code but 0 it would send the bounce back, to nobody.
EX_TEMPFAIL: Final = 75
# What may be over by the next try.
AWAY: Final = (OperationalError, InterfaceError, ProgrammingError)
_SECONDS: Final = 5.0

_data_dir = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help=f"Use the servers of the `manage.py dev` that runs on this folder "
    f"(default without DATABASE_URL: {DEFAULT_DATA_DIR}).",
)


@click.command("bounce")
@_data_dir
@click.pass_obj
def bounce(info: ScriptInfo, data_dir: Path | None) -> None:
    """Write down what the message on standard input tells, for a mail server's pipe.

    Ends with 0, whatever the message is, and with 75 (EX_TEMPFAIL) if it is to be given again: the database is away, or
    the configuration is not complete.
    """
    # The modules that read messages are imported here and below, so that `manage.py --help` needs no database.
    from app.delivery.inbound.post import take_message  # noqa: PLC0415

    message = _read_all()
    try:
        with _application(info, data_dir).app_context():
            take_message(message)
    except (*AWAY, ConfigurationError, click.ClickException) as error:
        sys.stderr.write(f"usher: the message was not taken, and is to be given again: {_why(error)}\n")
        raise SystemExit(EX_TEMPFAIL) from error


@click.command("bounces")
@click.option(
    "--maildir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="The folder with `new/` and `cur/` that the bounces are delivered to.",
)
@click.option("--once", is_flag=True, help="Take what is there, and end; otherwise go on until SIGTERM or Ctrl-C.")
@_data_dir
@click.pass_obj
def bounces(info: ScriptInfo, maildir: Path, data_dir: Path | None, *, once: bool) -> None:
    """Take messages out of a maildir, and write down what they tell. What a person should read is flagged."""
    from app.delivery.inbound.maildir import take, watch  # noqa: PLC0415
    from app.delivery.inbound.post import take_message  # noqa: PLC0415

    _require_maildir(maildir)
    app = _application(info, data_dir)

    def read(raw: bytes) -> bool:
        with app.app_context():
            return take_message(raw)

    if once:
        done = failed = 0
        while (taken := take(maildir, read, AWAY)).total:
            done, failed = done + taken.done, failed + taken.failed
        click.echo(f"{done} messages were read; {failed} are flagged, for a person to look at.")
        return
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    click.echo(f"Watching {maildir}.")
    watch(maildir, read, stop, _SECONDS, AWAY)


def _read_all() -> bytes:
    """As much of standard input as counts; the rest is read too, since the mail server would take a broken pipe ill."""
    from app.delivery.inbound.bounces import MAX_MESSAGE  # noqa: PLC0415

    message = sys.stdin.buffer.read(MAX_MESSAGE)
    while sys.stdin.buffer.read(MAX_MESSAGE):
        continue
    return message


def _application(info: ScriptInfo, data_dir: Path | None) -> Flask:
    """The application, made here and not before the command, so that what is missing is told by its exit code."""
    use_servers(data_dir)
    return info.load_app()


def _require_maildir(maildir: Path) -> None:
    missing = [name for name in ("new", "cur") if not (maildir / name).is_dir()]
    if missing:
        raise click.ClickException(f"{maildir} is no maildir: it has no folder {' and no folder '.join(missing)}.")


def _why(error: Exception) -> str:
    """On one line; what the driver says has no password in it."""
    text = error.message if isinstance(error, click.ClickException) else str(getattr(error, "orig", None) or error)
    return text.partition("\n")[0]
