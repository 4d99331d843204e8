"""Telling many: inline and in parts, once each, resumed after a crash, in the middle of which others look on."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select, text, update

from app.api.helpers.happenings import HappeningError, notify_happening
from app.happenings import fanout
from app.happenings.audience import Audience, AudienceError, everyone, role_on, speakers_of, ticket_holders_of
from app.happenings.fanout import work_on
from app.models import (
    Attendee,
    ChannelMessage,
    Decision,
    Event,
    EventRole,
    Fanout,
    FanoutPart,
    Happening,
    HeldMail,
    Listen,
    Mail,
    MessageSettings,
    Notification,
    Order,
    Preference,
    Session,
    Ticket,
    User,
    db,
)
from app.models.base import utc_now
from app.models.mail import BULK, SCHEDULED
from tests.conftest import People
from tests.support.rows import statements

TYPE = "sessions.session.rescheduled"
TITLE, MESSAGE = "A session has moved", "<p>It begins at <strong>ten</strong>.</p>"


@pytest.fixture
def crowd(people: People) -> list[User]:
    """Thirty accounts with confirmed addresses."""
    users = [people.make(f"crowd{number}@example.org") for number in range(30)]
    db.session.add_all(users)
    db.session.commit()
    return users


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything above three people goes in parts of seven."""
    monkeypatch.setattr(fanout, "INLINE", 3)
    monkeypatch.setattr(fanout, "PART", 7)


def told(happening: Happening) -> list[int]:
    ids = select(Notification.user_id).where(Notification.happening_id == happening.id)
    return sorted(db.session.scalars(ids))


def mailed(happening: Happening) -> list[str]:
    return sorted(db.session.scalars(select(Mail.recipient).where(Mail.happening_id == happening.id)))


def finish(happening: Happening) -> None:
    while work_on(happening.id, 60):
        continue


def ids_of(users: list[User]) -> list[int]:
    return sorted(user.id for user in users)


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


# --- audiences


def test_a_select_of_users_or_of_ids_is_an_audience(database: None, crowd: list[User]) -> None:
    wanted = User.email.in_(["crowd1@example.org", "crowd2@example.org"])
    for statement in (select(User.id).where(wanted), select(User).where(wanted).order_by(User.email)):
        happening = notify_happening(TYPE, TITLE, MESSAGE, users=statement)
        db.session.commit()
        assert told(happening) == ids_of(crowd[1:3])


def test_a_select_of_the_first_few_is_told_to_these(database: None, crowd: list[User]) -> None:
    latest = select(User).order_by(User.id.desc()).limit(2)
    happening = notify_happening(TYPE, TITLE, MESSAGE, users=latest)
    db.session.commit()
    assert told(happening) == ids_of(crowd[-2:])


def test_a_role_the_speakers_and_the_ticket_holders_of_an_event_are_audiences(database: None, people: People) -> None:
    owner, moderator, speaker, buyer, guest = (people.user(f"{name}@example.org") for name in "omsbg")
    event = people.event(owner, moderator=moderator)
    people.speaker(event, user=None, email="S@example.org")
    people.speaker(event, user=owner, email="nobody@example.org")
    ticket = Ticket(name="Seat", event=event)
    order = Order(user=buyer, event=event, status="completed", completed_at=utc_now())
    open_order = Order(user=owner, event=event)
    db.session.add_all(
        [
            Attendee(firstname="G", email="g@example.org", event=event, ticket=ticket, order=order),
            Attendee(firstname="X", email="unknown@example.org", event=event, ticket=ticket, order=order),
            Attendee(firstname="M", email="m@example.org", event=event, ticket=ticket, order=open_order),
        ]
    )
    db.session.commit()
    expected: list[tuple[Audience, list[User]]] = [
        (role_on(event, "owner"), [owner]),
        (role_on(event), [owner, moderator]),
        (speakers_of(event), [speaker]),
        (ticket_holders_of(event), [buyer, guest]),
    ]
    for audience, users in expected:
        happening = notify_happening(TYPE, TITLE, MESSAGE, event=event, users=audience)
        db.session.commit()
        assert told(happening) == ids_of(users), audience.kind
    event.deleted_at = utc_now()
    db.session.commit()
    for audience, _ in expected:
        assert told(notify_happening(TYPE, TITLE, MESSAGE, users=audience)) == [], audience.kind


