"""`manage.py create-token`, `tokens`, `revoke-token`: the service accounts by which other programs use the API."""

from __future__ import annotations

from datetime import datetime, timedelta

import click
from flask.cli import with_appcontext

from app.commands.data_dir import data_dir_option
from app.commands.mail import Age

# The models are imported in the commands, so that `manage.py --help` needs no database.


@click.command("create-token", params=[data_dir_option()])
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    help="happenings:write or event-types:write; may be there several times.",
)
@click.option("--expires", type=Age(), help="How long it counts: 12h, 90d; without it, until it is revoked.")
@with_appcontext
def create_token(name: str, scopes: tuple[str, ...], expires: timedelta | None) -> None:
    """Make a service account NAME and print its token, once: only its digest is kept."""
    from app.auth.services import ServiceError, create_service  # noqa: PLC0415
    from app.models import db  # noqa: PLC0415
    from app.models.base import utc_now  # noqa: PLC0415

    try:
        token = create_service(name, scopes, None if expires is None else utc_now() + expires)
    except ServiceError as error:
        raise click.ClickException(f"{error}.") from error
    db.session.commit()
    click.echo(token)


@click.command("tokens", params=[data_dir_option()])
@with_appcontext
def tokens() -> None:
    """List the service accounts; their tokens are known to nobody but them."""
    from sqlalchemy import select  # noqa: PLC0415

    from app.models import ServiceToken, db  # noqa: PLC0415

    services = db.session.scalars(select(ServiceToken).order_by(ServiceToken.name)).all()
    if not services:
        click.echo("There are no service accounts: make one with `manage.py create-token`.")
    for each in services:
        click.echo(f"{each.name}  {', '.join(each.scopes)}")
        times = (
            ("made", each.created_at),
            ("expires", each.expires_at),
            ("last used", each.last_used_at),
            ("revoked", each.revoked_at),
        )
        click.echo("  " + "  ".join(f"{word} {_shown(time)}" for word, time in times))


@click.command("revoke-token", params=[data_dir_option()])
@click.argument("name")
@with_appcontext
def revoke_token(name: str) -> None:
    """End the token of the service account NAME at once."""
    from app.auth.services import ServiceError, revoke_service  # noqa: PLC0415
    from app.models import db  # noqa: PLC0415

    try:
        service = revoke_service(name)
    except ServiceError as error:
        raise click.ClickException(f"{error}.") from error
    db.session.commit()
    click.echo(f"The token of {service.name} counts no more (revoked {_shown(service.revoked_at)}).")


def _shown(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC" if time else "never"
