"""The option that every command takes: `--data-dir`, for the servers of a `manage.py dev` that runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import click

from app.embedded.errors import StackError

DEFAULT_DATA_DIR: Final = ".usher"


def data_dir_option(needed: tuple[str, ...] = ("DATABASE_URL",)) -> click.Option:
    """`--data-dir`: sets the environment before the command runs, unless that has what is needed."""

    def use(_context: click.Context, _parameter: click.Parameter, value: Path | None) -> None:
        use_servers(value, needed)

    return click.Option(
        ["--data-dir"],
        type=click.Path(file_okay=False, path_type=Path),
        expose_value=False,
        is_eager=True,
        callback=use,
        help=f"Use the servers of the `manage.py dev` that runs on this folder "
        f"(default without DATABASE_URL: {DEFAULT_DATA_DIR}).",
    )


def use_servers(value: Path | None, needed: tuple[str, ...] = ("DATABASE_URL",)) -> None:
    """Put the addresses and keys of a `manage.py dev` into the environment, unless that has its own.

    Raises:
        click.ClickException: none runs there; the text says what to do.
    """
    if value is None and all(os.environ.get(name) for name in needed):
        return
    # Where there is a database of its own, the packages of the embedded servers need not be installed.
    from app.embedded.runtime import read_runtime  # noqa: PLC0415

    try:
        read_runtime(value or Path(DEFAULT_DATA_DIR)).put_into(os.environ)
    except StackError as error:
        hint = "" if value else " Or set DATABASE_URL, REDIS_URL, SECRET_KEY and SETTINGS_KEY."
        raise click.ClickException(f"{error}.{hint}") from error
