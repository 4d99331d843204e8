"""The versions of inboxes: held before a commit, released after it, and of no use to anybody in between."""

from __future__ import annotations

import pytest
import redis
from sqlalchemy.exc import OperationalError

from app.delivery import outbox
from app.inbox import store as store_module
from app.inbox.changes import NEW, note_change
from app.inbox.store import ALL, MANY, Store, Version, name_of_many
from app.inbox.versions import store
from app.models import User, db
from app.realtime.publisher import wait_for_publishing
from tests.conftest import People
from tests.support.rows import notify

AWAY = "redis://127.0.0.1:1/0"
pytestmark = pytest.mark.usefixtures("patient_versions")


@pytest.fixture
def ana(people: People) -> User:
    return people.user("ana@example.org")


def present(user_id: int) -> Version:
    version = store().read(user_id)
    assert version is not None
    return version


def versions(user_id: int) -> tuple[str, str]:
    version = present(user_id)
    return version.of_all, version.own


def test_a_version_stays_until_somebody_changes_the_inbox(people: People, ana: User) -> None:
    ben = people.user()
    mine, his = versions(ana.id), versions(ben.id)
    assert versions(ana.id) == mine
    notify(ana)
    assert versions(ana.id)[1] != mine[1]
    assert versions(ben.id) == his


def test_there_is_no_version_from_before_the_commit_until_it_is_released(ana: User, broker: redis.Redis) -> None:
    before, ours = versions(ana.id), store()
    for writer in ("first", "second"):
        assert ours.hold(writer, [ana.id])
    assert ours.read(ana.id) is None
    assert ours.release("first", [ana.id])
    assert ours.read(ana.id) is None, "another one is still at it"
    assert ours.release("second", [ana.id])
    assert versions(ana.id)[1] != before[1]


def test_a_writer_who_was_not_heard_from_again_is_waited_for_no_longer_than_he_may_take(
    ana: User, monkeypatch: pytest.MonkeyPatch, broker: redis.Redis
) -> None:
    monkeypatch.setattr(store_module, "HOLD", 0.05)
    store().hold("dies", [ana.id])
    assert store().read(ana.id) is None
    # The set's own life ends with the newest writer's; what a dead one has left in it does not count.
    monkeypatch.setattr(store_module, "HOLD", 30.0)
    store().hold("lives", [ana.id])
    while len(broker.zrange(f"usher:inbox:{ana.id}:writers", 0, -1)) == 2:
        store().read(ana.id)
    assert store().read(ana.id) is None
    store().release("lives", [ana.id])
    assert versions(ana.id)


def test_a_version_ends_by_itself_however_often_it_is_asked_for(ana: User, broker: redis.Redis) -> None:
    versions(ana.id)
    broker.pexpire(f"usher:inbox:{ana.id}", 1000)
    versions(ana.id)
    assert 0 < broker.pttl(f"usher:inbox:{ana.id}") <= 1000
    assert 0 < broker.pttl(f"usher:inbox:{ALL}") <= store_module.LIFE * 1000


def test_a_change_of_many_inboxes_ends_their_versions_in_two_commands_and_no_others(
    ana: User, broker: redis.Redis
) -> None:
    # Redis ends a thousand at a time: one is among the first, one among the last.
    last = ana.id + 1500
    before, between, beyond = versions(ana.id), versions(ana.id + 1), versions(ana.id + 10_000)
    before_last = versions(last)
    note_change(db.session(), NEW, [ana.id, *range(ana.id + 2, last + 1)])
    db.session.commit()
    assert versions(ana.id)[0] == before[0]
    assert versions(ana.id)[1] != before[1]
    assert versions(last)[1] != before_last[1]
    assert (versions(ana.id + 1), versions(ana.id + 10_000)) == (between, beyond)
    # Those of all and of the four, and nothing of the writer.
    assert len(broker.keys("usher:inbox:*")) == 5


def test_while_many_are_being_told_no_version_is_made_between_them(ana: User) -> None:
    many = [ana.id, *range(ana.id + 2, ana.id + 500)]
    between = versions(ana.id + 1)
    writer = name_of_many("writer", many)
    assert store().hold_many(writer, many)
    assert store().hold_many(name_of_many("other", [10**6, 10**6 + 9]), [10**6, 10**6 + 9])
    assert store().read(ana.id) is None
    assert (store().read(ana.id + 499), bool(store().read(ana.id + 500))) == (None, True)
    assert store().read(ana.id + 300) is None
    assert versions(ana.id + 1) == between, "it was there, and is not changed"
    assert store().read(ana.id + 1000)
    assert store().release_many(writer)
    assert store().read(ana.id)


def test_many_whose_writer_did_not_reach_redis_in_time_end_all_versions(
    ana: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = versions(ana.id)
    with monkeypatch.context() as patched:
        patched.setattr(type(store()), "hold_many", lambda *_: False)
        note_change(db.session(), NEW, range(ana.id, ana.id + MANY + 1))
        db.session.commit()
    assert versions(ana.id)[0] != before[0]


def test_a_change_of_two_hundred_inboxes_is_two_commands(
    ana: User, broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def commands() -> int:
        stats = broker.info("commandstats")
        return sum(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("evalsha", "eval"))

    notify(ana)
    assert wait_for_publishing()
    monkeypatch.setattr(outbox, "publish", lambda *_: None)  # it has a script of its own
    seen = commands()
    note_change(db.session(), NEW, range(ana.id, ana.id + MANY))
    db.session.commit()
    assert commands() - seen == 2


def test_what_is_rolled_back_ends_no_version_and_a_savepoint_neither(ana: User) -> None:
    before = versions(ana.id)
    note_change(db.session(), NEW, [ana.id])
    db.session.rollback()
    with db.session.begin_nested() as savepoint:
        note_change(db.session(), NEW, [ana.id])
        savepoint.rollback()
    db.session.commit()
    assert versions(ana.id) == before


def test_after_a_commit_that_failed_nobody_knows_and_no_version_is_given(
    ana: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id = ana.id
    versions(user_id)

    def fail(*_: object) -> None:
        raise OperationalError("COMMIT", {}, RuntimeError("the connection was lost"))

    note_change(db.session(), NEW, [user_id])
    db.session.execute(db.select(1))
    with monkeypatch.context() as patched:
        patched.setattr(db.engine.dialect, "do_commit", fail)
        with pytest.raises(OperationalError):
            db.session.commit()
    db.session.rollback()
    assert store().read(user_id) is None


def test_a_count_is_kept_for_its_version_only(ana: User) -> None:
    old = present(ana.id)
    assert old.count is None
    store().keep(old, count=7)
    assert present(ana.id).count == 7
    for change in ([ana.id], [ALL]):
        store().hold("writer", change)
        store().release("writer", change)
        new = present(ana.id)
        assert new.count is None
        store().keep(old, count=7)
        assert present(ana.id).count is None, "counted before the change"
        store().keep(new, count=8)


def test_what_a_writer_could_not_say_ends_all_versions_as_soon_as_he_can(
    ana: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = store()
    before = versions(ana.id)
    with monkeypatch.context() as away:
        away.setattr(ours, "shared", store_module.SharedRedis(store_module.connect(AWAY)))
        notify(ana)
    assert versions(ana.id)[0] != before[0]


def test_without_redis_there_are_no_versions_and_it_is_not_asked_each_time(ana: User) -> None:
    away = Store(store_module.SharedRedis(store_module.connect(AWAY)))
    assert away.read(1) is None
    assert not away.hold("writer", [1])
    assert not away.release("writer", [1])
