"""`manage.py create-token`, `tokens` and `revoke-token`."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from app.auth.services import service_of
from app.auth.tokens import TokenError
from app.commands import commands
from app.models import ServiceToken, db
from tests.support.rows import activities


def run(*words: str) -> Result:
    return CliRunner().invoke(commands, list(words))


def test_a_token_is_printed_once_listed_without_itself_and_revoked(database: None) -> None:
    made = run("create-token", "forum", "--scope", "happenings:write", "--scope", "event-types:write")
    assert made.exit_code == 0
    token = made.stdout.strip()
    assert re.fullmatch(r"ush_[A-Za-z0-9_-]{43}", token)
    assert service_of(token).scopes == ["event-types:write", "happenings:write"]

    listed = run("tokens").stdout
    assert token[4:] not in listed
    assert listed.startswith("forum  event-types:write, happenings:write\n  made ")
    assert "expires never  last used 2" in listed
    assert "revoked never" in listed

    for _ in range(2):
        assert run("revoke-token", "forum").stdout.startswith("The token of forum counts no more (revoked 2")
    with pytest.raises(TokenError):
        service_of(token)
    assert "revoked 2" in run("tokens").stdout
    assert activities()[-2:] == [
        "Service account forum created: event-types:write, happenings:write",
        "Service account forum revoked",
    ]


def test_it_expires_when_it_is_told_to(database: None) -> None:
    run("create-token", "forum", "--scope", "happenings:write", "--expires", "90d")
    [service] = db.session.scalars(select(ServiceToken))
    assert service.expires_at is not None
    assert (service.expires_at - service.created_at).days in (89, 90)


def test_there_is_nothing_to_list_at_first(database: None) -> None:
    assert run("tokens").stdout == "There are no service accounts: make one with `manage.py create-token`.\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("create-token", "forum", "--scope", "everything"), "there is no scope everything: scopes are happenings:"),
        (("create-token", "taken", "--scope", "happenings:write"), "the name taken is taken"),
        (("create-token", "a\nb", "--scope", "happenings:write"), "a name is one line of 1 to 255 characters"),
        (("create-token", " ", "--scope", "happenings:write"), "a name is one line of 1 to 255 characters"),
        (("create-token", "forum"), "Missing option '--scope'"),
        (("create-token", "forum", "--scope", "happenings:write", "--expires", "soon"), "this must be a length of"),
        (("create-token", "forum", "--scope", "happenings:write", "--expires", "0d"), "it would have expired already"),
        (("revoke-token", "forum"), "there is no service account forum"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(database: None, words: tuple[str, ...], told: str) -> None:
    run("create-token", "taken", "--scope", "happenings:write")
    result = run(*words)
    assert result.exit_code != 0
    assert told in result.stderr
    assert result.stdout == ""
    assert [service.name for service in db.session.scalars(select(ServiceToken))] == ["taken"]
