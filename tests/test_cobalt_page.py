"""What the page of Cobalt's notifications tells its users and programmers, row by row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest
from sqlalchemy import select

from app.api.helpers.contact import contact_member, send_sms
from app.api.helpers.happenings import HappeningError, notify_happening
from app.api.helpers.listens import create_user_notification, delete_user_notification
from app.api.helpers.mail import send_email
from app.delivery.services.registry import close_transport
from app.happenings.audience import everyone
from app.models import ChannelMessage, Mail, Notification, User, db
from tests.conftest import People
from tests.servers.gateway import Gateway
from tests.servers.smtp import RecordingSmtp
from tests.support import channels, sending
from tests.support.api import Api
from tests.support.channels import PHONE
from tests.support.named_rows import named_and_there
from tests.support.preferences import prefer
from tests.support.rows import count, mailed, notified

_EMAIL: Final = "tests/delivery/test_cobalt_email.py::test_"
_SERVICES: Final = "tests/delivery/services/test_failover.py::test_"

# The page's words, and where each of them is seen to hold.
ROWS: Final = {
    "Module: not registered, and real, registered users": ("test_people_without_an_account_get_mail_too",),
    "Users may have different preferences: SMS, email, the website, none, a combination": (
        "test_each_user_is_told_as_he_prefers",
    ),
    "System Broadcasts": ("test_a_system_broadcast_reaches_everybody_whatever_they_prefer",),
    "Broadcasts": ("test_a_broadcast_reaches_all_but_those_who_opted_out",),
    "Named Specific": ("test_those_whom_a_module_names_are_told_unless_they_opted_out",),
    "Happenings": ("test_a_happening_reaches_those_who_chose_to_listen",),
    "Personal": ("test_a_personal_message_has_one_recipient",),
    "In App Notifications are always provided": ("test_contact_member_tells_in_the_app_in_any_case",),
    "Email: HTML format": ("test_mail_is_in_html",),
    "SMS: short messages, often with links": ("test_an_sms_is_short_and_has_the_link",),
    "Acknowledge a notification by clicking on it": ("test_a_click_acknowledges_a_notification",),
    "A link to the right relative URL": ("test_a_notification_has_a_link_and_its_mail_the_address",),
    "contact_member(): member, message and type (SMS or Email)": (
        "test_contact_member_tells_in_the_app_in_any_case",
        "test_contact_member_takes_mail_sms_or_both",
    ),
    "send_cobalt_email() without the internal notification": ("test_a_mail_alone_makes_no_notification",),
    "send_cobalt_sms() without the internal notification": ("test_an_sms_alone_makes_no_notification",),
    "create_user_notification()": ("test_the_author_of_a_post_is_told_of_its_comments",),
    "delete_user_notification()": ("test_nobody_listens_to_a_post_that_was_deleted",),
    "Event types: <application>.<function>.<action>, more levels": ("test_event_types_have_three_levels_or_more",),
    "Applications control their own event types": ("test_an_undeclared_event_type_is_refused",),
    "notify_happening()": (
        "test_a_happening_reaches_those_who_chose_to_listen",
        "test_a_new_event_type_needs_no_change_of_the_program",
    ),
    "Email: send one that is already formatted": (f"{_EMAIL}send_an_email_that_is_already_formatted",),
    "Email: using a template": (f"{_EMAIL}send_an_email_using_a_template",),
    "Email: to a single person": (f"{_EMAIL}send_a_single_email_to_a_single_person",),
    "Email: to multiple people, using BCC": (f"{_EMAIL}send_a_single_email_to_multiple_people_using_bcc",),
    "Email: a similar one to multiple people, using context": (
        f"{_EMAIL}send_a_similar_email_to_multiple_people_using_context",
    ),
    "Email: on a queue to send shortly": (f"{_EMAIL}send_an_email_by_putting_it_on_a_queue_to_send_shortly",),
    "Email: immediately": (f"{_EMAIL}send_an_email_immediately",),
    "Email: only global admins may see it": (f"{_EMAIL}allow_only_global_email_admins_to_see_the_email",),
    "Email: specific groups may see it (create_rbac_batch_id)": (f"{_EMAIL}allow_specific_groups_to_see_the_email",),
    "Email: reply_to": (f"{_EMAIL}provide_a_reply_to_field_so_that_users_can_reply",),
    "Email: a user notification besides": (f"{_EMAIL}in_addition_to_the_email_add_a_user_notification",),
    "Email: a record of each, and what became of it": (f"{_EMAIL}every_email_has_a_record_of_what_became_of_it",),
    "Email: through any gateway, by SMTP or another backend": (
        f"{_SERVICES}while_the_smtp_server_is_away_sendgrid_takes_the_mails_under_the_same_message_id",
    ),
    "Email: the provider notifies when a message changes state": (
        "tests/api/test_webhooks.py::test_events_are_written_down_and_an_admin_sees_them",
    ),
    "Email: playpen": (f"{_EMAIL}a_playpen_lets_mail_leave_to_real_people_only_from_production",),
}

COMMENT, DELETED = "forums.post.comment.new", "forums.post.delete"
EVERYWHERE: Final = ["in-app", "mail", "sms"]


@pytest.fixture(scope="module")
def _server() -> Iterator[Gateway]:
    with Gateway() as server:
        yield server


@pytest.fixture
def gateway(_server: Gateway, database: None) -> Gateway:
    """A service of SMS, as an admin has set it up."""
    _server.begin_anew()
    channels.service(_server.url)
    return _server


@pytest.fixture
def smtp(database: None) -> Iterator[RecordingSmtp]:
    with RecordingSmtp() as server:
        sending.point_at(server.port)
        yield server
        close_transport()


@pytest.fixture
def ana(people: People) -> User:
    ana = people.user("ana@example.org")
    ana.phone = PHONE
    db.session.commit()
    return ana


@pytest.fixture
def ben(people: People) -> User:
    return people.user("ben@example.org")


@pytest.fixture
def admin(people: People, api: Api) -> Api:
    return api.as_(people.admin())


@pytest.fixture
def forum(admin: Api) -> None:
    """The types of the page's example."""
    for name in (COMMENT, DELETED):
        declare(admin, name)


