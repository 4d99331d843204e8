"""The page of all actions says what the code does; every action has its constant, its function and its switch."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from app.api.helpers import mail, notification
from app.api.helpers.catalogue import helpers_by_action, mail_actions, notification_actions
from app.api.helpers.system_mails import CRITICAL, MAILS
from app.api.helpers.system_notifications import NOTIFS
from app.commands import commands
from app.commands.actions import document
from app.models import MessageSettings, db

PAGE = Path(__file__).resolve().parents[1] / "docs" / "actions.md"


def test_the_page_is_the_one_that_the_declarations_make() -> None:
    assert PAGE.read_text(encoding="utf-8") == document(), "run `make docs` and commit docs/actions.md"


def test_the_command_prints_the_page_and_needs_no_server() -> None:
    result = CliRunner().invoke(commands, ["actions"], env={"DATABASE_URL": None, "REDIS_URL": None})
    assert (result.exit_code, result.output) == (0, document())


def test_every_mail_and_notification_has_a_row_in_their_order() -> None:
    mails, notifications = list(mail_actions()), list(notification_actions())
    assert [action.name for action in mails] == list(MAILS)
    assert [action.name for action in notifications] == list(NOTIFS)
    assert len(mails) >= 25
    assert len(notifications) >= 22
    rows = [line for line in document().splitlines() if line.startswith("| ") and "| function |" not in line]
    for action, row in zip([*mails, *notifications], rows, strict=True):
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert len(cells) == 8
        assert cells[0] == action.name
        assert cells[4] == action.line
        for part in (action.constant, action.recipient, action.helper, *action.placeholders):
            assert part in row
        assert ("critical" in cells[6]) == (action in mails and action.name in CRITICAL)
        assert ("(secret)" in cells[5]) == (action.secret is not None)


@pytest.mark.parametrize(("module", "actions"), [(mail, MAILS), (notification, NOTIFS)], ids=["mail", "notification"])
def test_every_function_that_sends_belongs_to_one_action_and_every_action_has_one(
    module: ModuleType, actions: dict[str, object]
) -> None:
    general = {"send_email", "send_email_with_action", "send_emails", "send_emails_formatted"}
    general |= {"send_notification", "send_notification_with_action"}
    functions = {name for name, _ in inspect.getmembers(module, inspect.isfunction) if name.startswith("send_")}
    helpers = helpers_by_action(module, actions)
    assert set(helpers.values()) == functions - general
    assert set(helpers) == set(actions)


def test_a_function_without_an_action_of_its_own_is_a_mistake() -> None:
    with pytest.raises(LookupError, match="no function"):
        helpers_by_action(mail, {**MAILS, "Something Else": {}})


def test_every_action_has_its_message_setting(database: None) -> None:
    assert set(db.session.scalars(select(MessageSettings.action))) >= {*MAILS, *NOTIFS}
