"""Taking back what many were told: before, while and after they are told, whatever dies in between."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import redis
from flask import Flask
from sqlalchemy import func, select, text, update

from app.api.helpers.happenings import notify_happening
from app.delivery.channels.recovery import recover_messages
from app.delivery.desk.work import retry
from app.delivery.handover import wait_for_hand_over
from app.delivery.recovery import try_doubtful_again
from app.happenings.audience import everyone
from app.happenings.holding.held import release
from app.happenings.tasks import sweep, take_back
from app.happenings.telling import fanout, recall
from app.happenings.telling.fanout import work_on
from app.happenings.telling.recall import go_on
from app.inbox.changes import noted_changes
from app.models import (
    ChannelMessage,
    ChannelService,
    Decision,
    Fanout,
    FanoutPart,
    Happening,
    HeldMail,
    Mail,
    MailEvent,
    Notification,
    Preference,
    User,
    db,
)
from app.models.base import utc_now
from app.models.fanout import RECALLED, TOLD
from app.realtime.keys import OPEN, channel_of, presence_key, stream_key
from app.realtime.telling import tell_changes
from tests.conftest import People
from tests.support.api import Api

TYPE = "platform.broadcast.sent"
PEOPLE = 12
# A worker's claim of a mail or of a message.
CLAIMED = {"claim": "7d9f0c2e-58a5-4c0e-9a9f-2f2d6a1f0b11", "lease_until": utc_now()}


@pytest.fixture
def crowd(people: People) -> list[User]:
    users = [people.make(f"crowd{number}@example.org") for number in range(PEOPLE)]
    db.session.add_all(users)
    db.session.commit()
    return users


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than two people are many: they are told four at a time, and untold three at a time."""
    for module in (fanout, recall):
        monkeypatch.setattr(module, "INLINE", 2)
    monkeypatch.setattr(fanout, "PART", 4)
    monkeypatch.setattr(recall, "CHUNK", 3)
    monkeypatch.setattr(recall, "AT_ONCE", 0)


def tell() -> int:
    """The id of a happening for everybody."""
    happening = notify_happening(TYPE, "News", "<p>There are some.</p>", users=everyone())
    db.session.commit()
    return happening.id


def finish(work: Callable[[int, float], bool], happening_id: int) -> None:
    while work(happening_id, 60):
        pass


def take_back_at_once(happening_id: int) -> None:
    recall.recall(happening_id)
    db.session.commit()


def row_of(happening_id: int) -> Fanout:
    db.session.rollback()
    return db.session.get_one(Fanout, happening_id)


def shown(happening_id: int) -> int:
    """How many still see it."""
    statement = select(func.count()).select_from(Notification)
    return db.session.scalar(statement.where(Notification.happening_id == happening_id, ~is_hidden())) or 0


def is_hidden() -> Any:
    return Notification.deleted_at.is_not(None)


def statuses(model: Any = Mail) -> dict[str, int]:
    return dict(db.session.execute(select(model.status, func.count()).group_by(model.status)).all())  # type: ignore[arg-type]  # pairs


def become(model: Any, where: Any, *through: str) -> None:
    """Move mails or messages along the state machine."""
    for status in through:
        claim = CLAIMED if status == "sending" else {"claim": None, "lease_until": None}
        values = {**claim, "status": status, **({"sent_at": utc_now()} if status == "sent" else {})}
        statement = update(model).where(where).values({**values, "next_attempt_at": utc_now()})
        db.session.execute(statement.execution_options(synchronize_session=False))
    db.session.commit()


def wish(user: User, channel: str, mode: str) -> None:
    user.has_preferences = True
    user.phone = "+4912345678"
    db.session.add(Preference(user_id=user.id, pattern="platform.*", channel=channel, mode=mode))


def test_what_few_were_told_is_taken_back_with_the_callers_commit(
    database: None, api: Api, crowd: list[User], people: People
) -> None:
    wish(crowd[0], "mail", "daily")
    wish(crowd[1], "sms", "on")
    db.session.commit()
    id_ = tell()
    become(Mail, Mail.recipient == crowd[2].email, "sending", "sent")
    ana = db.session.scalars(select(Notification).where(Notification.user_id == crowd[3].id)).one()
    before = ana.deleted_at = utc_now()
    db.session.commit()
    recall.recall(id_)
    removed = [change for change in noted_changes(db.session()) if change.action == "removed"]
    assert sum(len(change.user_ids) for change in removed) == PEOPLE - 1
    db.session.commit()
    assert row_of(id_).finished_at is not None
    assert shown(id_) == 0
    # What its owner removed himself he removed then.
    assert db.session.get_one(Notification, ana.id).deleted_at == before
    assert api.as_(crowd[2]).get(f"/v1/users/{crowd[2].id}/notifications").json["meta"]["count"] == 0
    assert api.as_(people.admin()).get("/v1/notifications").json["meta"]["count"] == PEOPLE
    assert statuses() == {"cancelled": PEOPLE - 2, "sent": 1}
    assert statuses(ChannelMessage) == {"cancelled": 1}
    assert db.session.scalar(select(func.count()).select_from(HeldMail)) == 0
    of_mail = select(Decision.reason).where(Decision.user_id == crowd[0].id, Decision.channel == "mail")
    assert db.session.scalars(of_mail).one() == "recalled"
    told = set(db.session.scalars(select(MailEvent.text).where(MailEvent.event == "cancelled")))
    assert told == {"Cancelled by the recall of the broadcast."}


