"""A mail to each of many: all or none, few statements, one for a key; handed over after the commit."""

from __future__ import annotations

import json
import threading
from base64 import b64decode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
from flask import Flask
from sqlalchemy import func, select, text

from app.api.helpers.mail import (
    AddressError,
    AttachmentError,
    KeyReusedError,
    Sending,
    SendingError,
    attachment,
    create_batch,
    send_email_with_action,
    send_emails,
    send_emails_formatted,
)
from app.api.helpers.templates import TemplateError
from app.delivery.handover import wait_for_hand_over
from app.models import Activity, Mail, MailAttachment, MessageSettings, User, db
from app.models.mail import BULK, EVENT_ROLE, NEW_SESSION, TRANSACTIONAL
from tests.conftest import People
from tests.support.rows import statements

LINK = "https://example.org/s/1"


def everybody(count: int) -> Iterator[tuple[str, dict[str, Any]]]:
    for number in range(count):
        yield f"user{number}@example.org", {"event_name": f"Event {number}", "link": LINK}


def tasks(broker: redis.Redis) -> list[tuple[str, list[Any]]]:
    """The names and arguments of the tasks that wait in the broker, the oldest first."""
    assert wait_for_hand_over()
    found = [json.loads(raw) for raw in reversed(broker.lrange("usher", 0, -1))]
    return [(task["headers"]["task"], json.loads(b64decode(task["body"]))[0]) for task in found]


def count(model: Any) -> int | None:
    return db.session.scalar(select(func.count()).select_from(model))


def test_each_gets_the_mail_that_one_call_for_him_would_make(database: None) -> None:
    context = {"event_name": "Harbour <b>&</b>", "link": LINK}
    [many] = send_emails(NEW_SESSION, [("ana@example.org", context)], Sending(lane=TRANSACTIONAL))
    one = send_email_with_action("ana@example.org", NEW_SESSION, **context)
    db.session.commit()
    assert one is not None
    differs = {"id", "time", "message_id", "next_attempt_at", "give_up_at"}
    rows = [db.session.execute(text("SELECT * FROM mails WHERE id = :id"), {"id": id_}).one() for id_ in (many, one.id)]
    first, second = ({k: v for k, v in row._asdict().items() if k not in differs} for row in rows)
    assert first == second


def test_each_is_written_to_in_the_language_of_his_account(people: People) -> None:
    for email, language in (("ana@example.org", "de"), ("ben@example.org", "ar")):
        people.user(email).language = language
    db.session.commit()
    ben = db.session.scalars(select(User).where(User.email == "ben@example.org")).one()
    context = {"event_name": "Harbour", "link": LINK}
    send_emails(NEW_SESSION, [("ANA@example.org", context), (ben, context), ("cleo@example.org", context)])
    db.session.commit()
    assert list(db.session.scalars(select(Mail.language).order_by(Mail.id))) == ["de", "ar", "en"]


def test_a_thousand_mails_more_take_a_fixed_number_of_statements_more(database: None) -> None:
    counts = []
    for size in (1000, 2000, 4000):
        with statements() as seen:
            send_emails(NEW_SESSION, everybody(size))
            db.session.commit()
        counts.append(len(seen))
    assert [counts[1] - counts[0], counts[2] - counts[1]] == [2, 4], counts
    assert counts[0] < 12
    assert count(Mail) == 7000


def test_what_many_mails_have_is_in_every_row(database: None) -> None:
    batch = create_batch("Announcement")
    file = attachment("a.txt", "text/plain", b"words")
    sending = Sending(reply_to=["desk@example.org"], batch=batch, attachments=[file])
    ids = send_emails(NEW_SESSION, everybody(3), sending)
    db.session.commit()
    rows = list(db.session.scalars(select(Mail).order_by(Mail.id)))
    assert [row.id for row in rows] == ids
    assert [row.recipient for row in rows] == [f"user{number}@example.org" for number in range(3)]
    assert {(row.lane, row.batch_id, *row.reply_to, row.status) for row in rows} == {
        (BULK, batch.id, "desk@example.org", "queued")
    }
    assert [[each.content for each in row.attachments] for row in rows] == [[b"words"]] * 3
    first = "SELECT count(*) FROM mail_events WHERE event = 'queued'"
    assert db.session.scalar(text(first)) == 3, "each has the first entry of its timeline"
    assert list(db.session.scalars(select(Activity.action))) == [
        f"Email to 3 recipients for {NEW_SESSION}: {rows[0].subject}"
    ]


