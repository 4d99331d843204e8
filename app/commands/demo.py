"""`manage.py demo`: the main job, shown step by step over HTTP on a stack that is thrown away afterwards."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from app.embedded.errors import StackError, StoppedBySignal

STOPPED = 130


@click.command()
@click.option("--once", is_flag=True, help="End after the steps instead of serving on.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Play a whole conference from this JSON file instead of the small play.",
)
@click.option(
    "--port",
    type=click.IntRange(1, 65534),
    help="Where the web server listens, and the realtime gateway on the next one (default: 5000, or a free one).",
)
def demo(*, once: bool, data: Path | None, port: int | None) -> None:
    """Play the main job on a fresh stack, check what came, and keep serving until Ctrl-C."""
    # Imported here: what only the demo needs is not there in production, where this module is imported too.
    from app.demo.conference import ConferenceError  # noqa: PLC0415 - see above
    from app.demo.run import run_demo  # noqa: PLC0415 - see above

    # A title may have letters that the terminal's encoding lacks.
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    try:
        code = run_demo(data, port, serve=not once)
    except StoppedBySignal:
        click.echo("stopped before the end of the play; nothing is left of it", err=True)
        code = STOPPED
    except (StackError, ConferenceError) as error:
        raise click.ClickException(str(error)) from error
    sys.exit(code)