def declare(admin: Api, name: str, **more: Any) -> int:
    attributes = {"name": name, "title": "Forum", "channels": EVERYWHERE, **more}
    return admin.create("/v1/event-types", "event-type", attributes).status_code


def announce(event_type: str = COMMENT, **more: Any) -> None:
    notify_happening(event_type, "A comment", "<p>It has <b>news</b>.</p>", **more)
    db.session.commit()


def texted() -> list[str]:
    return list(db.session.scalars(select(ChannelMessage.recipient)))


def inbox(api: Api, user: User) -> Any:
    return api.as_(user).get(f"/v1/users/{user.id}/notifications").json


def test_the_table_and_the_tests_agree() -> None:
    named, there = named_and_there(ROWS, __file__, "test_the_table_and_the_tests_agree")
    assert named == there


# --- who


def test_people_without_an_account_get_mail_too(smtp: RecordingSmtp) -> None:
    send_email("visitor@example.org", "Club News", "Welcome", "<p>Hello</p>")
    db.session.commit()
    sending.run()
    assert [taken.recipients for taken in smtp.envelopes] == [["visitor@example.org"]]


def test_each_user_is_told_as_he_prefers(people: People, ana: User, forum: None) -> None:
    off = {"sms": ("mail",), "mail": ("sms",), "website": ("mail", "sms"), "none": ("in-app", "mail", "sms"), "all": ()}
    users = {"sms": ana, **{name: people.user(f"{name}@example.org") for name in off if name != "sms"}}
    for name, user in users.items():
        for channel in off[name]:
            prefer(user, channel, "off", "forums.*")
    announce(users=list(users.values()))
    assert notified(COMMENT) == sorted(user.email for name, user in users.items() if name != "none")
    assert mailed(COMMENT) == ["all@example.org", "mail@example.org"]
    assert texted() == [PHONE]


