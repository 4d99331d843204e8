"""Real servers, started once a session; every test finds empty tables, an empty broker and default settings."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade
from sqlalchemy import text

from app import create_app
from app.auth import passwords
from app.auth.passwords import hash_password
from app.auth.tokens import login_token
from app.delivery.handover import wait_for_hand_over
from app.delivery.services.shared_redis import SharedRedis
from app.embedded.stack import EmbeddedStack
from app.happenings import declared  # noqa: F401 - declares the types
from app.happenings.types import declared_types
from app.inbox import versions
from app.inbox.store import Store
from app.models import Event, EventRole, Speaker, User, db
from app.models.base import utc_now
from app.models.migrating import init_migrations
from app.realtime.publisher import wait_for_publishing
from tests.support.api import Api
from tests.support.triggers import pytest_runtest_call  # noqa: F401 - pytest finds its hooks by name

PASSWORD = "correct horse battery"
_KEEP = ("alembic_version",)


def pytest_xdist_auto_num_workers() -> int:
    """Two more than there are processors: much of the suite waits for servers and processes."""
    return (os.cpu_count() or 1) + 2


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    """PostgreSQL, Valkey and the mail catcher."""
    os.environ["APP_ENVIRONMENT"] = "testing"
    with EmbeddedStack(tmp_path_factory.mktemp("stack"), durable=False) as running:
        os.environ.update(running.env)
        yield running


@pytest.fixture(scope="session")
def app(stack: EmbeddedStack) -> Flask:
    """The application on a migrated database, with cheap hashes: one of the real ones takes as long as a whole test."""
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    passwords._hasher = cheap  # type: ignore[misc]  # noqa: SLF001 - a setting for it would be one that makes it weak
    application = create_app()
    with application.app_context():
        init_migrations(application)
        upgrade()
    return application


@pytest.fixture(scope="session")
def broker(stack: EmbeddedStack) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(stack.env["REDIS_URL"]) as client:
        yield client


@pytest.fixture(scope="session")
def _reset(app: Flask) -> str:
    """The statements that empty the tables, count from 1 again, and put the rows back that the migrations made.

    DELETE, not TRUNCATE: with the few rows of a test it takes a fiftieth of the time.
    """
    tables = [table for table in reversed(db.metadata.sorted_tables) if table.name not in _KEEP]
    with app.app_context():
        actions = db.session.scalars(text("SELECT action FROM message_settings ORDER BY id")).all()
        db.session.rollback()
    values = ", ".join(f"('{action}')" for action in actions)
    types = ", ".join(
        f"('{each.name}', '{each.title}', '{{{','.join(sorted(each.channels))}}}', {each.is_critical}, "
        f"{each.is_listenable}, 'code')"
        for each in declared_types()
    )
    counters = [table.name for table in tables if "id" in table.c and table.c.id.identity]
    return "; ".join(
        [
            *(f"DELETE FROM {table.name}" for table in tables),
            *(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), 1, false)" for name in counters),
            "INSERT INTO settings (id) VALUES (1)",
            f"INSERT INTO message_settings (action) VALUES {values}",
            f"INSERT INTO event_types (name, title, channels, is_critical, is_listenable, origin) VALUES {types}",
        ]
    )


@pytest.fixture
def database(app: Flask, broker: redis.Redis, _reset: str) -> Iterator[None]:
    """An application context, with empty tables and an empty broker."""
    with app.app_context():
        db.session.execute(text(_reset))
        db.session.commit()
        wait_for_publishing()
        wait_for_hand_over()  # what the test before has queued must not come to this one's broker
        broker.flushdb()
        yield
        db.session.rollback()
        db.session.remove()


@pytest.fixture
def patient_versions(stack: EmbeddedStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The versions of inboxes by a connection that waits: on a busy machine none is missed for want of a moment."""
    client = redis.Redis.from_url(stack.env["REDIS_URL"], decode_responses=True)
    patient = Store(SharedRedis(client))
    monkeypatch.setattr(versions, "inbox_store", lambda _url: patient)


@pytest.fixture
def client(app: Flask, database: None) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def api(client: FlaskClient) -> Api:
    """A JSON:API client without a token; `api.as_(user)` gives one with."""
    return Api(client)


class People:
    """Makes accounts, events and speakers straight in the database, for tests that are about something else."""

    def __init__(self) -> None:
        self.password = PASSWORD
        self._hash = hash_password(PASSWORD)
        self._count = 0

    def user(self, email: str | None = None, *, admin: bool = False, verified: bool = True) -> User:
        self._count += 1
        user = self.make(email or f"user{self._count}@example.org", admin=admin, verified=verified)
        db.session.add(user)
        db.session.commit()
        return user

    def make(self, email: str, *, admin: bool = False, verified: bool = True) -> User:
        """An account that is not yet in the database."""
        return User(email=email, password_hash=self._hash, is_admin=admin, is_verified=verified)

    def admin(self) -> User:
        return self.user("admin@example.org", admin=True)

    def event(self, owner: User, name: str = "Harbour Conference", state: str = "published", **roles: User) -> Event:
        now = utc_now()
        event = Event(name=name, starts_at=now, ends_at=now, state=state)
        event.roles = [EventRole(user=owner, role="owner")]
        event.roles += [EventRole(user=user, role=role) for role, user in roles.items()]
        db.session.add(event)
        db.session.commit()
        return event

    def speaker(self, event: Event, user: User | None = None, email: str | None = None, name: str = "Ana") -> Speaker:
        speaker = Speaker(name=name, email=email or (user.email if user else None), event=event, user=user)
        db.session.add(speaker)
        db.session.commit()
        return speaker

    def token(self, user: User) -> str:
        return login_token(user)


@pytest.fixture(scope="session")
def _people() -> People:
    return People()


@pytest.fixture
def people(_people: People, database: None) -> People:
    return _people


@pytest.fixture(scope="session")
def conference() -> Path:
    """The data of a real conference, where a checkout has it beside it."""
    path = Path(__file__).resolve().parents[2] / "shared" / "data" / "fossasia-summit-2017.json"
    if not path.exists():
        pytest.skip("the data of the real conference is not beside this checkout")
    return path