def test_open_connections_are_told_which_notification_is_gone(
    database: None, crowd: list[User], broker: redis.Redis
) -> None:
    id_ = tell()
    recall.recall(id_)
    changes = noted_changes(db.session())
    db.session.commit()
    wait_for_hand_over()
    keys = [presence_key(crowd[0].id), stream_key(crowd[0].id)]
    broker.register_script(OPEN)(keys=keys, args=["0" * 16, 60, 60, "", 0])
    with broker.pubsub(ignore_subscribe_messages=True) as listening:
        listening.subscribe(channel_of(crowd[0].id))
        listening.get_message(timeout=5)
        tell_changes(broker, db.engine, changes)
        heard = listening.get_message(timeout=5)
    mine = db.session.scalars(select(Notification.id).where(Notification.user_id == crowd[0].id)).one()
    assert heard is not None
    assert b'"action":"removed"' in heard["data"]
    assert f'"id":"{mine}"'.encode() in heard["data"]
    assert b'"unread-count":0' in heard["data"]


def test_a_recall_that_is_rolled_back_has_taken_nothing_back(database: None, crowd: list[User]) -> None:
    id_ = tell()
    recall.recall(id_)
    db.session.rollback()
    assert (row_of(id_).state, shown(id_), statuses()) == (TOLD, PEOPLE, {"queued": PEOPLE})


def test_nobody_is_told_of_what_was_recalled_before_a_worker_began(
    database: None, crowd: list[User], many: None
) -> None:
    id_ = tell()
    take_back_at_once(id_)
    assert not work_on(id_, 60)
    row = row_of(id_)
    assert (row.state, row.done, row.finished_at is None) == (RECALLED, 0, False)
    assert (shown(id_), statuses()) == (0, {})


def test_of_what_is_recalled_in_the_middle_nobody_else_is_told(database: None, crowd: list[User], many: None) -> None:
    id_ = tell()
    assert work_on(id_, 0)
    assert shown(id_) == 4
    take_back_at_once(id_)
    assert db.session.scalar(select(func.count()).select_from(FanoutPart)) == 0
    assert not work_on(id_, 60)
    finish(go_on, id_)
    row = row_of(id_)
    assert (row.state, row.done, row.notifications, row.mails) == (RECALLED, 4, 4, 4)
    assert (shown(id_), statuses()) == (0, {"cancelled": 4})
    assert row.finished_at is not None
    assert row.taken_back is None


def test_the_mails_of_many_stop_with_the_recall_and_not_when_a_worker_has_time(
    database: None, crowd: list[User], many: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recall, "AT_ONCE", 60)
    id_ = tell()
    finish(work_on, id_)
    become(Mail, Mail.user_id == crowd[0].id, "sending")
    take_back_at_once(id_)
    assert (shown(id_), statuses()) == (0, {"cancelled": PEOPLE - 1, "sending": 1})
    # Of that one a worker says what becomes of it.
    assert row_of(id_).finished_at is None
    become(Mail, Mail.user_id == crowd[0].id, "deferred")
    finish(go_on, id_)
    assert (statuses(), row_of(id_).finished_at is None) == ({"cancelled": PEOPLE}, False)


def test_another_worker_goes_on_where_one_died(database: None, crowd: list[User], many: None) -> None:
    id_ = tell()
    finish(work_on, id_)
    take_back_at_once(id_)
    assert (shown(id_), statuses()) == (PEOPLE, {"queued": PEOPLE})
    seen = []
    while go_on(id_, 0):
        # The next worker does a chunk, and dies before its commit.
        dying = db.session.get_one(Fanout, id_, with_for_update=True)
        recall.take_back_chunk(dying)
        left = row_of(id_)
        seen.append(json.dumps(left.taken_back))
    assert len(seen) == len(set(seen)) >= 2 * PEOPLE // 3
    assert (shown(id_), statuses()) == (0, {"cancelled": PEOPLE})
    events = db.session.scalar(select(func.count()).select_from(MailEvent).where(MailEvent.event == "cancelled"))
    assert events == PEOPLE
    assert not go_on(id_, 60)
    take_back_at_once(id_)
    assert row_of(id_).finished_at is not None


