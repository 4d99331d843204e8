"""The e-mail use cases of the Cobalt page, each by its name there, over a real SMTP server, seen by what arrived."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.api.helpers.mail import (
    Sending,
    create_batch,
    send_email,
    send_email_new_session,
    send_email_with_action,
    send_emails,
    send_emails_formatted,
)
from app.api.helpers.notification import send_notif_new_session_organizer
from app.delivery.handover import wait_for_hand_over
from app.models import db
from app.models.base import utc_now
from app.models.mail import EVENT_PUBLISH, NEW_SESSION
from tests.conftest import People
from tests.servers.smtp import RecordingSmtp
from tests.support.api import Api
from tests.support.sending import part, row, rows, run

LINK = "https://example.org/events/harbour1"


def recipients(smtp: RecordingSmtp) -> list[list[str]]:
    return [envelope.recipients for envelope in smtp.envelopes]


def test_send_an_email_that_is_already_formatted(smtp: RecordingSmtp) -> None:
    send_email("ana@example.org", "Club News", "The results", "<h1>Results</h1><p>You have <b>won</b>.</p>")
    db.session.commit()
    assert run() == {"sent": 1}
    [message] = smtp.messages
    assert message["Subject"] == "The results"
    assert "<h1>Results</h1><p>You have <b>won</b>.</p>" in part(message, "html")
    assert "You have won." in part(message, "plain")


def test_send_an_email_using_a_template(smtp: RecordingSmtp) -> None:
    send_email_with_action("ana@example.org", EVENT_PUBLISH, event_name="Harbour & Sons", link=LINK)
    db.session.commit()
    assert run() == {"sent": 1}
    [message] = smtp.messages
    assert message["Subject"] == "Harbour & Sons is published"
    assert "Harbour &amp; Sons" in part(message, "html")
    assert f"<{LINK}>" in part(message, "plain")


def test_send_a_single_email_to_a_single_person(smtp: RecordingSmtp) -> None:
    send_email_new_session("ana@example.org", "Harbour", LINK)
    db.session.commit()
    assert run() == {"sent": 1}
    assert recipients(smtp) == [["ana@example.org"]]
    assert smtp.messages[0]["To"] == "ana@example.org"


def test_send_a_single_email_to_multiple_people_using_bcc(smtp: RecordingSmtp) -> None:
    copies = [f"member{number}@example.org" for number in range(100)]
    send_email("club@example.org", "Club News", "To all", "<p>Hello</p>", bcc=copies)
    db.session.commit()
    assert run() == {"sent": 1}
    assert recipients(smtp) == [["club@example.org", *copies]]
    assert b"member" not in smtp.envelopes[0].content
    assert len(rows()) == 1


def test_send_a_similar_email_to_multiple_people_using_context(smtp: RecordingSmtp, people: People) -> None:
    people.user("ben@example.org").language = "de"
    db.session.commit()
    contexts = [(f"{name}@example.org", {"event_name": name.title(), "link": LINK}) for name in ("ana", "ben", "cleo")]
    send_emails(EVENT_PUBLISH, contexts)
    db.session.commit()
    assert run() == {"sent": 3}
    assert recipients(smtp) == [["ana@example.org"], ["ben@example.org"], ["cleo@example.org"]]
    for message, (address, context) in zip(smtp.messages, contexts, strict=True):
        assert message["To"] == address
        assert str(context["event_name"]) in message["Subject"]
        assert f"{address}," in part(message, "plain")
    assert [message["Subject"].endswith("is published") for message in smtp.messages] == [True, False, True]


def test_the_same_formatted_email_to_each_of_many(smtp: RecordingSmtp) -> None:
    send_emails_formatted("Club News", ["ana@example.org", "ben@example.org"], "Results", "<p>Hello</p>")
    db.session.commit()
    assert run() == {"sent": 2}
    assert recipients(smtp) == [["ana@example.org"], ["ben@example.org"]]
    assert len({message["Message-ID"] for message in smtp.messages}) == 2


def test_send_an_email_by_putting_it_on_a_queue_to_send_shortly(smtp: RecordingSmtp) -> None:
    """Which is how every mail goes; or at a time that the caller names."""
    later = send_email("ben@example.org", "Test", "Later", "<p>Hi</p>", send_at=utc_now() + timedelta(hours=1))
    send_email("ana@example.org", "Test", "Soon", "<p>Hi</p>")
    db.session.commit()
    assert later is not None
    assert run() == {"sent": 1}
    assert row(later.id).status == "scheduled"
    # Its time has come.
    db.session.execute(text("UPDATE mails SET next_attempt_at = now() WHERE status = 'scheduled'"))
    db.session.commit()
    assert run() == {"sent": 1}
    assert [message["Subject"] for message in smtp.messages] == ["Soon", "Later"]


def test_send_an_email_immediately(smtp: RecordingSmtp, broker: Any) -> None:
    """What somebody waits for overtakes what goes to many, and is handed over with its commit."""
    many = ((f"user{number}@example.org", {"event_name": "Harbour", "link": LINK}) for number in range(250))
    send_emails(EVENT_PUBLISH, many)
    db.session.commit()
    broker.flushdb()
    send_email_new_session("waiting@example.org", "Harbour", LINK)
    db.session.commit()
    assert wait_for_hand_over()
    assert broker.llen("usher") >= 1
    assert run() == {"sent": 251}
    assert recipients(smtp)[0] == ["waiting@example.org"]


def test_allow_only_global_email_admins_to_see_the_email(smtp: RecordingSmtp, people: People, api: Api) -> None:
    mail = send_email("ana@example.org", "Test", "Hi", "<p>Hi</p>")
    db.session.commit()
    assert mail is not None
    path = f"/v1/mails/{mail.id}"
    assert api.as_(people.user()).get(path).status_code == 403
    assert api.as_(people.admin()).get(path).json["data"]["attributes"]["subject"] == "Hi"


def test_allow_specific_groups_to_see_the_email(smtp: RecordingSmtp, people: People, api: Api) -> None:
    """Those who manage the event that the mail's batch belongs to."""
    owner, organizer, stranger = (people.user() for _ in range(3))
    event = people.event(owner, organizer=organizer)
    batch = create_batch("The hall is another one", event)
    context = {"event_name": "Harbour", "link": LINK}
    send_emails(NEW_SESSION, [("ana@example.org", context), ("ben@example.org", context)], Sending(batch=batch))
    db.session.commit()
    assert run() == {"sent": 2}
    for who in (owner, organizer):
        [found] = api.as_(who).get("/v1/mail-batches").json["data"]
        assert found["attributes"]["description"] == "The hall is another one"
        assert found["attributes"]["by-status"] == {"sent": 2}
        mails = api.as_(who).get(f"/v1/events/{event.id}/mails", include="events").json
        assert {mail["attributes"]["recipient"] for mail in mails["data"]} == {"ana@example.org", "ben@example.org"}
        assert {each["attributes"]["event"] for each in mails["included"]} == {"queued", "sending", "sent"}
    assert api.as_(stranger).get("/v1/mail-batches").json["data"] == []
    assert api.as_(stranger).get(f"/v1/events/{event.id}/mails").status_code == 403


