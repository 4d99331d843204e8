"""The commands of `manage.py`, one file each."""

from __future__ import annotations

import sys

import click
from flask.cli import ScriptInfo
from sqlalchemy.exc import OperationalError, ProgrammingError

from app import create_app
from app.commands.actions import actions
from app.commands.admin import create_admin
from app.commands.bounces import bounce, bounces
from app.commands.database import db_commands
from app.commands.demo import demo
from app.commands.dev import dev
from app.commands.doctor import doctor
from app.commands.mail import mail
from app.commands.periodic import periodic
from app.commands.realtime import realtime
from app.commands.retention import retention
from app.commands.settings_key import rotate_settings_key
from app.commands.tokens import create_token, revoke_token, tokens
from app.embedded.errors import StackError
from config import ConfigurationError


@click.group(context_settings={"obj": ScriptInfo(create_app=create_app), "help_option_names": ["-h", "--help"]})
def commands() -> None:
    """Usher: notifications and mails of an event platform."""


commands.add_command(dev)
commands.add_command(demo)
commands.add_command(create_admin)
commands.add_command(rotate_settings_key)
commands.add_command(db_commands)
commands.add_command(actions)
commands.add_command(doctor)
commands.add_command(mail)
commands.add_command(periodic)
commands.add_command(bounce)
commands.add_command(bounces)
commands.add_command(retention)
commands.add_command(create_token)
commands.add_command(tokens)
commands.add_command(revoke_token)
commands.add_command(realtime)


def main() -> None:
    """Run a command; what the operator can mend is one line on standard error, not a traceback."""
    try:
        commands(prog_name="manage.py")
    except (ConfigurationError, StackError) as error:
        sys.stderr.write(f"usher: {error}\n")
        raise SystemExit(1) from error
    except (OperationalError, ProgrammingError) as error:
        sys.stderr.write(f"usher: {_database_trouble(error)}\n")
        raise SystemExit(1) from error


def _database_trouble(error: OperationalError | ProgrammingError) -> str:
    """What PostgreSQL says, on one line; its driver never repeats the password."""
    said = str(error.orig).partition("\n")[0]
    if isinstance(error, OperationalError):
        return f"the database cannot be used: {said}. Check DATABASE_URL, and that PostgreSQL runs."
    return f"the database does not fit this version: {said}. Run `python manage.py db upgrade`."
