"""The functions that tell one person of an action of Open Event obey what he has said; others cost no statement."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, text

from app.api.helpers.mail import (
    Sending,
    attachment,
    create_batch,
    send_email,
    send_email_new_session,
    send_email_password_reset,
    send_email_role_invite,
    send_email_user_register,
    send_emails,
    send_emails_formatted,
)
from app.api.helpers.notification import About, send_notif_new_session_organizer, send_notification
from app.api.helpers.recipients import Recipient, recipients
from app.happenings.deciding.decision import DIGEST, LATER, NOTHING, SEND, UNLESS_READ, USER_CHANNEL, USER_TYPE
from app.happenings.declared import SESSION_PROPOSED
from app.models import Decision, Happening, HeldMail, Mail, Notification, User, db
from app.models.base import utc_now
from app.models.mail import NEW_SESSION, PASSWORD_RESET, QUEUED, SCHEDULED
from tests.conftest import People
from tests.support.preferences import decisions, keep_quiet, prefer
from tests.support.rows import count, mailed, notified, statements

LINK = "https://example.org/session"


@pytest.fixture
def ana(people: People) -> User:
    return people.user("ana@example.org")


@pytest.fixture
def ben(people: People) -> User:
    return people.user("ben@example.org")


def propose(*organizers: User) -> None:
    """Tell them of a proposal as the API does."""
    told = recipients(*(organizer.email for organizer in organizers))
    with db.session.no_autoflush:
        for organizer in organizers:
            send_notif_new_session_organizer(organizer, "Harbour Conference", LINK)
        for each in told:
            send_email_new_session(each, "Harbour Conference", LINK)
    db.session.commit()


def held() -> HeldMail:
    return db.session.scalars(select(HeldMail)).one()


def test_a_preference_stops_the_mail_and_not_the_notification(ana: User, ben: User) -> None:
    prefer(ana, "mail", "off", "sessions.*")
    propose(ana, ben)
    assert notified(NEW_SESSION) == ["ana@example.org", "ben@example.org"]
    assert mailed(NEW_SESSION) == ["ben@example.org"]
    assert decisions(ana) == {"in-app": (SEND, "default", None), "mail": (NOTHING, USER_TYPE, "sessions.*")}
    assert decisions(ben) == {}


def test_a_preference_stops_the_notification_and_not_the_mail_which_belongs_to_the_happening(ana: User) -> None:
    prefer(ana, "in-app", "off", SESSION_PROPOSED)
    propose(ana)
    assert notified(NEW_SESSION) == []
    mail, happening = db.session.scalars(select(Mail)).one(), db.session.scalars(select(Happening)).one()
    assert (mail.happening_id, mail.user_id, mail.status) == (happening.id, ana.id, QUEUED)
    assert (happening.action, happening.event_type) == (NEW_SESSION, SESSION_PROPOSED)
    assert happening.plan is not None
    assert happening.plan["channels"] == ["in-app", "mail"]


def test_the_closest_pattern_counts(ana: User) -> None:
    prefer(ana, "mail", "off")
    prefer(ana, "mail", "off", "sessions.*")
    prefer(ana, "mail", "on", "sessions.session.*")
    propose(ana)
    assert mailed(NEW_SESSION) == ["ana@example.org"]
    assert decisions(ana)["mail"] == (SEND, USER_TYPE, "sessions.session.*")


def test_a_mail_for_a_digest_is_held_with_its_words(ana: User) -> None:
    prefer(ana, "mail", "daily")
    propose(ana)
    assert count(Mail) == 0
    row = held()
    assert (row.user_id, row.mode, row.action) == (ana.id, "daily", NEW_SESSION)
    assert row.happening_id == db.session.scalar(select(Happening.id))
    assert row.words is not None
    assert "recipient" not in row.words
    assert utc_now() < row.due_at <= utc_now() + timedelta(days=1)
    assert decisions(ana)["mail"] == (DIGEST, USER_CHANNEL, "*")


def test_a_mail_that_comes_only_if_the_notification_is_not_read_is_held_so_many_minutes(ana: User) -> None:
    prefer(ana, "mail", "unread", "sessions.*", minutes=30)
    propose(ana)
    assert count(Mail) == 0
    assert timedelta(minutes=29) < held().due_at - utc_now() <= timedelta(minutes=30)
    assert decisions(ana)["mail"] == (UNLESS_READ, USER_TYPE, "sessions.*")


def test_in_quiet_hours_the_app_tells_and_the_mail_leaves_at_their_end(ana: User) -> None:
    ends = keep_quiet(ana)
    propose(ana)
    assert notified(NEW_SESSION) == ["ana@example.org"]
    mail = db.session.scalars(select(Mail)).one()
    assert (mail.status, mail.next_attempt_at, mail.give_up_at) == (SCHEDULED, ends, ends + timedelta(hours=24))
    assert decisions(ana)["mail"] == (LATER, "default", None)


def test_a_mail_that_is_planned_is_decided_for_the_moment_when_it_leaves(ana: User) -> None:
    ends = keep_quiet(ana)
    send_email(ana, NEW_SESSION, "News", "<p>News</p>", send_at=ends + timedelta(hours=1))
    send_email(ana, NEW_SESSION, "News", "<p>News</p>", send_at=ends - timedelta(hours=1))
    db.session.commit()
    times = db.session.scalars(select(Mail.next_attempt_at).order_by(Mail.next_attempt_at)).all()
    assert times == [ends, ends + timedelta(hours=1)]


def test_a_critical_mail_is_sent_whatever_was_switched_off(ana: User) -> None:
    prefer(ana, "mail", "off")
    keep_quiet(ana)
    prefer(ana, "mail", "off", "users.*")
    send_email_password_reset(ana, f"{LINK}?token=abc")
    db.session.commit()
    assert db.session.scalars(select(Mail.status).where(Mail.action == PASSWORD_RESET)).all() == [QUEUED]


def test_mails_with_files_links_or_keys_are_not_held_and_blind_copies_are_other_peoples_too(ana: User) -> None:
    prefer(ana, "mail", "daily")
    file = attachment("a.txt", "text/plain", b"text")
    assert send_email(ana, NEW_SESSION, "File", "<p>File</p>", attachments=[file]) is not None
    assert send_email(ana, NEW_SESSION, "Key", "<p>Key</p>", key="one") is not None
    assert send_email_role_invite(ana, "moderator", "Harbour Conference", f"{LINK}?token=abc") is not None
    assert send_email(ana, NEW_SESSION, "Copies", "<p>Copies</p>", bcc=["ben@example.org"]) is not None
    assert send_email(ana, NEW_SESSION, "Plain", "<p>Plain</p>") is None
    db.session.commit()
    assert held().subject == "Plain"


def test_what_an_account_said_that_has_not_confirmed_its_address_stops_no_mail(people: People) -> None:
    mallory = people.user("victim@example.org", verified=False)
    prefer(mallory, "mail", "off")
    prefer(mallory, "in-app", "off")
    propose(mallory)
    send_email_user_register(mallory)
    db.session.commit()
    assert mailed(NEW_SESSION) == ["victim@example.org"]
    assert count(Mail) == 2
    assert notified(NEW_SESSION) == []
    assert db.session.scalars(select(Mail.user_id).where(Mail.action == NEW_SESSION)).all() == [None]


def test_where_the_admins_do_not_let_users_decide_their_wishes_are_kept_and_do_not_count(ana: User) -> None:
    prefer(ana, "mail", "off")
    db.session.execute(
        text("UPDATE message_settings SET user_control_status = false WHERE action = :action"), {"action": NEW_SESSION}
    )
    db.session.commit()
    propose(ana)
    assert mailed(NEW_SESSION) == ["ana@example.org"]
    assert decisions(ana)["mail"] == (SEND, "default", None)


def test_who_has_said_nothing_costs_no_statement(ana: User, ben: User) -> None:
    with statements() as seen:
        propose(ana, ben)
    asked = [each for each in seen if "preferences" in each and "delivery_hours" in each]
    assert asked == []
    assert not [each for each in seen if "decisions" in each or "held_mails" in each]


def test_what_several_have_said_is_read_with_one_statement(people: People) -> None:
    users = [people.user() for _ in range(3)]
    for user in users:
        prefer(user, "mail", "off", "sessions.*")
    assert [user.email for user in users]
    with statements() as seen:
        propose(*users)
    assert len([each for each in seen if "delivery_hours" in each]) == 1
    # The decisions of all are written together too.
    assert len([each for each in seen if "INTO decisions" in each]) == 1
    assert count(Decision) == 6


def test_why_somebody_got_no_mail_is_kept_where_the_app_tells_nothing(ana: User) -> None:
    prefer(ana, "mail", "off", "users.account.*")
    assert send_email_user_register(ana) is None
    db.session.commit()
    happening = db.session.scalars(select(Happening)).one()
    assert (happening.event_type, happening.message) == ("users.account.registered", "")
    assert decisions(ana) == {"mail": (NOTHING, USER_TYPE, "users.account.*")}
    assert count(Notification) == 0


def test_an_action_of_somebodys_own_has_no_type_and_is_sent(ana: User) -> None:
    prefer(ana, "mail", "off")
    prefer(ana, "in-app", "off")
    assert send_notification(ana, "Test", "News", "<p>News</p>") is not None
    assert send_email(ana, "Test", "News", "<p>News</p>") is not None
    db.session.commit()
    assert count(Decision) == 0


def test_mails_to_many_obey_too(people: People, ana: User, ben: User) -> None:
    prefer(ana, "mail", "off", "sessions.*")
    prefer(ben, "mail", "weekly", "sessions.*")
    eva, kim = people.user("eva@example.org"), people.user("kim@example.org")
    ends = keep_quiet(eva)
    values = {"event_name": "Harbour Conference", "link": LINK}
    everybody = [ana, "ben@example.org", "EVA@example.org", kim, Recipient("nobody@example.org")]
    batch = create_batch("Proposals")
    ids = send_emails(NEW_SESSION, [(each, values) for each in everybody], Sending(batch=batch))
    db.session.commit()
    rows = {row.recipient: row for row in db.session.scalars(select(Mail))}
    assert [rows[name].id for name in ("EVA@example.org", "kim@example.org", "nobody@example.org")] == ids
    assert len(rows) == 3
    late = rows["EVA@example.org"]
    assert (late.status, late.next_attempt_at, late.user_id) == (SCHEDULED, ends, eva.id)
    assert (rows["kim@example.org"].status, rows["kim@example.org"].user_id) == (QUEUED, kim.id)
    assert (held().user_id, held().words["batch_id"]) == (ben.id, batch.id)  # type: ignore[index]  # a mail of many has words
    assert decisions(ana) == {"mail": (NOTHING, USER_TYPE, "sessions.*")}
    assert send_emails_formatted(NEW_SESSION, [ana], "News", "<p>News</p>") == []


def test_what_a_savepoint_takes_back_is_decided_again(ana: User) -> None:
    prefer(ana, "mail", "daily", "sessions.*")
    savepoint = db.session.begin_nested()
    send_notif_new_session_organizer(ana, "Harbour Conference", LINK)
    send_email_new_session(ana, "Harbour Conference", LINK)
    savepoint.rollback()
    propose(ana)
    assert (count(Happening), count(Notification), count(HeldMail), count(Decision)) == (1, 1, 1, 2)


def test_the_same_words_twice_in_one_transaction_are_two_notifications_and_one_of_two_held_mails_has_the_happening(
    ana: User,
) -> None:
    prefer(ana, "mail", "daily", "sessions.*")
    for _ in range(2):
        send_notification(ana, NEW_SESSION, "News", "<p>News</p>", About(link=LINK))
    for _ in range(2):
        send_email_new_session(ana, "Harbour Conference", LINK)
    db.session.commit()
    assert (count(Notification), count(Happening), count(HeldMail)) == (2, 2, 2)