@pytest.mark.parametrize("several", [False, True])
def test_provide_a_reply_to_field_so_that_users_can_reply(smtp: RecordingSmtp, several: bool) -> None:
    to: Any = ["desk@example.org", "club@example.org"] if several else "desk@example.org"
    send_email("ana@example.org", "Test", "Hi", "<p>Hi</p>", reply_to=to)
    send_emails_formatted("Test", ["ben@example.org"], "Hi", "<p>Hi</p>", Sending(reply_to=to))
    db.session.commit()
    assert run() == {"sent": 2}
    for message in smtp.messages:
        addresses = [address.addr_spec for address in message["Reply-To"].addresses]
        assert addresses == (to if several else [to])


def test_in_addition_to_the_email_add_a_user_notification(smtp: RecordingSmtp, people: People, api: Api) -> None:
    user = people.user("ana@example.org")
    send_notif_new_session_organizer(user, "Harbour", LINK)
    send_email_new_session(user, "Harbour", LINK)
    db.session.commit()
    assert run() == {"sent": 1}
    assert api.as_(user).get(f"/v1/users/{user.id}/notifications").json["meta"]["unread-count"] == 1


def test_every_email_has_a_record_of_what_became_of_it(smtp: RecordingSmtp) -> None:
    send_email("ana@example.org", "Test", "Hi", "<p>Hi</p>")
    db.session.commit()
    run()
    events = db.session.execute(text("SELECT event FROM mail_events ORDER BY id")).scalars()
    assert list(events) == ["queued", "sending", "sent"]


def test_a_playpen_lets_mail_leave_to_real_people_only_from_production(smtp: RecordingSmtp) -> None:
    send_emails_formatted("Test", ["ana@example.org", "a.member@club.example.net.invalid"], "Hi", "<p>Hi</p>")
    db.session.execute(text("UPDATE mails SET recipient = 'member@bridge-club.com' WHERE recipient LIKE 'a.member%'"))
    db.session.commit()
    assert run() == {"sent": 1, "suppressed": 1}
    assert recipients(smtp) == [["ana@example.org"]]
    assert "MAIL_ALLOWED_RECIPIENTS" in rows()[1].last_error


def test_the_same_message_asked_for_twice_arrives_once(smtp: RecordingSmtp) -> None:
    for _ in range(2):
        send_email("ana@example.org", "Test", "Hi", "<p>Hi</p>", key="results-2026-11-21")
        db.session.commit()
        run()
    assert len(smtp.messages) == 1
