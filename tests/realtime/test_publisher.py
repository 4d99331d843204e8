"""What waits to be told, and what becomes of it when nobody can be told."""

from __future__ import annotations

import os

import pytest
import redis

from app.embedded.stack import EmbeddedStack
from app.inbox.changes import NEW, Change
from app.models import User, db
from app.realtime.keys import MEMORY, OPEN, presence_key, stream_key
from app.realtime.publisher import MAX_MISSED, MAX_WAITING, Work, wait_for_publishing
from app.realtime.telling import find_present, renew_everybody
from tests.conftest import People
from tests.realtime.conftest import Listen, Tell
from tests.support.plans import statements_about
from tests.support.processes import wait_for


def test_more_changes_than_may_wait_become_one_word_to_everybody() -> None:
    work = Work()
    work.add([Change(NEW, tuple(range(MAX_WAITING)))], {})
    assert len(work.take()) == 1
    assert not work
    work.add([Change(NEW, tuple(range(MAX_WAITING))), Change(NEW, (1,))], {1: 2})
    assert work.is_everybody
    assert (work.take(), work.ended) == ([], {1: 2})
    work.add([Change(NEW, (2,))], {})
    assert not work.changes  # everybody is told anyway


def test_those_who_were_missed_are_remembered_and_too_many_are_everybody() -> None:
    work = Work()
    work.miss(range(MAX_MISSED))
    work.miss(range(MAX_MISSED))
    assert (len(work.missed), work.is_everybody) == (MAX_MISSED, False)
    work.miss([-1])
    assert (len(work.missed), work.is_everybody) == (0, True)


def test_nobody_present_costs_no_statement(user: User, tell: Tell) -> None:
    tell(user)
    assert wait_for_publishing()
    with statements_about("notifications") as seen:
        tell(user)
        assert wait_for_publishing()
    assert [statement for statement, _ in seen if "unnest" in statement or "h.title" in statement] == []


def test_everybody_who_is_there_or_was_lately_reads_anew(
    broker: redis.Redis, people: People, listen: Listen, tell: Tell
) -> None:
    users = [people.user() for _ in range(3)]
    there, lately = listen(users[0]), users[1]
    alone = 10**6 + 6999
    for user_id in (lately.id, alone):
        keys = [presence_key(user_id), stream_key(user_id)]
        broker.register_script(OPEN)(keys=keys, args=["0123456789abcdef", 600, 1200, "", 0])
    client = redis.Redis.from_url(os.environ["REDIS_URL"], decode_responses=True)
    with client:
        everybody = [user.id for user in users]
        assert find_present(client, everybody) == {users[0].id, lately.id}
        # Among thousands Redis looks by itself, also where of some hundreds only one is there.
        assert find_present(client, [*everybody, *range(10**6, alone + 1)]) == {users[0].id, lately.id, alone}
        renew_everybody(client)
    assert there.message()["action"] == "resync"
    # His stream is another now, though the messages of the old one are there.
    assert listen(lately, Last_Event_ID="0123456789abcdef-1").message()["action"] == "resync"
    tell(users[0], "New")
    assert there.message()["action"] == "new"


def test_messages_without_their_presence_or_the_other_way_round_begin_anew(
    broker: redis.Redis, user: User, listen: Listen, tell: Tell
) -> None:
    stream = listen(user)
    broker.delete(stream_key(user.id))  # as a Redis that evicts may do
    tell(user, "Lost")
    assert stream.message()["action"] == "resync"
    tell(user, "New")
    assert stream.message()["notification"]["attributes"]["title"] == "New"


@pytest.mark.usefixtures("gateway")
def test_a_redis_that_was_emptied_costs_nobody_anything(
    broker: redis.Redis, user: User, listen: Listen, tell: Tell
) -> None:
    wait_for(lambda: broker.exists(MEMORY), "the gateway to look at Redis")
    stream = listen(user)
    broker.flushdb()
    tell(user, "Lost")
    assert wait_for_publishing()
    assert stream.message()["action"] == "resync"
    tell(user, "New")
    assert stream.message()["notification"]["attributes"]["title"] == "New"


@pytest.mark.usefixtures("database")
def test_a_process_that_was_forked_tells_by_a_thread_of_its_own(
    stack: EmbeddedStack, user: User, listen: Listen, tell: Tell
) -> None:
    stream = listen(user)
    tell(user, "By the parent")
    assert wait_for_publishing()
    user_id = user.id
    db.session.commit()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            db.engine.dispose(close=False)
            tell(db.session.get_one(User, user_id), "By the child")
            code = 0 if wait_for_publishing() else 1
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert [stream.message()["notification"]["attributes"]["title"] for _ in range(2)] == [
        "By the parent",
        "By the child",
    ]