# --- the five types of notification


def test_a_system_broadcast_reaches_everybody_whatever_they_prefer(admin: Api, ana: User, ben: User) -> None:
    assert declare(admin, "system.outage.announced", **{"is-critical": True}) == 201
    for channel in EVERYWHERE:
        prefer(ana, channel, "off")
    announce("system.outage.announced", users=everyone())
    everybody = ["admin@example.org", "ana@example.org", "ben@example.org"]
    assert notified("system.outage.announced") == mailed("system.outage.announced") == everybody
    assert texted() == [PHONE]


def test_a_broadcast_reaches_all_but_those_who_opted_out(admin: Api, api: Api, ana: User, ben: User) -> None:
    wish = [{"type": "platform.broadcast.*", "channel": name, "mode": "off"} for name in ("in-app", "mail")]
    path = f"/v1/users/{ana.id}/preferences"
    assert api.as_(ana).update(path, "preferences", ana.id, types=wish).status_code == 200
    words = {"title": "Club News", "message": "<p>We move.</p>", "audience": "everyone"}
    draft = admin.create("/v1/broadcasts", "broadcast", words).json["data"]
    assert draft["attributes"]["recipients"] == 3
    assert admin.update(f"/v1/broadcasts/{draft['id']}", "broadcast", draft["id"], state="sending").status_code == 200
    told = ["admin@example.org", "ben@example.org"]
    assert notified("platform.broadcast.sent") == mailed("platform.broadcast.sent") == told


def test_those_whom_a_module_names_are_told_unless_they_opted_out(
    admin: Api, people: People, ana: User, ben: User
) -> None:
    declare(admin, "results.event.published")
    for channel in ("in-app", "mail"):
        prefer(ben, channel, "off", "results.*")
    cleo = people.user("cleo@example.org")
    people.user("not.named@example.org")
    announce("results.event.published", users=[ana, ben, cleo])
    assert notified("results.event.published") == mailed("results.event.published") == [ana.email, cleo.email]


def test_a_happening_reaches_those_who_chose_to_listen(api: Api, ana: User, ben: User, forum: None) -> None:
    path = f"/v1/users/{ana.id}/listens"
    assert api.as_(ana).create(path, "listen", {"event-type": "forums.post.*"}).status_code == 201
    announce()
    assert notified(COMMENT) == mailed(COMMENT) == [ana.email]


def test_a_personal_message_has_one_recipient(ana: User, ben: User) -> None:
    contact_member(ana, "Your partner is ill.", sender=ben)
    db.session.commit()
    assert notified("platform.member.contacted") == mailed("platform.member.contacted") == [ana.email]


# --- the ways


def test_contact_member_tells_in_the_app_in_any_case(api: Api, ana: User) -> None:
    for channel in EVERYWHERE:
        prefer(ana, channel, "off")
    contact_member(ana, "Table 4 is yours.", ("mail", "sms"))
    db.session.commit()
    [told] = inbox(api, ana)["data"]
    assert told["attributes"]["message"] == "<p>Table 4 is yours.</p>"
    assert (count(Mail), texted()) == (0, [])


@pytest.mark.parametrize("kinds", [("mail",), ("sms",), ("mail", "sms")])
def test_contact_member_takes_mail_sms_or_both(ana: User, kinds: tuple[str, ...]) -> None:
    contact_member(ana, "Table 4 is yours.", kinds)
    db.session.commit()
    assert (count(Notification), count(Mail), count(ChannelMessage)) == (1, "mail" in kinds, "sms" in kinds)


def test_mail_is_in_html(smtp: RecordingSmtp, ana: User, forum: None) -> None:
    announce(users=[ana])
    assert sending.run() == {"sent": 1}
    [message] = smtp.messages
    assert "<p>It has <b>news</b>.</p>" in sending.part(message, "html")
    assert "It has news." in sending.part(message, "plain")