def test_an_error_at_the_last_leaves_none_even_if_the_caller_goes_on(database: None, broker: redis.Redis) -> None:
    kept = send_email_with_action("kept@example.org", NEW_SESSION, event_name="Harbour", link=LINK)
    wrong: list[tuple[list[Any], type[Exception]]] = [
        ([*everybody(1500), ("nobody", {"event_name": "x", "link": LINK})], AddressError),
        ([*everybody(1500), ("ben@example.org", {"event_name": "x"})], TemplateError),
    ]
    for people, error in wrong:
        with pytest.raises(error):
            send_emails(NEW_SESSION, people)
    with pytest.raises(SendingError, match="send_email"):
        send_emails(NEW_SESSION, everybody(1), Sending(bcc="ben@example.org"))
    db.session.commit()
    assert kept is not None
    assert list(db.session.scalars(select(Mail.id))) == [kept.id]
    assert count(Activity) == 1
    assert tasks(broker) == [("usher.deliver", [[kept.id]])]


def test_many_bulk_mails_are_one_hint_and_what_somebody_waits_for_goes_by_its_id(
    database: None, broker: redis.Redis
) -> None:
    ids = send_emails(NEW_SESSION, everybody(40))
    db.session.commit()
    assert tasks(broker) == [("usher.deliver", [ids])]
    broker.flushdb()
    send_emails(NEW_SESSION, everybody(1001))
    one = send_email_with_action("ana@example.org", NEW_SESSION, event_name="Harbour", link=LINK)
    assert tasks(broker) == [], "nothing is handed over before the commit"
    db.session.commit()
    assert one is not None
    assert tasks(broker) == [("usher.deliver", [[one.id]]), ("usher.drain", [])]


def test_what_is_rolled_back_is_not_handed_over(database: None, broker: redis.Redis) -> None:
    outer = db.session.begin_nested()
    send_emails(NEW_SESSION, everybody(3))
    outer.rollback()
    [kept] = send_emails_formatted("Test", ["ana@example.org"], "Hi", "<p>Hi</p>")
    db.session.commit()
    assert tasks(broker) == [("usher.deliver", [[kept]])]
    send_emails(NEW_SESSION, everybody(3))
    db.session.rollback()
    db.session.commit()
    assert len(tasks(broker)) == 1
    assert list(db.session.scalars(select(Mail.id))) == [kept]


def test_a_secret_is_encrypted_in_every_row(database: None) -> None:
    context = {"role": "organizer", "event": "Harbour"}
    people = [(f"user{number}@example.org", {**context, "link": f"{LINK}?token={number}"}) for number in range(2)]
    ids = send_emails(EVENT_ROLE, people)
    db.session.commit()
    assert [db.session.get_one(Mail, id_).secret for id_ in ids] == [f"{LINK}?token=0", f"{LINK}?token=1"]
    assert "token" not in str(list(db.session.execute(text("SELECT * FROM mails"))))


def test_a_call_that_is_repeated_with_its_key_queues_only_whom_it_missed(database: None, broker: redis.Redis) -> None:
    first = send_emails(NEW_SESSION, everybody(3), Sending(key="announcement-1"))
    db.session.commit()
    assert tasks(broker)
    broker.flushdb()
    again = send_emails(NEW_SESSION, everybody(5), Sending(key="announcement-1"))
    db.session.commit()
    assert again[:3] == first
    assert count(Mail) == 5
    [(_, [handed_over])] = tasks(broker)
    assert handed_over == again[3:]
    with pytest.raises(KeyReusedError, match="another message"):
        send_emails(
            NEW_SESSION, [("user1@example.org", {"event_name": "Other", "link": LINK})], Sending(key="announcement-1")
        )
    db.session.rollback()
    # The same person twice in one call is one message too.
    ids = send_emails(NEW_SESSION, [*everybody(1), *everybody(1)], Sending(key="announcement-2"))
    db.session.commit()
    assert ids[0] == ids[1]


def test_two_calls_with_one_key_at_once_reach_everybody_once_in_whatever_order_they_go(
    app: Flask, database: None
) -> None:
    everyone, start = list(everybody(300)), threading.Barrier(4)

    def send(backwards: bool) -> set[int]:
        with app.app_context():
            start.wait(10)
            ids = send_emails(NEW_SESSION, everyone[::-1] if backwards else everyone, Sending(key="once"))
            db.session.commit()
            db.session.remove()
            return set(ids)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(send, (True, False, True, False)))
    assert found[1:] == found[:1] * 3
    assert count(Mail) == 300


def test_an_action_that_is_off_queues_none(database: None) -> None:
    setting = db.session.scalars(select(MessageSettings).where(MessageSettings.action == NEW_SESSION)).one()
    setting.mail_status = False
    db.session.commit()
    assert send_emails(NEW_SESSION, everybody(3)) == []
    assert count(Mail) == 0


def test_large_files_are_not_copied_for_thousands(database: None) -> None:
    file = attachment("large.txt", "text/plain", bytes(9 * 1024 * 1024))
    with pytest.raises(AttachmentError, match="send a link"):
        send_emails(NEW_SESSION, everybody(60), Sending(attachments=[file]))
    db.session.commit()
    assert (count(Mail), count(MailAttachment)) == (0, 0)
