"""The commands of `manage.py`, one file each."""

from __future__ import annotations

import sys

import click
from flask.cli import ScriptInfo
from flask_migrate.cli import db as db_commands

from app import create_app
from app.commands.admin import create_admin
from app.commands.data_dir import data_dir_option
from app.commands.demo import demo
from app.commands.dev import dev
from app.embedded.errors import StackError
from config import ConfigurationError

for _command in db_commands.commands.values():
    _command.params.append(data_dir_option())


@click.group(context_settings={"obj": ScriptInfo(create_app=create_app), "help_option_names": ["-h", "--help"]})
def commands() -> None:
    """Usher: notifications and mails of an event platform."""


commands.add_command(dev)
commands.add_command(demo)
commands.add_command(create_admin)
commands.add_command(db_commands)


def main() -> None:
    """Run a command; what the operator can mend is one line on standard error, not a traceback."""
    try:
        commands(prog_name="manage.py")
    except (ConfigurationError, StackError) as error:
        sys.stderr.write(f"usher: {error}\n")
        raise SystemExit(1) from error