def test_an_audience_of_an_event_that_was_only_just_added_is_found(database: None, people: People) -> None:
    ana = people.user()
    event = Event(name="New", starts_at=utc_now(), ends_at=utc_now())
    db.session.add_all([event, EventRole(event=event, user=ana, role="owner")])
    assert told(notify_happening(TYPE, TITLE, MESSAGE, event=event, users=role_on(event, "owner"))) == [ana.id]


def test_a_role_that_is_none_and_an_event_that_is_nowhere_are_no_audience(database: None, people: People) -> None:
    with pytest.raises(AudienceError, match="owner, organizer"):
        role_on(people.event(people.user()), "organiser")
    for make in (role_on, speakers_of, ticket_holders_of):
        with pytest.raises(AudienceError, match="not in the database"):
            make(Event(name="Nowhere"))


@pytest.mark.parametrize(
    ("pattern", "hears"),
    [
        (TYPE, True),
        ("sessions.*", True),
        ("sessions.session.*", True),
        ("*", True),
        ("sessions.session.proposed", False),
        ("session.*", False),
        ("events.*", False),
        ("sessions.sess.*", False),
    ],
)
def test_whoever_listens_to_the_type_or_a_prefix_is_told(
    database: None, people: People, pattern: str, hears: bool
) -> None:
    ana = people.user()
    db.session.add(Listen(user_id=ana.id, pattern=pattern))
    db.session.commit()
    assert told(notify_happening(TYPE, TITLE, MESSAGE)) == ([ana.id] if hears else [])


