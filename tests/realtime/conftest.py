"""A gateway for all tests, on the servers of the session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from app.api.helpers.notification import About, send_notification
from app.auth.tokens import login_token
from app.embedded.stack import EmbeddedStack
from app.models import Notification, User, db
from app.models.notification import NEXT_EVENT
from tests.conftest import People
from tests.support.processes import wait_for
from tests.support.streams import Gateway, Stream, running_gateway

Listen = Callable[..., Stream]
Tell = Callable[..., Notification]


@pytest.fixture(scope="session")
def _gateway(stack: EmbeddedStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    log = tmp_path_factory.mktemp("gateway") / "log"
    with running_gateway(stack.env, log, program=("manage.py", "realtime")) as gateway:
        yield gateway
        # Whatever the clients and the tests did, nothing was a surprise.
        assert [line for line in gateway.log.read_text().splitlines() if '"level": "error"' in line] == []


@pytest.fixture
def gateway(_gateway: Gateway, database: None) -> Gateway:
    """The gateway, which nobody is connected to, and which hears Redis."""
    wait_for(lambda: _gateway.figure('usher_realtime_connections{kind="sse"}') == 0, "the end of all connections")
    wait_for(_gateway.is_ready, "the gateway to hear Redis")
    return _gateway


@pytest.fixture
def user(people: People) -> User:
    return people.user("ana@example.org")


@pytest.fixture
def listen(gateway: Gateway) -> Iterator[Listen]:
    """Opens a stream of a user's, past its opening; it is closed at the end of the test."""
    with ExitStack() as streams:

        def connect(user: User, query: str = "", **headers: str) -> Stream:
            stream = streams.enter_context(gateway.stream(user.id, login_token(user), query, **headers))
            assert stream.status == 200
            return stream

        yield connect


@pytest.fixture
def tell(database: None) -> Tell:
    """Tells a user something, and commits."""

    def send(user: User, title: str = "Soon", message: str = "It begins.", about: About | None = None) -> Notification:
        notification = send_notification(user, NEXT_EVENT, title, message, about)
        assert notification is not None
        db.session.commit()
        return notification

    return send
