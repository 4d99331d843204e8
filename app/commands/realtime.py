"""`manage.py realtime`: the realtime gateway."""

from __future__ import annotations

import os
import sys

import click

from app.commands.data_dir import data_dir_option
from app.realtime.keys import GATEWAY_VARIABLES


@click.command("realtime", params=[data_dir_option(GATEWAY_VARIABLES)])
@click.option("--host", default="127.0.0.1", show_default=True, help="Where it listens.")
@click.option("--port", type=click.IntRange(1, 65535), default=5001, show_default=True, help="Its port.")
def realtime(host: str, port: int) -> None:
    """Run the realtime gateway, which keeps the connections of all who are online; it needs Redis, and no database."""
    sys.stdout.flush()
    # In place of this process, which has loaded much that the gateway does not need.
    os.execv(sys.executable, [sys.executable, "-m", "app.realtime", "--host", host, "--port", str(port)])  # noqa: S606 - our own program