def test_a_mail_that_is_being_sent_is_cancelled_if_it_does_not_leave(
    database: None, crowd: list[User], many: None
) -> None:
    wish(crowd[0], "sms", "on")
    db.session.commit()
    id_ = tell()
    finish(work_on, id_)
    become(Mail, Mail.recipient == crowd[0].email, "sending")
    become(ChannelMessage, ChannelMessage.user_id == crowd[0].id, "sending")
    take_back_at_once(id_)
    finish(go_on, id_)
    # The inboxes do not wait for it.
    assert (shown(id_), statuses()) == (0, {"cancelled": PEOPLE - 1, "sending": 1})
    assert row_of(id_).finished_at is None
    for model in (Mail, ChannelMessage):
        become(model, model.status == "sending", "deferred")
    finish(go_on, id_)
    assert (statuses(), statuses(ChannelMessage)) == ({"cancelled": PEOPLE}, {"cancelled": 1})
    assert row_of(id_).finished_at is not None


def test_what_is_in_doubt_or_has_failed_is_not_sent_again(database: None, crowd: list[User]) -> None:
    db.session.add(ChannelService(name="text", channel="sms", url="json://example.org/{to}"))
    wish(crowd[0], "sms", "on")
    db.session.commit()
    id_ = tell()
    db.session.execute(text("UPDATE settings SET uncertain_mails = 'retry'"))
    ids = list(db.session.scalars(select(Mail.id).order_by(Mail.id)))
    become(Mail, Mail.id == ids[0], "sending", "uncertain")
    become(Mail, Mail.id == ids[1], "sending", "failed")
    become(ChannelMessage, ChannelMessage.user_id == crowd[0].id, "sending", "uncertain")
    take_back_at_once(id_)
    assert row_of(id_).finished_at is not None
    assert try_doubtful_again(db.session.connection()) == 0
    assert recover_messages(db.session.connection()) == (0, 0)
    done = retry(db.session.connection(), ids[:2], "an admin")
    assert set(done.skipped.values()) == {"What it tells was recalled: it is not sent any more."}
    assert statuses() == {"cancelled": PEOPLE - 2, "failed": 1, "uncertain": 1}


def test_a_recall_waits_for_the_part_that_is_being_told(
    app: Flask, database: None, crowd: list[User], many: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = tell()
    begun, may_go_on, tell_part = threading.Event(), threading.Event(), fanout.tell

    def slow(*arguments: Any) -> Any:
        told = tell_part(*arguments)
        begun.set()
        assert may_go_on.wait(10)
        return told

    monkeypatch.setattr(fanout, "tell", slow)

    def in_own_thread(work: Callable[..., Any], *arguments: Any) -> Any:
        with app.app_context():
            return work(*arguments)

    with ThreadPoolExecutor(2) as pool:
        worker = pool.submit(in_own_thread, work_on, id_, 60)
        assert begun.wait(10)
        recalling = pool.submit(in_own_thread, take_back_at_once, id_)
        waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        while not db.session.scalar(waiting):
            db.session.rollback()
            assert not recalling.done()
        may_go_on.set()
        assert not worker.result(10)
        recalling.result(10)
    finish(go_on, id_)
    row = row_of(id_)
    assert (row.state, row.done) == (RECALLED, 4)
    assert (shown(id_), statuses()) == (0, {"cancelled": 4})


def test_a_held_mail_that_a_worker_is_making_is_waited_for_by_neither(database: None, crowd: list[User]) -> None:
    wish(crowd[0], "mail", "daily")
    db.session.commit()
    id_ = tell()
    with db.engine.connect() as worker:
        worker.execute(text("DELETE FROM held_mails"))
        take_back_at_once(id_)
        assert worker.scalar(text("SELECT state FROM fanouts FOR SHARE")) == RECALLED
        worker.rollback()
    assert row_of(id_).finished_at is not None
    # It was not made after all: who looks at it later finds that it is not needed.
    assert sum(release(utc_now() + timedelta(days=2))) == 0
    assert db.session.scalar(select(func.count()).select_from(HeldMail)) == 0


def test_the_sweep_hands_over_what_is_not_yet_taken_back(
    database: None, crowd: list[User], many: None, broker: redis.Redis
) -> None:
    id_ = tell()
    finish(work_on, id_)
    take_back_at_once(id_)
    wait_for_hand_over()

    def handed_over() -> list[str]:
        sent = [json.loads(raw)["headers"]["task"] for raw in broker.lrange("usher", 0, -1)]
        broker.delete("usher")
        return [task for task in sent if task in ("usher.recall", "usher.fanout")]

    assert handed_over().count("usher.recall") == 1
    sweep()
    assert handed_over() == ["usher.recall"]
    take_back([id_])
    assert shown(id_) == 0
    sweep()
    assert handed_over() == []


def test_the_happening_of_a_recalled_broadcast_stays_in_the_admins_log(database: None, crowd: list[User]) -> None:
    id_ = tell()
    take_back_at_once(id_)
    assert db.session.get_one(Happening, id_).title == "News"
    assert db.session.scalar(select(func.count()).select_from(Notification).where(is_hidden())) == PEOPLE
