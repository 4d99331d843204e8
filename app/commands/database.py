"""`manage.py db`: Flask-Migrate's commands, which take `--data-dir` like every other."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click
from flask import g
from flask.cli import with_appcontext
from flask_migrate.cli import db as flask_migrate_db

from app.commands.data_dir import data_dir_option


@click.group("db")
def db_commands() -> None:
    """Change the tables: `db upgrade` brings them up to date."""


def _prepared(callback: Callable[..., Any]) -> Callable[..., Any]:
    """The command with what Flask-Migrate's own group would prepare for it.

    That group is not used, since it makes the application before the command has read its --data-dir.
    """

    @wraps(callback)
    @with_appcontext
    def run(*args: Any, **kwargs: Any) -> Any:
        g.directory, g.x_arg = None, ()
        return callback(*args, **kwargs)

    return run


for _name, _command in flask_migrate_db.commands.items():
    _command.callback = _prepared(_command.callback)
    _command.params.append(data_dir_option())
    db_commands.add_command(_command, _name)
