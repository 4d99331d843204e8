"""`manage.py mail`: what an operator does with mails: look at them, try them again, cancel or settle them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import click
from flask.cli import with_appcontext

from app.commands.data_dir import data_dir_option

if TYPE_CHECKING:
    from app.commands.mail_choice import Choice

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_AGE: Final = re.compile(r"([0-9]{1,5})([smhd])")
_MAX_REASON: Final = 500


class Age(click.ParamType[timedelta]):
    """A length of time: `90s`, `30m`, `2h`, `7d`."""

    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """The length; whatever else it is, the user is told what it can be."""
        found = _AGE.fullmatch(value)
        if found is None:
            self.fail("this must be a length of time like 90s, 30m, 2h or 7d", param, ctx)
        return timedelta(**{_UNITS[found[2]]: int(found[1])})


class Id(click.ParamType[int]):
    """A mail's id."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number."""
        from app.api.jsonapi.jsontext import parse_id  # noqa: PLC0415 - see below

        number = parse_id(value)
        if number is None:
            self.fail(f"{value!r} is no id: an id is a number", param, ctx)
        return number


def _reason_option() -> Callable[[Any], Any]:
    return click.option("--reason", default="", callback=_check_reason, help="Why; it comes into the timeline.")


def _check_reason(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if len(value) > _MAX_REASON or not value.isprintable():
        raise click.BadParameter(f"a reason is one line of at most {_MAX_REASON} characters")
    return value


def _choosing(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that choose mails, which the command gets as one `Choice`."""
    for option in reversed(
        (
            click.option("--id", "ids", type=Id(), multiple=True, help="This mail; may be there several times."),
            click.option("--status", help="Mails of this status."),
            click.option("--action", help="Mails of this action, as docs/actions.md names it."),
            click.option("--since", type=Age(), help="Mails whose status is no older than that: 90s, 30m, 2h, 7d."),
        )
    ):
        function = option(function)
    return function


@click.group("mail")
def mail() -> None:
    """Look at mails, try them again, cancel or settle them."""


# What the commands do is imported within them, so that `manage.py --help` needs no database.


@mail.command("retry", params=[data_dir_option()])
@_choosing
@_reason_option()
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@with_appcontext
def retry(reason: str, *, dry_run: bool, **options: Any) -> None:
    """Try failed mails again.

    They are queued, and given up after 24 hours. By --status or --id also suppressed and uncertain ones: of those the
    latter may have arrived already, and may then arrive twice.
    """
    from app.commands.mail_work import carry_out  # noqa: PLC0415
    from app.delivery.desk.deeds import RETRY  # noqa: PLC0415
    from app.models.mail import FAILED  # noqa: PLC0415

    choice = _choice(**options)
    choice.needs_something()
    carry_out(RETRY, choice.with_default((FAILED,)), reason, dry_run=dry_run)


@mail.command("cancel", params=[data_dir_option()])
@_choosing
@_reason_option()
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@with_appcontext
def cancel(reason: str, *, dry_run: bool, **options: Any) -> None:
    """Cancel mails that wait.

    Those that are queued, scheduled or deferred end here, and are never sent.
    """
    from app.commands.mail_work import carry_out  # noqa: PLC0415
    from app.delivery.desk.deeds import CANCEL  # noqa: PLC0415

    choice = _choice(**options)
    choice.needs_something()
    carry_out(CANCEL, choice.with_default(CANCEL.takes), reason, dry_run=dry_run)


@mail.command("settle", params=[data_dir_option()])
@click.argument("mail_id", metavar="ID", type=Id())
@click.argument("outcome", type=click.Choice(["sent", "retry", "failed"]))
@_reason_option()
@with_appcontext
def settle(mail_id: int, outcome: str, reason: str) -> None:
    """Say what became of an uncertain mail.

    Nobody knows whether the mail ID was taken. It was `sent`, it is to be tried again (`retry`), or it has `failed`.
    """
    from app.commands.mail_work import carry_out  # noqa: PLC0415
    from app.delivery.desk.deeds import SETTLE  # noqa: PLC0415

    carry_out(SETTLE[outcome], _choice(ids=(mail_id,)), reason, dry_run=False)


@mail.command("show", params=[data_dir_option()])
@click.argument("mail_id", metavar="ID", type=Id())
@with_appcontext
def show(mail_id: int) -> None:
    """Show a mail and its timeline; not what it says."""
    from app.commands.mail_show import show_mail  # noqa: PLC0415

    show_mail(mail_id)


@mail.command("list", params=[data_dir_option()])
@_choosing
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many at most.")
@with_appcontext
def list_(limit: int, **options: Any) -> None:
    """List mails, the newest first."""
    from app.commands.mail_show import show_list  # noqa: PLC0415

    show_list(_choice(**options), limit)


def _choice(**options: Any) -> Choice:
    from app.commands.mail_choice import Choice  # noqa: PLC0415

    return Choice.from_options(**options)