def test_all_are_told_who_follow_it_by_several_listens(
    database: None, crowd: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    """More listens than people who are told with the commit, though they are not so many people."""
    monkeypatch.setattr(fanout, "INLINE", 30)
    eager = [Listen(user=user, pattern=pattern) for user in crowd[:15] for pattern in (TYPE, "sessions.*", "*")]
    db.session.add_all([*eager, *(Listen(user=user, pattern=TYPE) for user in crowd[15:])])
    db.session.commit()
    happening = notify_happening(TYPE, TITLE, MESSAGE)
    db.session.commit()
    finish(happening)
    assert told(happening) == ids_of(crowd)
    assert len(mailed(happening)) == len(crowd)


def test_a_listen_on_one_thing_hears_of_this_thing_only(database: None, people: People) -> None:
    owner, ana, ben, cleo = (people.user() for _ in range(4))
    event, other = people.event(owner), people.event(owner)
    session = Session(title="Talk", event=event, state="accepted")
    db.session.add(session)
    db.session.flush()
    db.session.add_all(
        [
            Listen(user_id=ana.id, pattern="sessions.*", event_id=event.id),
            Listen(user_id=ben.id, pattern="sessions.*", session_id=session.id),
            Listen(user_id=cleo.id, pattern="*", subject="forums.post:9"),
        ]
    )
    db.session.commit()
    assert told(notify_happening(TYPE, TITLE, MESSAGE, session=session)) == [ana.id, ben.id]
    assert told(notify_happening(TYPE, TITLE, MESSAGE, event=event)) == [ana.id]
    assert told(notify_happening(TYPE, TITLE, MESSAGE, event=other)) == []
    assert told(notify_happening(TYPE, TITLE, MESSAGE)) == []
    assert told(notify_happening(TYPE, TITLE, MESSAGE, subject="forums.post:9")) == [cleo.id]


def test_a_listener_hears_only_of_what_he_may_see(database: None, people: People) -> None:
    owner, speaker, stranger, admin = people.user(), people.user(), people.user(), people.admin()
    event = people.event(owner)
    session = Session(title="Talk", event=event, speakers=[people.speaker(event, speaker)])
    db.session.add(session)
    db.session.add_all([Listen(user=user, pattern="*") for user in (owner, speaker, stranger, admin)])
    db.session.commit()
    everybody = ids_of([owner, speaker, stranger, admin])
    assert told(notify_happening(TYPE, TITLE, MESSAGE, session=session)) == ids_of([owner, speaker, admin])
    session.state = "accepted"
    assert told(notify_happening(TYPE, TITLE, MESSAGE, session=session)) == everybody
    event.state = "draft"
    assert told(notify_happening(TYPE, TITLE, MESSAGE, event=event)) == ids_of([owner, admin])
    event.deleted_at = utc_now()
    assert told(notify_happening(TYPE, TITLE, MESSAGE, event=event)) == []


def test_the_actor_is_told_of_his_own_deed_only_if_he_asked(database: None, crowd: list[User]) -> None:
    ana, ben = crowd[:2]
    db.session.add_all([Listen(user=user, pattern="sessions.*") for user in (ana, ben)])
    db.session.commit()
    assert told(notify_happening(TYPE, TITLE, MESSAGE, actor=ana)) == [ben.id]
    assert told(notify_happening(TYPE, TITLE, MESSAGE, actor=ana, users=[ana, ben])) == [ben.id]
    db.session.execute(update(Listen).where(Listen.user_id == ana.id).values(includes_own=True))
    assert told(notify_happening(TYPE, TITLE, MESSAGE, actor=ana)) == [ana.id, ben.id]


def test_who_is_told_in_other_words_is_not_told_again(database: None, crowd: list[User]) -> None:
    assert told(notify_happening(TYPE, TITLE, MESSAGE, users=everyone(), besides=crowd[2:])) == ids_of(crowd[:2])


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


# --- bad input


def a_cycle() -> list[object]:
    cycle: list[object] = []
    cycle.append(cycle)
    return cycle


def too_deep() -> list[object]:
    deep: list[object] = []
    for _ in range(100):
        deep = [deep]
    return deep


@pytest.mark.parametrize(
    ("field", "arguments"),
    [
        ("event_type", {"event_type": "nobody.declared.this"}),
        ("event_type", {"event_type": "two.levels"}),
        ("event_type", {"event_type": "Bad Name.x.y"}),
        ("title", {"title": " \n "}),
        ("title", {"title": "x" * 1001}),
        ("message", {"message": ""}),
        ("message", {"message": "a\0b"}),
        ("link", {"link": "javascript:alert(1)"}),
        ("link", {"link": "//evil.example.org/x"}),
        ("link", {"link": "http://[::1"}),
        ("link", {"link": "/\\evil.example.org"}),
        ("subject", {"subject": ""}),
        ("group_key", {"group_key": "x" * 256}),
        ("data", {"data": "x" * 16 * 1024}),
        ("data", {"data": a_cycle()}),
        ("data", {"data": too_deep()}),
        ("data", {"data": float("nan")}),
        ("data", {"data": {"a": "\0"}}),
        ("data", {"data": {1, 2}}),
        ("data", {"data": "\ud800"}),
        ("data", {"data": {"a": "x" * (16 * 1024 - 7)}}),
        ("message", {"message": "\ud800"}),
        ("title", {"title": "half a surrogate \ud800"}),
        ("link", {"link": "http://example.org:99999/"}),
        ("users", {"users": [1, 999_999]}),
        ("users", {"users": [1, 2**70]}),
        ("users", {"users": [1, "ana@example.org"]}),
        ("users", {"users": [True]}),
    ],
)
def test_what_cannot_be_announced_is_refused_with_the_arguments_name(
    database: None, people: People, field: str, arguments: dict[str, object]
) -> None:
    people.user()
    values = {"event_type": TYPE, "title": TITLE, "message": MESSAGE, **arguments}
    with pytest.raises(HappeningError) as caught:
        notify_happening(values.pop("event_type"), values.pop("title"), values.pop("message"), **values)  # type: ignore[arg-type]
    assert caught.value.field == field
    db.session.commit()
    assert db.session.scalar(select(func.count()).select_from(Happening)) == 0


def test_data_of_sixteen_kilobytes_is_kept(database: None) -> None:
    umlauts, numbers = ["ü" * ((16 * 1024 - 4) // 2)], {"a": [1] * (16 * 1024 // 2 - 7), "b": 0}
    for data in (umlauts, numbers):
        happening = notify_happening(TYPE, TITLE, MESSAGE, data=data, users=[])
        db.session.commit()
        db.session.expire_all()
        assert happening.data == data


def test_a_session_of_another_event_is_refused(database: None, people: People) -> None:
    event, other = (people.event(people.user()) for _ in range(2))
    session = Session(title="Talk", event=event)
    db.session.add(session)
    with pytest.raises(HappeningError) as caught:
        notify_happening(TYPE, TITLE, MESSAGE, event=other, session=session, users=[])
    assert caught.value.field == "session"


def test_an_event_is_needed_by_nobody(database: None, people: People) -> None:
    event: Event = people.event(people.user())
    happening = notify_happening(TYPE, TITLE, MESSAGE, event=event, users=[])
    assert happening.event_id == event.id
