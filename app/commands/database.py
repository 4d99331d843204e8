"""`manage.py db`: Flask-Migrate's commands, which take `--data-dir` like every other."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import Any

import click
from flask import current_app, g
from flask.cli import with_appcontext

from app.commands.data_dir import data_dir_option


class _Migrations(click.Group):
    """Loads Flask-Migrate, and Alembic with it, when one of its commands is asked for: no other command needs them."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """The names for the help."""
        return sorted(_commands())

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, with what we add to it."""
        return _commands().get(cmd_name)


@click.group("db", cls=_Migrations)
def db_commands() -> None:
    """Change the tables: `db upgrade` brings them up to date."""


def _prepared(callback: Callable[..., Any]) -> Callable[..., Any]:
    """The command with what Flask-Migrate's own group would prepare for it.

    That group is not used, since it makes the application before the command has read its --data-dir.
    """

    @wraps(callback)
    @with_appcontext
    def run(*args: Any, **kwargs: Any) -> Any:
        from app.models.migrating import init_migrations  # noqa: PLC0415 - loads Alembic

        init_migrations(current_app)
        g.directory, g.x_arg = None, ()
        return callback(*args, **kwargs)

    return run


@cache
def _commands() -> dict[str, click.Command]:
    from flask_migrate.cli import db  # noqa: PLC0415 - loads Alembic

    commands: dict[str, click.Command] = db.commands
    for command in commands.values():
        if command.callback is not None:
            command.callback = _prepared(command.callback)
        command.params.append(data_dir_option())
    return commands
