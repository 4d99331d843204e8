"""The operator's commands, on servers of one's own and on none; see test_dev.py for those on a running `dev`."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from app.auth.passwords import verify_password
from app.commands import commands
from app.embedded.stack import EmbeddedStack
from app.models import User, db
from tests.conftest import PASSWORD, People
from tests.support.dev import manage

NEW_PASSWORD = "a longer password of the admin"


def create_admin(*words: str, typed: str | None = None, **env: str) -> Result:
    return CliRunner().invoke(commands, ["create-admin", *words], input=typed, env=env)


def only_user() -> User:
    db.session.expire_all()
    return db.session.scalars(select(User)).one()


def test_a_new_admin_is_verified_and_has_the_password(database: None) -> None:
    result = create_admin("Boss@example.org", "--password", NEW_PASSWORD)
    assert (result.exit_code, result.output) == (0, "Boss@example.org is now an admin (user 1).\n")
    user = only_user()
    assert (user.is_admin, user.is_verified) == (True, True)
    assert verify_password(user.password_hash, NEW_PASSWORD)


def test_the_password_comes_from_the_environment_or_is_asked_for_twice(database: None) -> None:
    assert create_admin("boss@example.org", USHER_ADMIN_PASSWORD=NEW_PASSWORD).exit_code == 0
    assert verify_password(only_user().password_hash, NEW_PASSWORD)
    db.session.delete(only_user())
    db.session.commit()
    asked = create_admin("boss@example.org", typed=f"{PASSWORD}\n{PASSWORD}\n")
    assert asked.exit_code == 0
    assert PASSWORD not in asked.output
    assert verify_password(only_user().password_hash, PASSWORD)


def test_an_account_that_is_there_is_promoted_and_keeps_its_password(people: People) -> None:
    people.user("boss@example.org", verified=False)
    assert create_admin("BOSS@example.org").exit_code == 0
    user = only_user()
    assert (user.is_admin, user.is_verified, user.token_version) == (True, True, 0)
    assert verify_password(user.password_hash, PASSWORD)


def test_a_new_password_of_an_account_ends_its_earlier_logins(people: People) -> None:
    people.user("boss@example.org")
    assert create_admin("boss@example.org", "--password", NEW_PASSWORD).exit_code == 0
    user = only_user()
    assert user.token_version == 1
    assert verify_password(user.password_hash, NEW_PASSWORD)


@pytest.mark.parametrize(
    ("address", "password", "told"),
    [
        ("boss@example.org", "short", "Error: A password has"),
        ("boss", NEW_PASSWORD, "Error: Invalid value for EMAIL"),
        ("a@example.org, b@example.org", NEW_PASSWORD, "Error: Invalid value for EMAIL"),
    ],
)
def test_what_cannot_be_an_admin_is_refused_with_the_reason(
    database: None, address: str, password: str, told: str
) -> None:
    result = create_admin(address, "--password", password)
    assert result.exit_code != 0
    assert told in result.output
    assert password not in result.output
    assert db.session.scalars(select(User)).all() == []


@pytest.mark.parametrize("words", [("create-admin", "boss@example.org", "--password", NEW_PASSWORD), ("db", "upgrade")])
def test_without_any_server_one_line_says_what_to_do(tmp_path: Path, words: tuple[str, ...]) -> None:
    code, output, errors = manage(*words, cwd=tmp_path)
    assert (code, output) == (1, "")
    assert errors.count("\n") == 1
    assert f"no `manage.py dev` runs on {tmp_path / '.usher'}: start one. Or set DATABASE_URL" in errors
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_is_away_or_empty_is_told_in_one_line_without_its_password(stack: EmbeddedStack) -> None:
    away = {**stack.env, "DATABASE_URL": "postgresql://usher:s3cret@127.0.0.1:1/usher"}
    code, _, errors = manage("db", "upgrade", **away)
    assert code == 1
    assert errors.count("\n") == 1
    assert errors.startswith("usher: the database cannot be used: ")
    assert "Connection refused" in errors
    assert "s3cret" not in errors

    empty = {**stack.env, "DATABASE_URL": stack.env["DATABASE_URL"].rpartition("/")[0] + "/postgres"}
    code, _, errors = manage("create-admin", "boss@example.org", "--password", NEW_PASSWORD, **empty)
    assert code == 1
    assert errors.count("\n") == 1
    assert errors.startswith("usher: the database does not fit this version: ")
    assert "manage.py db upgrade" in errors
