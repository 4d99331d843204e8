"""Telling many: inline and in parts, once each, resumed after a crash, in the middle of which others look on."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from app.api.helpers.happenings import notify_happening
from app.delivery import tasks as delivering
from app.happenings.audience import everyone
from app.happenings.telling import fanout
from app.happenings.telling.fanout import work_on
from app.models import (
    ChannelMessage,
    Decision,
    Fanout,
    FanoutPart,
    Happening,
    HeldMail,
    Mail,
    MessageSettings,
    Notification,
    Preference,
    User,
    db,
)
from app.models.base import utc_now
from app.models.mail import BULK, SCHEDULED
from tests.conftest import People
from tests.support.announced import MESSAGE, TITLE, TYPE, finish, ids_of, mailed, told
from tests.support.rows import statements


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything above three people goes in parts of seven."""
    monkeypatch.setattr(fanout, "INLINE", 3)
    monkeypatch.setattr(fanout, "PART", 7)


# --- few: with the caller's transaction


def test_few_are_told_with_the_callers_commit(database: None, crowd: list[User]) -> None:
    happening = notify_happening(TYPE, TITLE, MESSAGE, link="/events/1", data={"n": 1}, users=crowd[:2])
    assert told(happening) == ids_of(crowd[:2])
    db.session.rollback()
    assert db.session.scalar(select(func.count()).select_from(Notification)) == 0

    happening = notify_happening(TYPE, TITLE, MESSAGE, link="/events/1", data={"n": 1}, users=crowd[:2])
    db.session.commit()
    assert told(happening) == ids_of(crowd[:2])
    mail = db.session.scalars(select(Mail).where(Mail.user_id == crowd[0].id)).one()
    assert (mail.recipient, mail.subject, mail.action, mail.lane) == (crowd[0].email, TITLE, TYPE, BULK)
    assert MESSAGE in mail.message
    assert 'href="http://127.0.0.1:5000/events/1"' in mail.message
    assert "begins at ten" in mail.text.replace("*", "")
    notification = db.session.scalars(select(Notification).where(Notification.user_id == crowd[0].id)).one()
    assert (notification.title, notification.action, notification.data) == (TITLE, TYPE, {"n": 1})


def test_telling_a_hundred_takes_as_many_statements_as_telling_two(database: None, people: People) -> None:
    users = [people.make(f"many{number}@example.org") for number in range(100)]
    db.session.add_all(users)
    db.session.commit()
    counts = []
    for some in (users[:2], users):
        ids = ids_of(some)
        with statements() as seen:
            notify_happening(TYPE, TITLE, MESSAGE, users=ids)
            db.session.commit()
        counts.append(len(seen))
    assert counts[0] == counts[1]


def test_a_person_who_is_named_twice_is_told_once(database: None, crowd: list[User]) -> None:
    happening = notify_happening(TYPE, TITLE, MESSAGE, users=[crowd[0], crowd[0].id, crowd[1]])
    db.session.commit()
    assert told(happening) == ids_of(crowd[:2])
    assert len(mailed(happening)) == 2


def test_a_removed_account_and_an_unconfirmed_address_are_left_out(database: None, people: People) -> None:
    gone, new, ana = people.user(), people.user(verified=False), people.user()
    gone.deleted_at = utc_now()
    db.session.commit()
    happening = notify_happening(TYPE, TITLE, MESSAGE, users=everyone())
    db.session.commit()
    assert told(happening) == ids_of([new, ana])
    assert mailed(happening) == [ana.email]


def test_the_mail_is_in_the_recipients_language(database: None, people: People) -> None:
    users = [people.user() for _ in range(4)]
    for user, language in zip(users, ("de-AT", "ar", "fr", "en"), strict=True):
        user.language = language
    db.session.commit()
    happening = notify_happening(TYPE, TITLE, MESSAGE, link="https://example.org/x", users=users)
    db.session.commit()
    mails = {mail.user_id: mail for mail in db.session.scalars(select(Mail).where(Mail.happening_id == happening.id))}
    assert [mails[user.id].language for user in users] == ["de", "ar", "en", "en"]
    assert "Weiterlesen" in mails[users[0].id].message
    assert "Read more" in mails[users[2].id].message


# --- what the admins and the users say


