"""What is committed is handed over, and nothing else, and never before."""

import json
import os
from base64 import b64decode

import pytest
import redis
from sqlalchemy import select, text

from app.api.helpers.mail import AddressError, send_email, send_email_new_session
from app.api.helpers.notification import About, send_notif_new_session_organizer, send_notification
from app.delivery import handover
from app.embedded.stack import EmbeddedStack
from app.models import Activity, Happening, Mail, MessageSettings, Notification, User, db
from app.models.mail import NEW_SESSION
from tests.conftest import People


def handed_over(broker: redis.Redis) -> list[int]:
    """The ids that wait in the broker."""
    assert handover.wait_for_hand_over()
    tasks = [json.loads(raw) for raw in broker.lrange("usher", 0, -1)]
    bodies = [json.loads(b64decode(task["body"])) for task in tasks]
    return [mail_id for args, _, _ in reversed(bodies) for mail_id in args[0]]


def test_a_committed_mail_is_handed_over_by_its_id_alone(database: None, broker: redis.Redis) -> None:
    mail = send_email("ana@example.org", "Test", "A subject", "<p>secret words</p>")
    db.session.flush()
    assert handed_over(broker) == []
    db.session.commit()
    assert mail is not None
    assert handed_over(broker) == [mail.id]
    assert b"secret words" not in b"".join(broker.lrange("usher", 0, -1))


def test_a_rolled_back_mail_leaves_no_row_and_no_task(database: None, broker: redis.Redis) -> None:
    send_email("ana@example.org", "Test", "A subject", "<p>Hello</p>")
    db.session.flush()
    db.session.rollback()
    db.session.commit()
    assert handed_over(broker) == []
    assert db.session.scalars(select(Mail)).all() == []
    assert db.session.scalars(select(Activity)).all() == []


def test_a_released_savepoint_does_not_hand_over_before_the_commit(database: None, broker: redis.Redis) -> None:
    with db.session.begin_nested():
        send_email("ana@example.org", "Test", "A subject", "<p>Hello</p>")
    assert handed_over(broker) == []
    db.session.commit()
    assert len(handed_over(broker)) == 1


def test_a_rolled_back_savepoint_keeps_what_was_queued_before_it(database: None, broker: redis.Redis) -> None:
    kept = send_email("ana@example.org", "Test", "Kept", "<p>Hello</p>")
    db.session.flush()
    savepoint = db.session.begin_nested()
    send_email("ben@example.org", "Test", "Gone", "<p>Hello</p>")
    db.session.flush()
    savepoint.rollback()
    db.session.commit()
    assert kept is not None
    assert kept.id in handed_over(broker)
    assert [mail.subject for mail in db.session.scalars(select(Mail))] == ["Kept"]
    assert [activity.action for activity in db.session.scalars(select(Activity))] == [
        "Email to ana@example.org for Test: Kept"
    ]


def test_many_mails_go_in_few_tasks(database: None, broker: redis.Redis) -> None:
    for number in range(250):
        send_email(f"user{number}@example.org", "Test", "A subject", "<p>Hello</p>")
    db.session.commit()
    assert len(handed_over(broker)) == 250
    assert broker.llen("usher") == 3


def test_what_is_committed_at_one_moment_goes_in_one_task(database: None, broker: redis.Redis) -> None:
    messenger = handover.Messenger()
    messenger._ids[handover.DELIVER] = list(range(1, 41))  # noqa: SLF001 - forty requests have committed while the thread was busy
    messenger.add([41])
    assert messenger.wait(10)
    assert handed_over(broker) == list(range(1, 42))
    assert broker.llen("usher") == 1


