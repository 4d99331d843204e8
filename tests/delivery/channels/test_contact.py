"""Writing to one person: the inbox always, the rest as he prefers, and no channel in another's way."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from app.api.helpers.contact import contact_member, send_sms
from app.api.helpers.happenings import HappeningError
from app.api.helpers.mail import AddressError, SendingError
from app.happenings.declared import MEMBER_CONTACTED
from app.happenings.holding.held import release
from app.models import ChannelMessage, EventTypeRow, Happening, Mail, MessageSettings, Notification, User, db
from app.models.base import utc_now
from tests.conftest import People
from tests.servers.gateway import Answers, Gateway
from tests.servers.smtp import RecordingSmtp
from tests.support import sending
from tests.support.channels import PHONE, make_due, run, service, story
from tests.support.preferences import decisions, keep_quiet, make_held_due, prefer
from tests.support.rows import activities, count

BOTH = ("mail", "sms")


@pytest.fixture
def ana(people: People) -> User:
    ana = people.user("ana@example.org")
    ana.phone, ana.chat_address = PHONE, "ana@example.org"
    db.session.commit()
    return ana


def contact(user: User, channels: tuple[str, ...] = BOTH, **more: Any) -> Happening:
    happening = contact_member(user, "The <harbour> opens.\nCome!", channels, **more)
    db.session.commit()
    return happening


def told() -> tuple[int, int, list[str]]:
    """How many notifications and mails there are, and the channels of the other messages."""
    channels = db.session.scalars(select(ChannelMessage.channel).order_by(ChannelMessage.channel))
    return count(Notification), count(Mail), list(channels)


def test_a_member_is_told_in_the_app_and_by_the_channels_that_were_asked_for(people: People, ana: User) -> None:
    bea = people.user("bea@example.org")
    happening = contact(
        ana, ("mail", "sms", "chat"), title="News", link="/events/1", sender=bea, reply_to="bea@example.org"
    )
    assert told() == (1, 1, ["chat", "sms"])
    assert (happening.action, happening.title, happening.actor) == (MEMBER_CONTACTED, "News", bea)
    assert happening.message == "<p>The &lt;harbour&gt; opens.<br>Come!</p>"
    mail = db.session.scalars(select(Mail)).one()
    assert (mail.recipient, mail.reply_to, mail.lane, mail.user_id) == (ana.email, ["bea@example.org"], 0, ana.id)
    for message in db.session.scalars(select(ChannelMessage)):
        assert message.text == "The <harbour> opens.\nCome!\nhttp://127.0.0.1:5000/events/1"
        assert (message.happening_id, message.user_id, message.title) == (happening.id, ana.id, "News")
    assert f"Notification to ana@example.org ({ana.id}) for {MEMBER_CONTACTED}: News" in activities()


def test_by_default_it_is_the_inbox_and_mail_and_nothing_is_sent_before_the_commit(ana: User) -> None:
    contact_member(ana, "Hello")
    db.session.rollback()
    assert told() == (0, 0, [])
    contact_member(ana, "Hello")
    db.session.commit()
    assert told() == (1, 1, [])


def test_one_writes_to_oneself_and_in_html_of_ones_own(ana: User) -> None:
    happening = contact(ana, sender=ana, html="<p><b>Hi</b></p>")
    assert (told(), happening.message) == ((1, 1, ["sms"]), "<p><b>Hi</b></p>")


def test_preferences_rule_mail_and_sms_but_never_the_inbox(ana: User) -> None:
    for channel in ("in-app", "mail", "sms"):
        prefer(ana, channel, "off", "platform.*")
    contact(ana)
    assert told() == (1, 0, [])
    found = decisions(ana)
    assert found["in-app"] == ("send", "critical", None)
    assert found["sms"] == found["mail"] == ("nothing", "user-type", "platform.*")


def test_the_admins_switches_rule_mail_and_sms_but_never_the_inbox(ana: User) -> None:
    row = db.session.scalars(select(MessageSettings).filter_by(action=MEMBER_CONTACTED)).one()
    row.mail_status = row.sms_status = row.notification_status = False
    db.session.commit()
    contact(ana, ("mail", "sms", "chat"))
    assert told() == (1, 0, ["chat"])


def test_a_mail_that_waits_until_it_is_needed_is_answered_to_the_same_address(ana: User) -> None:
    prefer(ana, "mail", "unread", minutes=5)
    contact(ana, ("mail",), reply_to="bea@example.org")
    assert told() == (1, 0, [])
    make_held_due()
    assert sum(release(utc_now())) == 1
    assert db.session.scalars(select(Mail)).one().reply_to == ["bea@example.org"]


def test_quiet_hours_let_an_sms_wait(ana: User) -> None:
    ends = keep_quiet(ana)
    contact(ana, ("sms",))
    assert db.session.scalars(select(ChannelMessage)).one().next_attempt_at == ends
    assert run() == {}


def test_who_has_no_number_gets_no_sms(people: People) -> None:
    contact(people.user())
    assert told() == (1, 1, [])


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"channels": ("pigeon",)}, HappeningError),
        ({"channels": "mail"}, HappeningError),
        ({"message": " "}, HappeningError),
        ({"message": "a\0b"}, HappeningError),
        ({"message": "a" * 100_001}, HappeningError),
        ({"title": "a" * 1001}, HappeningError),
        ({"link": "javascript:alert(1)"}, HappeningError),
        ({"reply_to": "nobody"}, AddressError),
        ({"reply_to": [f"a{number}@example.org" for number in range(11)]}, SendingError),
    ],
)
def test_what_cannot_be_sent_is_refused_before_anything_is_written(
    ana: User, values: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        contact_member(ana, **{"message": "Hello", **values})
    db.session.commit()
    assert told() == (0, 0, [])


def test_an_sms_alone_goes_to_a_user_or_a_number(ana: User, gateway: Gateway) -> None:
    service(gateway.url)
    to_ana, to_number = send_sms(ana, " Hello "), send_sms("+447700900123", "Hello", action="Reminder")
    db.session.commit()
    assert to_ana
    assert to_number
    assert run() == {"sent": 2}
    assert [(each.to, each.text) for each in gateway.offered] == [(PHONE, "Hello"), ("+447700900123", "Hello")]
    assert (to_ana.user_id, to_ana.action, to_number.user_id, to_number.action) == (ana.id, "SMS", None, "Reminder")
    assert told()[:2] == (0, 0)


@pytest.mark.parametrize("text", ["", "  ", "a" * 1601, "a\0b"])
def test_an_sms_that_is_empty_or_too_long_is_refused(ana: User, text: str) -> None:
    with pytest.raises(SendingError):
        send_sms(ana, text)


@pytest.mark.parametrize("number", ["12025550123", "+1 202 555 0123", "", "ana@example.org"])
def test_an_sms_goes_to_no_number_that_is_none(database: None, number: str) -> None:
    with pytest.raises(SendingError):
        send_sms(number, "Hello")


def test_an_sms_alone_obeys_the_user_and_his_night(people: People, ana: User) -> None:
    ends = keep_quiet(ana)
    waiting = send_sms(ana, "Hello")
    assert waiting
    assert waiting.next_attempt_at == ends
    prefer(ana, "sms", "off")
    assert send_sms(ana, "Hello") is None
    assert send_sms(people.user(), "Hello") is None


def test_what_is_critical_by_sms_is_sent_whatever_was_switched_off(ana: User) -> None:
    alarm, drill = "alerts.fire.alarm", "alerts.fire.drill"
    for name, channels in ((alarm, ["in-app", "sms"]), (drill, ["in-app"])):
        db.session.add(EventTypeRow(name=name, title=name, channels=channels, is_critical=True))
        db.session.add(MessageSettings(action=name, sms_status=False))
    prefer(ana, "sms", "off")
    keep_quiet(ana)
    assert [send_sms(to, "Leave the house", action=drill) for to in (ana, PHONE)] == [None, None]
    for to in (ana, PHONE):
        sent = send_sms(to, "Leave the house", action=alarm)
        assert sent
        assert sent.next_attempt_at <= utc_now()


def test_an_sms_service_that_is_down_stops_neither_mail_nor_inbox_and_repeats_none(
    ana: User, gateway: Gateway, smtp: RecordingSmtp
) -> None:
    service(gateway.url)
    gateway.script = [Answers(503), Answers(503)]
    contact(ana)
    assert (run(), sending.run()) == ({"deferred": 1}, {"sent": 1})
    make_due()
    assert (run(), sending.run()) == ({"deferred": 1}, {})
    make_due()
    assert (run(), sending.run()) == ({"sent": 1}, {})
    assert (len(smtp.messages), len(gateway.offered), count(Notification)) == (1, 3, 1)


def test_a_mail_server_that_is_down_stops_no_sms_and_repeats_none(
    ana: User, gateway: Gateway, smtp: RecordingSmtp
) -> None:
    service(gateway.url)
    up = smtp.port
    sending.point_at(sending.refused_port())
    contact(ana)
    assert (sending.run(), run()) == ({"deferred": 1}, {"sent": 1})
    sending.point_at(up)
    sending.make_due()
    assert (sending.run(), run()) == ({"sent": 1}, {})
    assert (len(smtp.messages), len(gateway.offered), count(Notification)) == (1, 1, 1)
    assert story(1) == ["queued", "sending", "sent gate"]


def test_what_is_longer_than_a_service_takes_is_cut_with_an_ellipsis(ana: User, gateway: Gateway) -> None:
    service(gateway.url)
    happening = contact_member(ana, "a" * 5000, ("sms",), title="b" * 500)
    db.session.commit()
    assert run() == {"sent": 1}
    [offered] = gateway.offered
    assert (len(offered.text), offered.text[-1], len(offered.title)) == (1600, "…", 100)
    assert happening.created_at <= utc_now()
