"""All actions with everything that is declared of them, for the page of actions and for tests."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from app.api.helpers import mail, notification
from app.api.helpers.system_mails import MAIL_TEMPLATES, MAILS
from app.api.helpers.system_notifications import NOTIF_TEMPLATES, NOTIFS
from app.language import DEFAULT
from app.models import mail as mail_models
from app.models import notification as notification_models


@dataclass(frozen=True)
class Action:
    """What is declared of an action's mail, or of its notification.

    Attributes:
        name: the string that is stored.
        constant: its name in the module of the model.
        trigger: the change that causes it.
        recipient: who is told.
        line: the subject or the title, with its placeholders.
        placeholders: all of them, also those of the message, in the order of the alphabet.
        helper: the function that makes it.
        critical: whether it cannot be switched off.
        secret: the placeholder that only its recipient may read.
        lane: `bulk` for what goes to many and lets others pass; a notification has none.
    """

    name: str
    constant: str
    trigger: str
    recipient: str
    line: str
    placeholders: tuple[str, ...]
    helper: str
    critical: bool = False
    secret: str | None = None
    lane: str = ""


def mail_actions() -> Iterator[Action]:
    """The actions that send mails, in the order of their declaration."""
    constants, helpers = _constants(mail_models, MAILS), helpers_by_action(mail, MAILS)
    for name, entry in MAILS.items():
        yield Action(
            name=name,
            constant=constants[name],
            trigger=entry["trigger"],
            recipient=entry["recipient"],
            line=entry["subject"],
            placeholders=tuple(sorted(MAIL_TEMPLATES[name][DEFAULT].placeholders)),
            helper=helpers[name],
            critical=entry.get("critical", False),
            secret=entry.get("secret"),
            lane="bulk" if entry.get("bulk") else "transactional",
        )


def notification_actions() -> Iterator[Action]:
    """The actions that the app tells of, in the order of their declaration."""
    constants, helpers = _constants(notification_models, NOTIFS), helpers_by_action(notification, NOTIFS)
    for name, entry in NOTIFS.items():
        yield Action(
            name=name,
            constant=constants[name],
            trigger=entry["trigger"],
            recipient=entry["recipient"],
            line=entry["title"],
            placeholders=tuple(sorted(NOTIF_TEMPLATES[name][DEFAULT].placeholders)),
            helper=helpers[name],
        )


def helpers_by_action(module: ModuleType, actions: Mapping[str, Any]) -> dict[str, str]:
    """The function of each action: the one that names the action's constant.

    Raises:
        LookupError: an action has none or several, or a function names several: a mistake in the program.
    """
    found: dict[str, str] = {}
    for name, function in inspect.getmembers(module, inspect.isfunction):
        if function.__module__ != module.__name__ or not name.startswith("send_"):
            continue
        values = [getattr(module, used, None) for used in function.__code__.co_names]
        named = [value for value in values if isinstance(value, str) and value in actions]
        if len(named) > 1 or (named and named[0] in found):
            raise LookupError(f"{name} is not the one function of one action: {named}, {found.get(named[0])}")
        if named:
            found[named[0]] = name
    if missing := actions.keys() - found.keys():
        raise LookupError(f"no function in {module.__name__} names {sorted(missing)}")
    return found


def _constants(module: ModuleType, actions: Mapping[str, Any]) -> dict[str, str]:
    names = {name: value for name, value in vars(module).items() if name.isupper() and isinstance(value, str)}
    return {value: name for name, value in names.items() if value in actions}
