"""No action without a real change that causes it: each is triggered, as users do it, by a test that says so."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.api.helpers.mail import send_email_new_session
from app.api.helpers.notification import send_notif_new_session_organizer
from app.models import db
from tests.conftest import People
from tests.support.triggers import TRIGGERS, check

TESTS = Path(__file__).resolve().parents[1]


def marks(path: Path) -> Iterator[tuple[str, str]]:
    """The actions that the tests of a file are marked for, each with the test."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.FunctionDef):
            continue
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.triggers":
                for argument in decorator.args:
                    yield ast.literal_eval(argument), f"{path.relative_to(TESTS)}::{node.name}"


MARKED: dict[str, list[str]] = {}
for _path in sorted(TESTS.rglob("test_*.py")):
    for _action, _test in marks(_path):
        MARKED.setdefault(_action, []).append(_test)


@pytest.mark.parametrize("action", TRIGGERS)
def test_every_action_is_triggered_by_a_test(action: str) -> None:
    assert action in MARKED, f"mark the test that makes it happen: @pytest.mark.triggers({action!r})"


def test_a_mark_names_an_action_that_there_is_and_stands_on_a_test() -> None:
    assert MARKED.keys() <= TRIGGERS.keys()
    for tests in MARKED.values():
        assert all(test.rpartition("::")[2].startswith("test_") for test in tests)


@pytest.mark.parametrize("kind", ["mail", "notif"])
def test_a_test_that_does_not_keep_its_mark_fails(people: People, kind: str) -> None:
    mark, user = f"{kind}:New Session Proposal", people.user()
    with pytest.raises(AssertionError, match="none was made"):
        check(mark, {"POST /v1/sessions"})
    send_email_new_session(user, "Harbour", "https://events.example.org/")
    with pytest.raises(AssertionError, match="none was made"):
        check("notif:New Session Proposal", {"POST /v1/sessions"})
    send_notif_new_session_organizer(user, "Harbour", "https://events.example.org/")
    db.session.commit()
    check(mark, {"POST /v1/sessions", "GET /v1/sessions"})
    with pytest.raises(AssertionError, match="none of the requests"):
        check(mark, {"GET /v1/sessions"})