def test_a_forked_process_hands_over_by_itself(database: None, broker: redis.Redis) -> None:
    handover.hand_over([1])
    assert handover.wait_for_hand_over()
    child = os.fork()
    if child == 0:
        handover.hand_over([2])
        os._exit(0 if handover.wait_for_hand_over() else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert handed_over(broker) == [1, 2]


def test_with_the_broker_away_the_commit_succeeds_and_the_mail_waits(
    database: None, stack: EmbeddedStack, broker: redis.Redis
) -> None:
    stack.stop_part("valkey")
    try:
        mail = send_email("ana@example.org", "Test", "A subject", "<p>Hello</p>")
        db.session.commit()
        assert handover.wait_for_hand_over()
    finally:
        stack.start_server("valkey")
        handover.forget_outage()
    assert mail is not None
    assert mail.status == "queued"
    assert db.session.scalar(text("SELECT count(*) FROM mails")) == 1


@pytest.mark.parametrize(
    "address", ["", "nobody", "a@example.org\nBcc: b@example.org", "a@example.org, b@example.org", "a@example.org\x00"]
)
def test_what_is_no_address_is_refused_before_a_row_is_made(database: None, address: str) -> None:
    with pytest.raises(AddressError):
        send_email(address, "Test", "A subject", "<p>Hello</p>")
    assert db.session.scalars(select(Mail)).all() == []


def test_one_happening_is_shared_by_all_who_are_told_in_a_transaction(people: People) -> None:
    users = [people.user() for _ in range(3)]
    for user in users:
        send_notif_new_session_organizer(user, "Harbour Conference", "https://example.org/s/1")
    db.session.commit()
    send_notif_new_session_organizer(users[0], "Harbour Conference", "https://example.org/s/1")
    db.session.commit()
    assert db.session.scalar(text("SELECT count(*) FROM notifications")) == 4
    assert len(db.session.scalars(select(Happening)).all()) == 2


def test_nobody_is_given_what_another_was_told_in_the_same_words(people: People) -> None:
    ana, ben = people.user(), people.user()
    event, other = people.event(ana), people.event(ben)
    for user, about in ((ana, About(data={"code": 1})), (ben, About(data={"code": 2}))):
        send_notification(user, "Test", "Your code", "<p>Look at it.</p>", about)
    for user, its in ((ana, event), (ben, other)):
        send_notification(user, "Test", "An event", "<p>Look at it.</p>", About(event=its))
    db.session.commit()
    rows = db.session.scalars(select(Notification).order_by(Notification.id)).all()
    told = [(row.user_id, row.data, row.happening.event_id) for row in rows]
    assert told == [
        (ana.id, {"code": 1}, None),
        (ben.id, {"code": 2}, None),
        (ana.id, None, event.id),
        (ben.id, None, other.id),
    ]


def test_a_happening_of_a_rolled_back_savepoint_is_not_shared(people: People) -> None:
    user = people.user()
    savepoint = db.session.begin_nested()
    send_notification(user, "Test", "A title", "<p>Hello</p>")
    savepoint.rollback()
    send_notification(user, "Test", "A title", "<p>Hello</p>", About(data={"a": 1}))
    db.session.commit()
    [happening] = db.session.scalars(select(Happening))
    assert happening.data == {"a": 1}
    assert [row.happening_id for row in db.session.scalars(select(Notification))] == [happening.id]


def test_a_happening_without_data_has_none_in_sql_too(people: People) -> None:
    send_notification(people.user(), "Test", "A title", "<p>Hello</p>")
    db.session.commit()
    assert db.session.scalar(text("SELECT count(*) FROM happenings WHERE data IS NULL")) == 1


def test_somebody_who_is_just_being_added_can_be_told(database: None) -> None:
    user = User(email="new@example.org")
    send_notification(user, "Test", "A title", "<p>Hello</p>")
    db.session.commit()
    assert db.session.scalars(select(Notification)).one().user_id == user.id


def test_message_settings_switch_mail_and_notification_separately(people: People) -> None:
    user = people.user()
    setting = db.session.scalars(select(MessageSettings).where(MessageSettings.action == NEW_SESSION)).one()
    for mail_on, notification_on in ((True, False), (False, True), (False, False), (True, True)):
        setting.mail_status, setting.notification_status = mail_on, notification_on
        db.session.commit()
        mail = send_email_new_session(user.email, "Harbour Conference", "https://example.org/")
        notification = send_notif_new_session_organizer(user, "Harbour Conference", "https://example.org/")
        db.session.commit()
        assert (mail is not None, notification is not None) == (mail_on, notification_on)


def test_both_activities_are_recorded_in_the_same_transaction(people: People) -> None:
    user = people.user("ana@example.org")
    send_notification(user, "My Action", "A title", "<p>Hello</p>")
    send_email(user, "My Action", "A subject", "<p>Hello</p>")
    db.session.commit()
    sentences = [activity.action for activity in db.session.scalars(select(Activity).order_by(Activity.id))]
    assert sentences == [
        f"Notification to ana@example.org ({user.id}) for My Action: A title",
        "Email to ana@example.org for My Action: A subject",
    ]


def test_a_title_and_a_subject_stay_one_line(people: People) -> None:
    user = people.user()
    notification = send_notification(user, "Test", "one\r\ntwo", "<p>Hello</p>")
    mail = send_email(user, "Test", "one\r\nBcc: b@example.org", "<p>Hello</p>")
    db.session.commit()
    assert isinstance(notification, Notification)
    assert mail is not None
    assert notification.title == "one two"
    assert mail.subject == "one Bcc: b@example.org"