def test_an_sms_is_short_and_has_the_link(gateway: Gateway, ana: User, forum: None) -> None:
    announce(users=[ana], link="/forums/99")
    assert channels.run() == {"sent": 1}
    [taken] = gateway.offered
    assert (taken.to, taken.title) == (PHONE, "A comment")
    assert taken.text == "It has news.\nhttp://127.0.0.1:5000/forums/99"


# --- the user's experience


def test_a_click_acknowledges_a_notification(api: Api, ana: User, forum: None) -> None:
    announce(users=[ana])
    before = inbox(api, ana)
    id_ = before["data"][0]["id"]
    clicked = api.as_(ana).update(f"/v1/notifications/{id_}", "notification", id_, is_read=True)
    assert clicked.json["data"]["attributes"]["read-at"] is not None
    assert (before["meta"]["unread-count"], inbox(api, ana)["meta"]["unread-count"]) == (1, 0)


def test_a_notification_has_a_link_and_its_mail_the_address(api: Api, ana: User, forum: None) -> None:
    announce(users=[ana], link="/forums/99")
    assert inbox(api, ana)["data"][0]["attributes"]["link"] == "/forums/99"
    assert "http://127.0.0.1:5000/forums/99" in db.session.scalars(select(Mail.text)).one()


# --- one channel alone


def test_a_mail_alone_makes_no_notification(smtp: RecordingSmtp, ana: User) -> None:
    send_email(ana, "Club News", "The results", "<p>You have won.</p>")
    db.session.commit()
    assert sending.run() == {"sent": 1}
    assert (smtp.messages[0]["Subject"], count(Notification), texted()) == ("The results", 0, [])


def test_an_sms_alone_makes_no_notification(gateway: Gateway, ana: User) -> None:
    send_sms(ana, "You have won.")
    db.session.commit()
    assert channels.run() == {"sent": 1}
    assert [(taken.to, taken.text) for taken in gateway.offered] == [(PHONE, "You have won.")]
    assert (count(Notification), count(Mail)) == (0, 0)


# --- listening on behalf of a user


def test_the_author_of_a_post_is_told_of_its_comments(ana: User, ben: User, forum: None) -> None:
    create_user_notification(ana, COMMENT, subject="forums.post:99")
    announce(subject="forums.post:98", actor=ben)
    announce(subject="forums.post:99", actor=ben)
    announce(subject="forums.post:99", actor=ana)
    assert notified(COMMENT) == [ana.email]


def test_nobody_listens_to_a_post_that_was_deleted(ana: User, ben: User, forum: None) -> None:
    for user in (ana, ben):
        create_user_notification(user, COMMENT, subject="forums.post:99")
    assert delete_user_notification(ana, COMMENT, subject="forums.post:99") == 1
    announce(subject="forums.post:99")
    assert notified(COMMENT) == [ben.email]
    assert delete_user_notification(None, None, subject="forums.post:99") == 1
    announce(subject="forums.post:99")
    assert notified(COMMENT) == [ben.email]


# --- event types


def test_event_types_have_three_levels_or_more(admin: Api) -> None:
    for name, status in {
        "forums.post.delete": 201,
        "forums.post.comment.new": 201,
        "forums.post.comment.reply.new": 201,
        "forums.post": 422,
        "Forums.Post.New": 422,
    }.items():
        assert declare(admin, name) == status


def test_an_undeclared_event_type_is_refused(ana: User) -> None:
    with pytest.raises(HappeningError, match=r"forums\.post\.comment\.new") as refused:
        announce(users=[ana])
    assert refused.value.field == "event_type"


def test_a_new_event_type_needs_no_change_of_the_program(admin: Api, ana: User) -> None:
    """Which on the page it does: "it isn't magic"."""
    create_user_notification(ana, "*")
    assert declare(admin, "congress.area.announced") == 201
    announce("congress.area.announced")
    assert notified("congress.area.announced") == mailed("congress.area.announced") == [ana.email]
