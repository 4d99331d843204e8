"""The migrations: from nothing to the tables of the models, and back."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy import CheckConstraint, Connection, NullPool, create_engine, inspect, make_url, text

from app.embedded.stack import EmbeddedStack
from app.models import db
from app.models.migrating import MIGRATIONS
from tests.support.processes import ROOT, plain_environment


@pytest.fixture
def env(stack: EmbeddedStack) -> Iterator[dict[str, str]]:
    """The environment of a process whose database is empty."""
    url = make_url(stack.env["DATABASE_URL"])
    admin = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text("CREATE DATABASE empty"))
        own = {**stack.env, "DATABASE_URL": url.set(database="empty").render_as_string(hide_password=False)}
        yield plain_environment(**own)
        connection.execute(text("DROP DATABASE empty WITH (FORCE)"))


def start(env: dict[str, str], *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "manage.py", "db", *words]
    return subprocess.Popen(command, cwd=ROOT, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def finish(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    return output


def tables(env: dict[str, str]) -> set[str]:
    engine = create_engine(env["DATABASE_URL"], poolclass=NullPool)
    with engine.connect() as connection:
        return set(inspect(connection).get_table_names())


def test_there_is_one_head() -> None:
    assert len(ScriptDirectory(str(MIGRATIONS)).get_heads()) == 1


def test_two_upgrades_at_once_make_the_tables_once_and_a_downgrade_leaves_none(env: dict[str, str]) -> None:
    for process in [start(env, "upgrade"), start(env, "upgrade")]:
        finish(process)
    assert tables(env) == {*db.metadata.tables, "alembic_version"}
    engine = create_engine(env["DATABASE_URL"], poolclass=NullPool)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM settings")).scalar_one() == 1
        twice = "SELECT action FROM message_settings GROUP BY action HAVING count(*) > 1"
        assert connection.execute(text(twice)).all() == []
    finish(start(env, "downgrade", "base"))
    assert tables(env) == {"alembic_version"}


@pytest.fixture
def migrated(app: Flask) -> Iterator[Connection]:
    with app.app_context(), db.engine.connect() as connection:
        yield connection


def test_the_models_and_the_migrated_tables_agree(migrated: Connection) -> None:
    context = MigrationContext.configure(migrated, opts={"compare_type": True, "compare_server_default": True})
    assert compare_metadata(context, db.metadata) == []


def test_indexes_are_those_of_the_models(migrated: Connection, app: Flask) -> None:
    """Alembic does not compare what is in an index's WHERE or whether it descends: PostgreSQL says it in full."""
    wanted = _definitions(migrated, "index")
    assert {index.name for table in db.metadata.tables.values() for index in table.indexes} <= {
        row[1] for row in wanted
    }
    with app.app_context():
        assert wanted == _of_the_models(migrated, "index")


def test_constraints_are_those_of_the_models(migrated: Connection) -> None:
    wanted = _definitions(migrated, "constraint")
    assert wanted == _of_the_models(migrated, "constraint")
    named = {name for table in db.metadata.tables.values() for name in _check_names(table)}
    assert named <= {name for _, name, _ in wanted}


_QUERIES = {
    "index": """
        SELECT tablename, indexname, replace(indexdef, ' ON ' || schemaname || '.', ' ON ') FROM pg_indexes
        WHERE schemaname = :schema AND tablename <> 'alembic_version'
    """,
    "constraint": """
        SELECT relname, conname, replace(pg_get_constraintdef(c.oid), nspname || '.', '') FROM pg_constraint c
        JOIN pg_class ON pg_class.oid = conrelid JOIN pg_namespace n ON n.oid = c.connamespace
        WHERE nspname = :schema AND relname <> 'alembic_version'
    """,
}


def _definitions(connection: Connection, kind: str, schema: str = "public") -> set[tuple[Any, ...]]:
    return {tuple(row) for row in connection.execute(text(_QUERIES[kind]), {"schema": schema})}


def _of_the_models(connection: Connection, kind: str) -> set[tuple[Any, ...]]:
    """Make the tables as the models say, in a schema that is rolled back, and read them as PostgreSQL has them."""
    connection.execute(text("CREATE SCHEMA of_the_models"))
    connection.execute(text("SET LOCAL search_path TO of_the_models"))
    db.metadata.create_all(connection, checkfirst=False)
    found = _definitions(connection, kind, "of_the_models")
    connection.rollback()
    return found


def _check_names(table: Any) -> set[str]:
    return {str(one.name) for one in table.constraints if isinstance(one, CheckConstraint)}
