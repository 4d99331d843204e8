"""Mails that were held: digests and mails for what stays unread, once and never lost, whoever makes or ends them."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import event, select, text
from sqlalchemy.exc import OperationalError

from app.api.helpers.happenings import notify_happening
from app.api.helpers.mail import Sending, create_batch, send_email_new_session, send_email_with_action
from app.api.helpers.notification import About, send_notification
from app.api.helpers.templates import Rendered
from app.happenings.deciding.decision import (
    ADMIN,
    DIGEST,
    NOTHING,
    READ,
    RECALLED,
    UNLESS_READ,
    UNREACHABLE,
    USER_CHANNEL,
    USER_TYPE,
)
from app.happenings.declared import SESSION_PROPOSED
from app.happenings.holding import held
from app.happenings.holding.digests import Item, make_digest
from app.happenings.holding.held import release
from app.models import DeliveryHours, HeldMail, Mail, MailBatch, Notification, User, db
from app.models.base import utc_now
from app.models.mail import BULK, NEW_SESSION, QUEUED
from app.periodic.run import run_periodic
from tests.conftest import People
from tests.support.preferences import decisions, keep_quiet, make_held_due, prefer
from tests.support.rows import activities, count

LINK = "https://example.org/session"


@pytest.fixture
def ana(people: People) -> User:
    return people.user("ana@example.org")


def tell(user: User, title: str, link: str | None = LINK) -> None:
    """Tell somebody in the app and by mail."""
    send_notification(user, NEW_SESSION, title, f"<p>{title}</p>", About(link=link))
    send_email_new_session(user, title, LINK)
    db.session.commit()


def propose(user: User, sending: Sending) -> None:
    send_email_with_action(user, NEW_SESSION, sending, event_name="Harbour Conference", link=LINK)


def run() -> int:
    return sum(release(utc_now()))


def mails() -> list[Mail]:
    return list(db.session.scalars(select(Mail).order_by(Mail.id)))


def read_first(user: User) -> None:
    row = db.session.scalars(
        select(Notification).where(Notification.user_id == user.id).order_by(Notification.id)
    ).first()
    assert row is not None
    row.mark(is_read=True)
    db.session.commit()


# --- digests


def test_a_digest_is_one_mail_for_all_that_waited_without_what_was_read(ana: User) -> None:
    prefer(ana, "mail", "daily")
    for number in range(3):
        tell(ana, f"Conference {number}")
    read_first(ana)
    assert run() == 0
    make_held_due()
    assert run() == 1
    [mail] = mails()
    assert (mail.action, mail.recipient, mail.user_id) == ("Digest", "ana@example.org", ana.id)
    assert (mail.status, mail.lane, mail.subject) == (QUEUED, BULK, "New messages: 2")
    for part in (mail.message, mail.text):
        assert "Conference 0" not in part
        assert part.index("Conference 1") < part.index("Conference 2")
    assert mail.message.count(f'href="{LINK}"') == 2
    assert count(HeldMail) == 0
    assert activities()[-1] == "Email to ana@example.org for Digest: New messages: 2"
    assert run() == 0


def test_of_what_was_all_read_there_is_no_digest_and_the_decision_says_so(ana: User) -> None:
    prefer(ana, "mail", "weekly")
    tell(ana, "Conference")
    read_first(ana)
    make_held_due()
    assert run() == 0
    assert (count(Mail), count(HeldMail)) == (0, 0)
    assert decisions(ana)["mail"] == (NOTHING, READ, "*")


def test_a_digest_speaks_its_readers_language_on_his_clock_and_shows_no_markup_of_others(ana: User) -> None:
    ana.language, ana.timezone = "de-AT", "Asia/Kathmandu"
    prefer(ana, "mail", "hourly")
    tell(ana, "<script>alert(1)</script>\n& more", link="javascript:alert(1)")
    db.session.execute(text("UPDATE held_mails SET created_at = '2026-01-02T06:15:00Z'"))
    make_held_due()
    assert run() == 1
    [mail] = mails()
    assert (mail.subject, mail.language) == ("Neue Nachrichten: 1", "de")
    assert "<script" not in mail.message
    assert "javascript:" not in mail.message + mail.text
    assert "2. Jänner 2026" in mail.text
    assert "12:00" in mail.text


@pytest.mark.usefixtures("database")
def test_in_arabic_each_title_runs_its_own_way_and_only_so_many_are_listed() -> None:
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    digest = make_digest([Item(f"No. {number}", now, "/x") for number in range(103)], "ar", "Mars/Olympus")
    assert digest.line == "رسائل جديدة: 103"
    assert digest.html.count("<bdi>No. ") == 100
    assert "No. 2<" not in digest.html
    assert "رسائل أخرى تجدونها في التطبيق: 3" in digest.text


def test_what_was_taken_back_is_left_out(ana: User) -> None:
    prefer(ana, "mail", "daily")
    happenings = [notify_happening(SESSION_PROPOSED, f"No. {n}", "<p>Hello</p>", users=[ana]) for n in range(2)]
    db.session.commit()
    recalled = {"id": happenings[0].id}
    db.session.execute(text("UPDATE fanouts SET state = 'recalled' WHERE happening_id = :id"), recalled)
    make_held_due()
    assert run() == 1
    assert "No. 1" in mails()[0].text
    assert "No. 0" not in mails()[0].text
    rows = db.session.execute(text("SELECT reason FROM decisions WHERE channel = 'mail' ORDER BY happening_id"))
    assert rows.scalars().all() == [RECALLED, USER_CHANNEL]


def test_two_who_look_at_once_make_one_digest_of_each_user(app: Flask, people: People) -> None:
    users = [people.user() for _ in range(4)]
    for user in users:
        prefer(user, "mail", "daily")
        tell(user, "Conference")
        tell(user, "Another")
    make_held_due()
    now, barrier = utc_now(), threading.Barrier(3)
    found: list[int] = []

    def look() -> None:
        with app.app_context():
            barrier.wait()
            found.append(sum(release(now)))

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Whoever found others at it has left it to them: nothing is held any more.
    assert sum(found) + run() == 4
    assert sorted(mail.recipient for mail in mails()) == sorted(user.email for user in users)
    assert {mail.subject for mail in mails()} == {"New messages: 2"}
    assert count(HeldMail) == 0


def test_a_worker_that_dies_before_its_commit_loses_nothing_and_doubles_nothing(ana: User) -> None:
    prefer(ana, "mail", "daily")
    tell(ana, "Conference")
    make_held_due()

    def die(_session: object) -> None:
        pid = db.session.scalar(text("SELECT pg_backend_pid()"))
        with db.engine.connect() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})

    event.listen(db.session.session_factory, "before_commit", die, once=True)
    with pytest.raises(OperationalError):
        run()
    db.session.rollback()
    assert (count(Mail), count(HeldMail)) == (0, 1)
    assert run() == 1
    assert (count(Mail), count(HeldMail)) == (1, 0)


def test_many_users_are_done_some_at_a_time_until_the_time_is_over(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "PEOPLE", 2)
    for _ in range(5):
        user = people.user()
        prefer(user, "mail", "daily")
        tell(user, "Conference")
    make_held_due()
    assert list(release(utc_now(), seconds=0)) == [2]
    assert count(HeldMail) == 3
    assert list(release(utc_now())) == [2, 1]


def test_one_whose_mail_cannot_be_made_keeps_nobody_else_waiting(
    people: People, ana: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    ben = people.user("ben@example.org")
    for user in (ana, ben):
        prefer(user, "mail", "daily")
        tell(user, "Conference")
    ana.timezone = "Mars/Olympus"
    make_held_due()

    def fail_for_mars(items: list[Item], language: str, timezone: str) -> Rendered:
        if timezone == "Mars/Olympus":
            raise ArithmeticError
        return make_digest(items, language, timezone)

    now = utc_now()
    with monkeypatch.context() as patched:
        patched.setattr(held, "make_digest", fail_for_mars)
        assert list(release(now)) == [1]
    assert [mail.recipient for mail in mails()] == ["ben@example.org"]
    assert list(release(now)) == []
    assert list(release(now + held.TRIED_AGAIN)) == [1]
    assert sorted(mail.recipient for mail in mails()) == ["ana@example.org", "ben@example.org"]


def test_beat_and_the_periodic_command_look_for_held_mails(app: Flask, ana: User) -> None:
    celery = app.extensions["celery"]
    entry = celery.conf.beat_schedule["held"]
    assert entry == {"task": "usher.held", "schedule": 30.0, "options": {"expires": 30.0}}
    celery.loader.import_default_modules()
    prefer(ana, "mail", "daily")
    tell(ana, "Conference")
    make_held_due()
    celery.tasks["usher.held"]()
    assert [mail.action for mail in mails()] == ["Digest"]
    tell(ana, "Another")
    make_held_due()
    assert [(each.action, each.mails) for each in run_periodic(utc_now())] == [("Digest", 1)]


# --- unless it is read


def test_what_stays_unread_comes_by_mail_in_the_words_that_it_had(ana: User) -> None:
    prefer(ana, "mail", "unread", minutes=5)
    batch = create_batch("Proposals")
    send_notification(ana, NEW_SESSION, "News", "<p>News</p>")
    propose(ana, Sending(batch=batch, reply_to="kim@example.org"))
    db.session.commit()
    make_held_due()
    assert run() == 1
    [mail] = mails()
    assert (mail.action, mail.recipient, mail.batch_id) == (NEW_SESSION, "ana@example.org", batch.id)
    assert mail.reply_to == ["kim@example.org"]
    assert "Harbour Conference" in mail.subject
    assert LINK in mail.message
    assert mail.happening_id == db.session.scalar(select(Notification.happening_id))
    assert decisions(ana)["mail"] == (UNLESS_READ, USER_CHANNEL, "*")


@pytest.mark.parametrize("how", ["read", "removed"])
def test_what_was_read_or_removed_in_time_comes_by_no_mail(ana: User, how: str) -> None:
    prefer(ana, "mail", "unread", minutes=5)
    tell(ana, "Conference")
    row = db.session.scalars(select(Notification)).one()
    if how == "read":
        row.mark(is_read=True)
    else:
        row.deleted_at = utc_now()
    make_held_due()
    assert run() == 0
    assert (count(Mail), count(HeldMail)) == (0, 0)
    assert decisions(ana)["mail"] == (NOTHING, READ, "*")


@pytest.mark.parametrize(
    ("before", "wishes", "comes", "said"),
    [
        ("daily", {"*": "off"}, 0, (NOTHING, USER_CHANNEL, "*")),
        ("unread", {"*": "off", "sessions.*": "off"}, 0, (NOTHING, USER_TYPE, "sessions.*")),
        ("unread", {"sessions.*": "off", SESSION_PROPOSED: "on"}, 1, (UNLESS_READ, USER_CHANNEL, "*")),
        ("daily", {"*": "on", "orders.*": "off"}, 1, (DIGEST, USER_CHANNEL, "*")),
    ],
)
def test_whoever_switches_mails_off_gets_none_that_is_held(
    ana: User, before: str, wishes: dict[str, str], comes: int, said: tuple[str, str, str]
) -> None:
    prefer(ana, "mail", before, minutes=5 if before == "unread" else None)
    tell(ana, "Conference")
    db.session.execute(text("DELETE FROM preferences"))
    for pattern, mode in wishes.items():
        prefer(ana, "mail", mode, pattern)
    make_held_due()
    assert (run(), count(HeldMail)) == (comes, 0)
    assert decisions(ana)["mail"] == said


def test_what_the_admins_have_switched_off_meanwhile_does_not_come(ana: User) -> None:
    prefer(ana, "mail", "daily")
    tell(ana, "Conference")
    db.session.execute(text("UPDATE message_settings SET mail_status = false"))
    make_held_due()
    assert (run(), count(HeldMail)) == (0, 0)
    assert decisions(ana)["mail"] == (NOTHING, ADMIN, "*")


def test_where_users_may_not_decide_any_more_what_they_switch_off_comes(ana: User) -> None:
    prefer(ana, "mail", "daily")
    tell(ana, "Conference")
    db.session.execute(text("UPDATE preferences SET mode = 'off'"))
    db.session.execute(text("UPDATE message_settings SET user_control_status = false"))
    make_held_due()
    assert (run(), count(HeldMail)) == (1, 0)


def test_it_comes_to_the_address_that_the_user_has_by_then(ana: User) -> None:
    prefer(ana, "mail", "unread", minutes=5)
    tell(ana, "Conference")
    notify_happening(SESSION_PROPOSED, "A new session", "<p>Come</p>", users=[ana])
    ana.email = "ana@example.net"
    db.session.commit()
    make_held_due()
    assert run() == 2
    assert {mail.recipient for mail in mails()} == {"ana@example.net"}


def test_without_a_notification_nothing_can_be_read_and_the_mail_comes(ana: User) -> None:
    prefer(ana, "mail", "unread", minutes=5)
    prefer(ana, "in-app", "off")
    tell(ana, "Conference")
    make_held_due()
    assert run() == 1


def test_a_happening_that_was_told_to_many_has_its_mail_made_when_it_is_due(ana: User) -> None:
    ana.language = "de"
    prefer(ana, "mail", "unread", minutes=5)
    notify_happening(SESSION_PROPOSED, "A new session", "<p>Come <b>all</b></p>", link="/events/1", users=[ana])
    db.session.commit()
    make_held_due()
    assert run() == 1
    [mail] = mails()
    assert (mail.subject, mail.language, mail.user_id) == ("A new session", "de", ana.id)
    assert "Come <b>all</b>" in mail.message
    assert "Weiterlesen" in mail.text


def test_what_is_due_in_quiet_hours_is_held_until_their_end_and_may_be_read_until_then(ana: User) -> None:
    prefer(ana, "mail", "unread", minutes=5)
    for name in ("One", "Two"):
        tell(ana, name)
    make_held_due()
    ends = keep_quiet(ana)
    assert run() == 0
    assert set(db.session.scalars(select(HeldMail.due_at))) == {ends}
    read_first(ana)
    assert sum(release(ends)) == 1
    assert "Two" in mails()[0].message


def test_who_is_gone_gets_nothing_and_a_batch_that_is_gone_stops_nobody(people: People, ana: User) -> None:
    ben = people.user("ben@example.org")
    for user in (ana, ben):
        prefer(user, "mail", "unread", minutes=5)
        batch = create_batch("Proposals")
        send_notification(user, NEW_SESSION, "News", "<p>News</p>")
        propose(user, Sending(batch=batch))
    db.session.commit()
    ben.deleted_at = utc_now()
    db.session.execute(text(f"DELETE FROM {MailBatch.__tablename__}"))
    make_held_due()
    assert run() == 1
    assert [(mail.recipient, mail.batch_id) for mail in mails()] == [("ana@example.org", None)]
    assert decisions(ben)["mail"] == (NOTHING, UNREACHABLE, "*")


def test_a_digest_that_is_due_at_night_waits_for_the_morning_from_the_beginning(ana: User) -> None:
    ends = keep_quiet(ana)
    prefer(ana, "mail", "hourly")
    tell(ana, "Conference")
    [row] = db.session.scalars(select(HeldMail)).all()
    assert row.due_at >= ends
    assert decisions(ana)["mail"] == (DIGEST, USER_CHANNEL, "*")
    assert db.session.scalars(select(DeliveryHours)).one().digest_hour == 8
    assert row.due_at - ends < timedelta(hours=1)