def test_what_the_admins_have_switched_off_is_not_told(database: None, crowd: list[User]) -> None:
    db.session.add(MessageSettings(action=TYPE, mail_status=False))
    db.session.commit()
    happening = notify_happening(TYPE, TITLE, MESSAGE, users=crowd)
    db.session.commit()
    assert (len(told(happening)), mailed(happening)) == (30, [])


def wish(user: User, channel: str, mode: str, pattern: str = "sessions.*", minutes: int | None = None) -> None:
    user.has_preferences = True
    db.session.add(Preference(user_id=user.id, pattern=pattern, channel=channel, mode=mode, minutes=minutes))


def test_each_channel_obeys_its_users_wishes_and_says_why(database: None, crowd: list[User]) -> None:
    ana, ben, cleo, dan, eve, *others = crowd
    wish(ana, "mail", "off")
    wish(ben, "in-app", "off", pattern="*")
    wish(cleo, "mail", "daily")
    wish(dan, "mail", "unread", minutes=30)
    wish(eve, "mail", "off", pattern="*")
    wish(eve, "mail", "on", pattern=TYPE)
    db.session.commit()
    happening = notify_happening(TYPE, TITLE, MESSAGE, users=crowd)
    db.session.commit()
    assert told(happening) == ids_of([ana, cleo, dan, eve, *others])
    assert mailed(happening) == sorted(user.email for user in (ben, eve, *others))
    held = db.session.scalars(select(HeldMail).order_by(HeldMail.user_id)).all()
    assert [(row.user_id, row.mode) for row in held] == [(cleo.id, "daily"), (dan.id, "unread")]
    assert timedelta(minutes=29) < held[1].due_at - utc_now() < timedelta(minutes=31)
    why = {
        (row.user_id, row.channel): (row.outcome, row.reason, row.pattern)
        for row in db.session.scalars(select(Decision))
    }
    assert why[ana.id, "mail"] == ("nothing", "user-type", "sessions.*")
    assert why[ana.id, "in-app"] == ("send", "default", None)
    assert why[ben.id, "in-app"] == ("nothing", "user-channel", "*")
    assert why[cleo.id, "mail"] == ("digest", "user-type", "sessions.*")
    assert why[eve.id, "mail"] == ("send", "user-type", TYPE)
    assert {user_id for user_id, _ in why} == set(ids_of([ana, ben, cleo, dan, eve]))


def test_a_mail_in_the_quiet_hours_is_planned_for_their_end(database: None, crowd: list[User]) -> None:
    ana, ben = crowd[:2]
    ana.has_preferences = True
    db.session.execute(
        text("INSERT INTO delivery_hours (user_id, quiet_from, quiet_until) VALUES (:id, :begin, :end)"),
        {
            "id": ana.id,
            "begin": (utc_now() - timedelta(hours=1)).time(),
            "end": (utc_now() + timedelta(hours=2)).time(),
        },
    )
    db.session.commit()
    happening = notify_happening(TYPE, TITLE, MESSAGE, users=[ana, ben])
    db.session.commit()
    mails = {mail.user_id: mail for mail in db.session.scalars(select(Mail).where(Mail.happening_id == happening.id))}
    assert mails[ana.id].status == SCHEDULED
    assert timedelta(hours=1) < mails[ana.id].next_attempt_at - utc_now() < timedelta(hours=3)
    assert mails[ben.id].status == "queued"
    assert told(happening) == [ana.id, ben.id]


def test_sms_goes_to_those_who_want_it_and_have_a_number(database: None, crowd: list[User]) -> None:
    ana, ben = crowd[:2]
    ana.phone = "+4912345678"
    for user in (ana, ben):
        wish(user, "sms", "on")
    db.session.commit()
    notify_happening(TYPE, TITLE, MESSAGE, link="https://example.org/x", users=crowd)
    db.session.commit()
    message = db.session.scalars(select(ChannelMessage)).one()
    assert (message.user_id, message.channel, message.recipient) == (ana.id, "sms", "+4912345678")
    assert message.text.endswith("\nhttps://example.org/x")
    why = db.session.scalars(select(Decision).where(Decision.user_id == ben.id, Decision.channel == "sms")).one()
    assert (why.outcome, why.reason) == ("nothing", "unreachable")


