"""One key is one message, whoever asks, and however many at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, text

from app.api.helpers import calendar_files
from app.api.helpers.calendar_files import event_calendar
from app.api.helpers.mail import (
    KeyReusedError,
    Sending,
    SendingError,
    attachment,
    send_email,
    send_email_with_action,
)
from app.delivery.handover import wait_for_hand_over
from app.models import Activity, Mail, db
from app.models.base import utc_now
from app.models.mail import BULK, EVENT_PUBLISH, PASSWORD_RESET, TRANSACTIONAL
from tests.conftest import People
from tests.support.errors import errors_of


def ask(**changes: Any) -> Mail:
    values = {"to": "ana@example.org", "action": "Test", "subject": "Hi", "html": "<p>Hello</p>", "key": "order-7"}
    mail = send_email(**{**values, **changes})
    assert mail is not None
    return mail


def count() -> int | None:
    return db.session.scalar(select(func.count()).select_from(Mail))


def test_the_same_message_with_the_same_key_is_the_row_that_is_there(database: None) -> None:
    first = ask().id
    assert ask().id == first, "in the same transaction"
    db.session.commit()
    db.session.expunge_all()
    # When, in which lane and how the address is written does not make it another message.
    assert ask(to="ANA@example.org", lane=BULK, send_at=utc_now() + timedelta(days=1)).id == first
    db.session.commit()
    assert count() == 1
    assert db.session.scalar(select(func.count()).select_from(Activity)) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"to": "ben@example.org"},
        {"action": "Other"},
        {"subject": "Ho"},
        {"html": "<p>Hallo</p>"},
        {"bcc": "ben@example.org"},
        {"reply_to": "ben@example.org"},
        {"attachments": [attachment("a.txt", "text/plain", b"a")]},
    ],
)
def test_another_message_with_the_same_key_is_refused(database: None, change: dict[str, Any]) -> None:
    ask()
    db.session.commit()
    with pytest.raises(KeyReusedError, match="'order-7' was used for another message"):
        ask(**change)
    assert count() == 1


def test_a_calendar_file_that_was_made_a_second_later_is_the_same_and_one_of_another_time_is_not(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = people.event(people.user())
    first = ask(attachments=[event_calendar(event)]).id
    later = utc_now() + timedelta(seconds=1)
    monkeypatch.setattr(calendar_files, "utc_now", lambda: later)
    assert ask(attachments=[event_calendar(event)]).id == first
    event.starts_at -= timedelta(hours=1)
    with pytest.raises(KeyReusedError):
        ask(attachments=[event_calendar(event)])


def test_a_message_in_our_words_is_the_same_in_whatever_language_and_with_whatever_token(people: People) -> None:
    user = people.user("ana@example.org")
    values = {"app_name": "Usher", "link": "https://example.org/?token=1"}
    first = send_email_with_action(user, PASSWORD_RESET, Sending(key="reset"), **values)
    db.session.commit()
    user.language, values["link"] = "de", "https://example.org/?token=2"
    again = send_email_with_action(user, PASSWORD_RESET, Sending(key="reset"), **values)
    assert first is not None
    assert again is first


def test_a_rolled_back_message_leaves_its_key_free(database: None) -> None:
    ask()
    db.session.rollback()
    ask(subject="Ho")
    db.session.commit()
    assert count() == 1


def test_twenty_at_once_with_one_key_make_one_message(app: Flask, database: None) -> None:
    start = threading.Barrier(20)

    def send(_: int) -> int:
        with app.app_context():
            start.wait(10)
            id_ = ask(attachments=[attachment("a.txt", "text/plain", b"a")]).id
            db.session.commit()
            db.session.remove()
            return id_

    with ThreadPoolExecutor(20) as pool:
        ids = set(pool.map(send, range(20)))
    assert len(ids) == 1
    assert count() == 1
    assert db.session.scalar(text("SELECT count(*) FROM mail_attachments")) == 1
    assert wait_for_hand_over()


def test_whoever_asks_while_another_has_not_committed_waits_for_him(app: Flask, database: None) -> None:
    ask()
    with ThreadPoolExecutor(1) as pool:

        def other() -> tuple[int, str]:
            with app.app_context():
                mail = ask(subject="Ho")
                db.session.commit()
                found = (mail.id, mail.subject)
                db.session.remove()
                return found

        future = pool.submit(other)
        waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        deadline = utc_now() + timedelta(seconds=10)
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as watcher:
            while watcher.scalar(waiting) == 0:
                assert utc_now() < deadline
        db.session.rollback()
        assert future.result(10)[1] == "Ho"
    assert count() == 1


def test_a_key_is_free_again_when_its_row_is_gone(database: None) -> None:
    ask()
    db.session.commit()
    db.session.execute(text("UPDATE mails SET message = '', text = '', body_removed_at = now()"))
    db.session.commit()
    with pytest.raises(KeyReusedError):
        ask(subject="Ho")
    db.session.execute(text("DELETE FROM mails"))
    db.session.commit()
    assert ask(subject="Ho").subject == "Ho"


@pytest.mark.parametrize("key", ["", "x" * 201, "a\nb", "schlüssel", "\x00"])
def test_a_key_that_cannot_be_stored_is_refused(database: None, key: str) -> None:
    with pytest.raises(SendingError, match="printable ASCII"):
        ask(key=key)


def test_the_digest_does_not_tell_what_was_said(database: None) -> None:
    mail = ask()
    db.session.commit()
    assert mail.key_digest is not None
    assert len(mail.key_digest) == 64


# --- when, and in which lane


def test_a_mail_for_later_is_scheduled_and_given_up_a_day_after_its_time(database: None) -> None:
    when = utc_now() + timedelta(days=3)
    later = ask(key=None, send_at=when)
    now = ask(key=None, send_at=datetime(2020, 1, 1, tzinfo=UTC))
    db.session.commit()
    assert (later.status, later.next_attempt_at, later.give_up_at) == ("scheduled", when, when + timedelta(days=1))
    assert now.status == "queued"
    assert now.next_attempt_at <= utc_now()
    assert now.give_up_at - now.time == timedelta(days=1)
    events = db.session.execute(text("SELECT event FROM mail_events ORDER BY mail_id")).scalars()
    assert list(events) == ["scheduled", "queued"]


def test_a_mail_for_later_is_not_handed_over_now(database: None, broker: Any) -> None:
    for key in (None, "later"):
        ask(key=key, send_at=utc_now() + timedelta(hours=1))
    db.session.commit()
    assert wait_for_hand_over()
    assert broker.llen("usher") == 0


@pytest.mark.parametrize(
    "when", [utc_now().replace(tzinfo=None), utc_now() + timedelta(days=900), datetime.max.replace(tzinfo=UTC)]
)
def test_a_time_without_a_timezone_or_far_away_is_refused(database: None, when: datetime) -> None:
    with pytest.raises(SendingError, match="send_at"):
        ask(send_at=when)


def test_the_lane_is_the_actions_unless_the_caller_names_one(database: None) -> None:
    values = {"event_name": "Harbour", "link": "https://example.org/"}
    mails = [
        ask(key=None),
        ask(key=None, lane=BULK),
        send_email_with_action("ana@example.org", EVENT_PUBLISH, **values),
        send_email_with_action("ana@example.org", EVENT_PUBLISH, Sending(lane=TRANSACTIONAL), **values),
    ]
    assert [mail.lane for mail in mails if mail] == [TRANSACTIONAL, BULK, BULK, TRANSACTIONAL]
    with pytest.raises(SendingError, match="no lane 7"):
        ask(key=None, lane=7)


def test_more_blind_copies_than_a_mail_takes_are_refused_with_the_way_out(database: None) -> None:
    copies = [f"user{number}@example.org" for number in range(101)]
    assert len(ask(bcc=copies[:100]).bcc) == 100
    with pytest.raises(SendingError, match=r"at most 100 blind copies.*send_emails"):
        ask(key=None, bcc=copies)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"subject": "Ho"}, "was used for another message"),
        ({"to": "nobody", "key": None}, "not an e-mail address"),
        ({"key": ""}, "printable ASCII"),
    ],
)
def test_a_request_that_wants_such_a_mail_is_422(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], words: str
) -> None:
    ask()
    db.session.commit()
    # A view of somebody who has not thought of it.
    monkeypatch.setitem(app.view_functions, "health", lambda: str(ask(**change).id))
    answer = client.get("/health")
    assert answer.status_code == 422
    assert words in errors_of(answer)[0]["detail"]
    assert count() == 1
