"""`@pytest.mark.triggers("mail:New Session Proposal", …)`: this test makes these actions happen as a user would.

After a marked test it is checked that rows of each action were really made during it, and that a request was sent which
the action's declaration names as its trigger (none for those of beat: they have no request). What no test is marked
for, fails in tests/api/test_triggers.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
from flask import Flask, request, request_started
from sqlalchemy import exists, select

from app.api.helpers.system_mails import MAILS
from app.api.helpers.system_notifications import NOTIFS
from app.models import Happening, Mail, Notification, db

# What a mark names, with what the action's declaration says of its triggers.
TRIGGERS: Final[dict[str, str]] = {
    **{f"mail:{action}": entry["trigger"] for action, entry in MAILS.items()},
    **{f"notif:{action}": entry["trigger"] for action, entry in NOTIFS.items()},
}
_REQUEST: Final = re.compile(r"\b(POST|PATCH|PUT|DELETE|GET) (/[^\s,;]+)")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[Any]:
    """Run the test, then hold it to its marks, as long as its fixtures are there."""
    marks = [name for mark in item.iter_markers("triggers") for name in mark.args]
    if not marks:
        return (yield)
    assert "database" in item.fixturenames, "a test of a trigger begins with empty tables: let it use `database`"  # type: ignore[attr-defined]
    sent: set[str] = set()

    def note(_app: Flask) -> None:
        rule = request.url_rule.rule if request.url_rule else ""
        sent.add(f"{request.method} {_with_any_id(rule)}")

    with request_started.connected_to(note):
        result = yield
    for mark in marks:
        check(mark, sent)
    return result


def check(mark: str, sent: set[str]) -> None:
    """Fail if no row of the marked action was made, or by none of the requests that it names, of those sent."""
    kind, _, action = mark.partition(":")
    if kind == "mail":
        made = exists().where(Mail.action == action)
    else:
        made = exists().where(Notification.happening_id == Happening.id, Happening.action == action)
    assert db.session.scalar(select(made)), f"the test is marked as a trigger of {mark}, but none was made"
    named = {f"{method} {_with_any_id(path)}" for method, path in _REQUEST.findall(TRIGGERS[mark])}
    assert not named or named & sent, f"{mark} was made by none of the requests that it names: {sorted(named)}"


def _with_any_id(path: str) -> str:
    return re.sub(r"<[^>]+>", "<id>", path)
