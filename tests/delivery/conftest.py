"""Fixtures of the tests that send in their own process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection

from app.delivery import retry
from app.delivery.retry import Backoff
from app.delivery.services.registry import close_transport
from app.models import db
from tests.servers.smtp import RecordingSmtp
from tests.support.sending import point_at


class _Longest(Backoff):
    """The longest delay instead of a random one, which may be none at all."""

    def draw(self, attempts: int, rng: Any) -> float:  # noqa: ARG002 - the signature of Backoff
        return self.ceiling(attempts)


@pytest.fixture
def connection(database: None) -> Iterator[Connection]:
    """A connection as the worker has it: each statement is a transaction."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as opened:
        yield opened


@pytest.fixture
def sending(database: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process that sends: one try of each mail at a time, and no connection left to the next test."""
    for name in ("TRANSIENT", "CONNECTION", "THROTTLED"):
        usual: Backoff = getattr(retry, name)
        monkeypatch.setattr(retry, name, _Longest(usual.base, usual.cap))
    yield
    close_transport()


@pytest.fixture
def smtp(sending: None) -> Iterator[RecordingSmtp]:
    """A server that takes every mail, and that the settings name."""
    with RecordingSmtp() as server:
        point_at(server.port)
        yield server
        close_transport()
