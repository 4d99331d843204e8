"""`manage.py rotate-settings-key`: writes the stored secrets anew, under the first key of `SETTINGS_KEY`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click
from flask.cli import with_appcontext

from app.commands.data_dir import data_dir_option

if TYPE_CHECKING:
    from sqlalchemy import Column


@click.command("rotate-settings-key", params=[data_dir_option()])
@with_appcontext
def rotate_settings_key() -> None:
    """Encrypt every stored secret with the first key of SETTINGS_KEY, so that the others can be taken away."""
    rotated = lost = 0
    for column in _encrypted_columns():
        now, never = _rotate(column)
        rotated, lost = rotated + now, lost + never
        if never:
            click.echo(f"{column}: {never} cannot be decrypted by any key, and were left as they are.", err=True)
    click.echo(f"{rotated} secrets were written anew. All that can be read are under the first key of SETTINGS_KEY.")
    if lost:
        click.echo("Set the lost secrets of the settings anew; people ask for new links.", err=True)


def _encrypted_columns() -> Iterator[Column[str]]:
    """Every column of every table whose values are encrypted."""
    # The models are imported here, so that `manage.py --help` needs no database.
    from app.models import db  # noqa: PLC0415
    from app.models.types import EncryptedText  # noqa: PLC0415

    for table in db.metadata.sorted_tables:
        yield from (column for column in table.c if isinstance(column.type, EncryptedText))


def _rotate(encrypted: Column[str]) -> tuple[int, int]:
    """Write a column's secrets anew; how many were, and how many no key can decrypt.

    A secret that somebody changes or clears meanwhile stays as he leaves it.
    """
    from cryptography.fernet import InvalidToken  # noqa: PLC0415
    from sqlalchemy import Text, column, select, table, update  # noqa: PLC0415

    from app.models import db  # noqa: PLC0415
    from app.models.types import under_first_key  # noqa: PLC0415

    # As plain text: the column's own type would decrypt and encrypt on the way.
    secret = column(encrypted.name, Text)
    rows = table(encrypted.table.name, column("id"), secret)
    rotated = lost = 0
    for row_id, old in db.session.execute(select(rows.c.id, secret).where(secret.is_not(None))).all():
        try:
            new = under_first_key(old)
        except InvalidToken:
            lost += 1
            continue
        if new is not None:
            change = update(rows).where(rows.c.id == row_id, secret == old).values({encrypted.name: new})
            rotated += db.session.execute(change).rowcount  # type: ignore[attr-defined]  # of a CursorResult
            db.session.commit()
    return rotated, lost
