"""A database of the demo's own on somebody's server."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest

from app.demo.database import own_database
from app.embedded.errors import StackError
from app.embedded.stack import EmbeddedStack


def databases(url: str) -> set[str]:
    with closing(psycopg2.connect(url.replace("+psycopg2", ""))) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database")
        return {name for (name,) in cursor.fetchall()}


def test_it_is_another_one_on_the_same_server_and_gone_afterwards(stack: EmbeddedStack) -> None:
    url = stack.env["DATABASE_URL"]
    before = databases(url)
    with own_database(url) as own:
        assert own.startswith("postgresql+psycopg2://")
        assert len(databases(own) - before) == 1
        assert own.rpartition("/")[2] in databases(url)
    assert databases(url) == before


def test_it_is_dropped_with_somebody_still_connected(stack: EmbeddedStack) -> None:
    url = stack.env["DATABASE_URL"]
    before = databases(url)
    with own_database(url) as own:
        left_open = psycopg2.connect(own.replace("+psycopg2", ""))
    left_open.close()
    assert databases(url) == before


def test_a_server_that_does_not_answer_is_told_without_its_password() -> None:
    with (
        pytest.raises(StackError, match="OperationalError") as caught,
        own_database("postgresql://u:hidden@127.0.0.1:1/x"),
    ):
        pass
    assert "hidden" not in str(caught.value)
