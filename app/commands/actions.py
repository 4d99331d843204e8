"""`manage.py actions`: the page of all actions, generated from their declarations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from app.api.helpers.catalogue import Action

_HEAD: Final = """\
# All actions

Everything that Usher tells of: the change that causes it, who is told, the text, the switch, the function. This page is
generated from the declarations (`make docs`); a test compares the two.

- The texts are in `app/api/helpers/system_mails.py` and `app/api/helpers/system_notifications.py`, their translations
  in `app/translations/`. `GET /v1/message-settings/<id>/preview` shows each as it would be sent, in each language.
- An action's switches are those of the message setting with its name: `mail-status` for the mail, `notification-status`
  for the notification ([configuration.md](configuration.md#message-settings)). A critical mail is sent in any case.
- A placeholder that is secret is a link with a token: it is encrypted in the database until the mail was sent, and only
  its recipient reads it.
- A mail of the lane `bulk` goes to many: those of the other lane, which somebody waits for, overtake it.
- For each of them there is a test, marked with `@pytest.mark.triggers`, that makes the change and sees what came of it.
"""
_COLUMNS: Final = "action; constant; trigger; who is told; {line}; placeholders; switch; function"


@click.command("actions")
def actions() -> None:
    """Print the page of all actions (docs/actions.md) as Markdown."""
    click.echo(document(), nl=False)


def document() -> str:
    """The page, generated from the declarations of all actions."""
    # Imported here, so that `manage.py --help` needs no template.
    from app.api.helpers.catalogue import mail_actions, notification_actions  # noqa: PLC0415

    mails, notifications = list(mail_actions()), list(notification_actions())
    return "\n".join(
        [
            _HEAD,
            f"## The {len(mails)} mails\n",
            "The functions are in `app/api/helpers/mail.py`, the constants in `app/models/mail.py`.\n",
            *_table(mails, "subject", "mail-status"),
            f"\n## The {len(notifications)} notifications\n",
            "The functions are in `app/api/helpers/notification.py`, the constants in `app/models/notification.py`.\n",
            *_table(notifications, "title", "notification-status"),
            "",
        ]
    )


def _table(rows: Iterable[Action], line: str, switch: str) -> list[str]:
    columns = _COLUMNS.format(line=line).split("; ")
    return [
        f"| {' | '.join(columns)} |",
        f"|{'---|' * len(columns)}",
        *(f"| {' | '.join(_cells(row, switch))} |" for row in rows),
    ]


def _cells(row: Action, switch: str) -> list[str]:
    placeholders = [f"`{name}`" + (" (secret)" if name == row.secret else "") for name in row.placeholders]
    return [
        row.name,
        f"`{row.constant}`",
        "; ".join(_code_first(part) for part in row.trigger.split("; ")),
        row.recipient,
        row.line,
        ", ".join(placeholders),
        ("none: critical" if row.critical else f"`{switch}`") + ("; lane: bulk" if row.lane == "bulk" else ""),
        f"`{row.helper}`",
    ]


def _code_first(trigger: str) -> str:
    """The request in a trigger as code: `PATCH /v1/users/<id>` and then what else is said of it."""
    method, space, rest = trigger.partition(" ")
    if not method.isupper():
        return trigger
    path, comma, more = rest.partition(", ") if ", " in rest else rest.partition(" ")
    return f"`{method}{space}{path}`{comma}{more}"