# --- many: in parts, after the commit


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("kind", ["audience", "list", "select"])
def test_many_are_told_in_parts_after_the_commit(database: None, crowd: list[User], kind: str) -> None:
    users = {"audience": everyone(), "list": crowd, "select": select(User)}[kind]
    happening = notify_happening(TYPE, TITLE, MESSAGE, users=users)
    db.session.commit()
    assert told(happening) == []
    fan = db.session.get_one(Fanout, happening.id)
    assert fan.state == ("waiting" if kind == "audience" else "telling")
    assert work_on(happening.id, 0)
    assert (fan.state, fan.recipients, fan.done) == ("telling", 30, 7)
    finish(happening)
    assert told(happening) == ids_of(crowd)
    assert mailed(happening) == sorted(user.email for user in crowd)
    assert (fan.state, fan.done, fan.notifications, fan.mails) == ("told", 30, 30, 30)
    assert db.session.scalar(select(func.count()).select_from(FanoutPart)) == 0
    finish(happening)
    assert len(told(happening)) == 30


@pytest.mark.usefixtures("small_parts")
def test_a_fan_out_that_crashes_goes_on_and_tells_nobody_twice(
    database: None, crowd: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    happening = notify_happening(TYPE, TITLE, MESSAGE, users=everyone())
    db.session.commit()
    assert work_on(happening.id, 0)
    original = fanout.tell

    def die(*arguments: object) -> None:
        original(*arguments)  # type: ignore[arg-type]
        raise KeyboardInterrupt  # after the rows were written, before they were committed

    monkeypatch.setattr(fanout, "tell", die)
    with pytest.raises(KeyboardInterrupt):
        work_on(happening.id, 60)
    db.session.rollback()
    assert len(told(happening)) == 7
    monkeypatch.setattr(fanout, "tell", original)
    finish(happening)
    assert told(happening) == ids_of(crowd)
    assert len(mailed(happening)) == 30


@pytest.mark.usefixtures("small_parts")
def test_several_workers_share_the_parts_and_count_to_the_sum(app: Flask, database: None, crowd: list[User]) -> None:
    happening = notify_happening(TYPE, TITLE, MESSAGE, users=everyone())
    db.session.commit()
    id_ = happening.id

    def work() -> None:
        with app.app_context():
            while work_on(id_, 60):
                continue

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    db.session.expire_all()
    fan = db.session.get_one(Fanout, id_)
    assert (fan.state, fan.done, fan.notifications, fan.mails) == ("told", 30, 30, 30)
    assert told(happening) == ids_of(crowd)


def test_bulk_mail_leaves_the_workers_sooner_while_people_are_still_to_be_told(
    database: None, crowd: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[float] = []

    def note(_engine: object, _settings: object, *, seconds: float) -> Counter[str]:
        turns.append(seconds)
        return Counter()

    monkeypatch.setattr(delivering, "drain", note)
    monkeypatch.setattr(fanout, "INLINE", 2)
    delivering.drain_due()
    happening = notify_happening(TYPE, TITLE, MESSAGE, users=everyone())
    db.session.commit()
    delivering.drain_due()
    while work_on(happening.id, 60):
        pass
    delivering.drain_due()
    assert turns == [5.0, 1.0, 5.0]


@pytest.mark.usefixtures("small_parts")
def test_the_callers_transaction_is_small_however_many_are_told(database: None, people: People) -> None:
    counts = []
    for number in (20, 60):
        users = [people.make(f"n{number}-{each}@example.org") for each in range(number)]
        db.session.add_all(users)
        db.session.commit()
        with statements() as seen:
            notify_happening(TYPE, TITLE, MESSAGE, users=everyone())
            db.session.commit()
        counts.append(len(seen))
        assert db.session.scalar(select(func.count()).select_from(Notification)) == 0
    assert counts[0] == counts[1]


@pytest.mark.usefixtures("small_parts")
def test_a_rolled_back_happening_tells_nobody(database: None, crowd: list[User]) -> None:
    notify_happening(TYPE, TITLE, MESSAGE, users=crowd)
    db.session.rollback()
    for table in (Happening, Fanout, FanoutPart, Notification, Mail):
        assert db.session.scalar(select(func.count()).select_from(table)) == 0
