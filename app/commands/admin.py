"""`manage.py create-admin`: makes the first account that may see everything."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from app.commands.data_dir import data_dir_option


@click.command("create-admin", params=[data_dir_option()])
@click.argument("email")
@click.option(
    "--password",
    envvar="USHER_ADMIN_PASSWORD",
    help="The password; by default $USHER_ADMIN_PASSWORD, else it is asked for.",
)
@with_appcontext
def create_admin(email: str, password: str | None) -> None:
    """Make a verified admin of EMAIL, or promote the account that has this address."""
    # The models are imported here, so that `manage.py --help` needs no database.
    from app.api.helpers.addresses import AddressError, check_address  # noqa: PLC0415
    from app.auth.accounts import find_user  # noqa: PLC0415
    from app.auth.passwords import MAX_LENGTH, MIN_LENGTH, hash_password  # noqa: PLC0415
    from app.models import User, db  # noqa: PLC0415

    try:
        address = check_address(email)
    except AddressError as error:
        raise click.BadParameter(str(error), param_hint="EMAIL") from error
    user = find_user(address)
    if password is None and (user is None or not user.password_hash):
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    if password is not None and not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise click.ClickException(f"A password has {MIN_LENGTH} to {MAX_LENGTH} characters.")
    made = user is None
    if user is None:
        user = User(email=address)
        db.session.add(user)
    user.is_admin = user.is_verified = True
    if password is not None:
        user.password_hash = hash_password(password)
        user.token_version = (user.token_version or 0) + 1
    db.session.commit()
    click.echo(f"{address} is {'now' if made else 'made'} an admin (user {user.id}).")
