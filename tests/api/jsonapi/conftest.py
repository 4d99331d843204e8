"""The toy API on a database of its own, on the servers that all tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import NullPool, create_engine, make_url, text
from toybox import Toys
from toys import make_app

from app.embedded.stack import EmbeddedStack
from app.models import db


@pytest.fixture(scope="session")
def toy_app(stack: EmbeddedStack) -> Iterator[Flask]:
    url = make_url(stack.env["DATABASE_URL"]).set(drivername="postgresql+psycopg2")
    # Kept by no pool: tests of outages end the connections that they find.
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CREATE DATABASE toys"))
    app = make_app(url.set(database="toys").render_as_string(hide_password=False))
    with app.app_context():
        db.metadata.create_all(db.engine)
    yield app
    with app.app_context():
        db.engine.dispose()
    with engine.connect() as connection:
        connection.execute(text("DROP DATABASE toys WITH (FORCE)"))


@pytest.fixture
def toys(toy_app: Flask) -> Toys:
    tables = ", ".join(table.name for table in db.metadata.sorted_tables)
    with toy_app.app_context():
        db.session.execute(text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
        db.session.commit()
    return Toys(toy_app, toy_app.test_client())
