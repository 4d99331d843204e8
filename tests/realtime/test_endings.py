"""Logins that end, gateways that end, a Redis that goes: nobody misses anything without being told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from sqlalchemy import text
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from app.auth.tokens import login_token
from app.embedded.stack import EmbeddedStack
from app.inbox.changes import NEW, note_change
from app.models import Happening, Notification, User, db
from app.models.base import utc_now
from app.models.notification import NEXT_EVENT
from app.realtime.keys import version_key
from app.realtime.publisher import wait_for_publishing
from app.realtime.tasks import tell_revocations
from tests.conftest import People
from tests.realtime.conftest import Listen, Tell
from tests.support.api import Api
from tests.support.processes import wait_for
from tests.support.streams import SECONDS, Gateway, Stream, running_gateway

NEW_PASSWORD = "another good password"


def is_over(stream: Stream) -> bool:
    """Read to the end."""
    while stream.next() is not None:
        pass
    return True


def test_a_new_password_ends_every_connection_of_the_earlier_logins_at_once(
    user: User, people: People, listen: Listen, gateway: Gateway, api: Api, tell: Tell
) -> None:
    other = people.user()
    theirs, mine, old = listen(other), listen(user), login_token(user)
    socket = connect(
        f"ws://127.0.0.1:{gateway.port}/ws/notifications",
        additional_headers={"Authorization": f"JWT {old}"},
        proxy=None,
    )
    body = {"data": {"old-password": people.password, "new-password": NEW_PASSWORD}}
    answer = api.as_(user).post("/v1/auth/change-password", body)
    assert answer.status_code == 200
    assert is_over(mine)
    with socket, pytest.raises(ConnectionClosed) as ended:
        socket.recv(SECONDS)
    assert ended.value.rcvd is not None
    assert (ended.value.rcvd.code, ended.value.rcvd.reason) == (1008, "ended")
    with gateway.stream(user.id, old) as refused:
        assert refused.status == 401
    with gateway.stream(user.id, answer.json["access_token"]) as anew:
        assert anew.status == 200
    tell(other, "Not touched")
    assert theirs.message()["notification"]["attributes"]["title"] == "Not touched"


def test_only_a_commit_ends_logins_and_a_removed_user_has_none(user: User, listen: Listen, broker: redis.Redis) -> None:
    stream = listen(user)
    token = login_token(user)
    user.token_version += 1
    db.session.flush()
    db.session.rollback()
    savepoint = db.session.begin_nested()
    user.token_version += 1
    savepoint.rollback()
    db.session.commit()
    assert wait_for_publishing()
    assert not broker.exists(version_key(user.id))
    user.deleted_at = utc_now()
    db.session.commit()
    assert is_over(stream)
    assert user.tokens_ended_at is not None
    assert login_token(user) == token or user.token_version == 0


def test_what_a_restarted_redis_has_forgotten_is_told_again_by_the_task(
    user: User, gateway: Gateway, broker: redis.Redis
) -> None:
    token = login_token(user)
    user.token_version += 1
    db.session.commit()
    assert wait_for_publishing()
    broker.flushdb()
    tell_revocations()
    assert int(broker.get(version_key(user.id)) or 0) == 1
    with gateway.stream(user.id, token) as refused:
        assert refused.status == 401
    db.session.execute(text("UPDATE users SET tokens_ended_at = now() - interval '3 days'"))
    db.session.commit()
    broker.flushdb()
    tell_revocations()
    assert not broker.exists(version_key(user.id))


def tell_all(users: list[User], title: str) -> None:
    """A broadcast: one happening for all of them."""
    happening = Happening(action=NEXT_EVENT, title=title, message="")
    db.session.add(happening)
    db.session.flush()
    ids = [user.id for user in users]
    rows = [{"happening_id": happening.id, "user_id": id_} for id_ in ids]
    db.session.execute(Notification.__table__.insert(), rows)  # type: ignore[attr-defined]
    note_change(db.session(), NEW, ids, happening_id=happening.id)
    db.session.commit()


def known_titles(stream: Stream, last: str) -> set[str]:
    """What a client knows after it was told something: the titles, or by a resync everything."""
    titles = set()
    while True:
        message = stream.message()
        if message["action"] == "resync":
            titles |= set(db.session.scalars(text("SELECT title FROM happenings")))
        else:
            titles.add(message["notification"]["attributes"]["title"])
        if last in titles:
            return titles


def inbox(api: Api, user: User) -> set[str]:
    found = api.as_(user).get(f"/v1/users/{user.id}/notifications").json["data"]
    return {each["attributes"]["title"] for each in found}


@pytest.fixture
def others(people: People) -> list[User]:
    return [people.user() for _ in range(8)]


def test_a_gateway_that_ends_in_a_broadcast_says_goodbye_and_its_clients_resume_at_the_next(
    stack: EmbeddedStack, others: list[User], api: Api, tmp_path: Path
) -> None:
    with running_gateway(stack.env, tmp_path / "first") as first:
        streams = [first.stream(user.id, login_token(user)) for user in others]
        opened = [stream.next() for stream in streams]
        tell_all(others, "One")
        known = [stream.message()["id"] for stream in streams[:4]] + [
            each.id for each in opened[4:] if each and each.id
        ]
        first.popen.terminate()
        tell_all(others, "Two")
        for stream in streams:
            with stream:
                assert is_over(stream)
        assert first.popen.wait(SECONDS) == 0
    tell_all(others, "Three")
    assert wait_for_publishing()
    with running_gateway(stack.env, tmp_path / "second", first.port) as second:
        for number, (user, last) in enumerate(zip(others, known, strict=True)):
            with second.stream(user.id, login_token(user), Last_Event_ID=last) as stream:
                missed = ["Two", "Three"] if number < 4 else ["One", "Two", "Three"]
                assert [stream.message()["notification"]["attributes"]["title"] for _ in missed] == missed
            assert inbox(api, user) == {"One", "Two", "Three"}


@pytest.fixture
def _redis_comes_back(stack: EmbeddedStack) -> Iterator[None]:
    yield
    if not _runs(stack):
        stack.start_server("valkey")


def _runs(stack: EmbeddedStack) -> bool:
    try:
        with redis.Redis.from_url(stack.env["REDIS_URL"]) as client:
            return bool(client.ping())
    except redis.ConnectionError:
        return False


@pytest.mark.usefixtures("_redis_comes_back")
def test_a_redis_that_is_restarted_in_a_broadcast_costs_nobody_anything(
    stack: EmbeddedStack, gateway: Gateway, others: list[User], listen: Listen, api: Api
) -> None:
    streams = [listen(user) for user in others]
    tell_all(others, "One")
    stack.stop_part("valkey")
    tell_all(others, "Two")
    with gateway.stream(others[0].id, login_token(others[0])) as late:
        assert late.status == 503
    stack.start_server("valkey")
    wait_for(gateway.is_ready, "the gateway to hear Redis again")
    tell_all(others, "Three")
    for user, stream in zip(others, streams, strict=True):
        assert known_titles(stream, "Three") == inbox(api, user) == {"One", "Two", "Three"}
    tell_all(others, "Four")
    for stream in streams:
        message = stream.message()
        # Both the gateway and the publisher may have said before that something was missed.
        while message["action"] == "resync" or message["notification"]["attributes"]["title"] != "Four":
            message = stream.message()


@pytest.mark.usefixtures("_redis_comes_back")
def test_logins_that_end_while_redis_is_away_are_ended_when_it_is_back(
    stack: EmbeddedStack, gateway: Gateway, user: User, listen: Listen
) -> None:
    stream = listen(user)
    stack.stop_part("valkey")
    user.token_version += 1
    db.session.commit()
    stack.start_server("valkey")
    assert is_over(stream)
