"""Problems that users of Open Event reported, each as a test that it does not come back (issue numbers are theirs)."""

from __future__ import annotations

import html
import json
from typing import Any

import pytest
from sqlalchemy import select, update

from app.api.helpers.mail import send_email
from app.models import Happening, Mail, MessageSettings, Session, Setting, User, db
from app.models.base import utc_now
from app.models.mail import NEW_SESSION, SESSION_ACCEPT_REJECT
from tests.conftest import PASSWORD, People
from tests.support.api import Api
from tests.support.rows import count, mailed, notified, notify


@pytest.fixture
def owner(people: People) -> User:
    return people.user("owner@example.org")


def propose(api: Api, by: User, event: Any, **headers: str) -> Any:
    related = {"event": {"data": {"type": "event", "id": str(event.id)}}}
    body = {"data": {"type": "session", "attributes": {"title": "Knots"}, "relationships": related}}
    sent = {"Authorization": f"JWT {api.as_(by).token}", "Content-Type": "application/vnd.api+json", **headers}
    answer = api.client.post("/v1/sessions", headers=sent, data=json.dumps(body))
    assert answer.status_code == 201, answer.text
    return answer


def test_server_3111_and_1538_one_activity_is_one_notification(api: Api, people: People, owner: User) -> None:
    event = people.event(owner, organizer=owner, coorganizer=owner)
    people.speaker(event, owner)
    propose(api, owner, event)
    assert notified(NEW_SESSION) == mailed(NEW_SESSION) == ["owner@example.org"]


def test_server_4174_who_is_told_for_two_reasons_gets_one_mail(api: Api, people: People, owner: User) -> None:
    event = people.event(owner)
    people.speaker(event, owner, email="Owner@Example.org")
    propose(api, owner, event)
    assert mailed(NEW_SESSION) == ["owner@example.org"]


def test_server_4234_and_4199_each_user_gets_the_own_notifications(api: Api, people: People, owner: User) -> None:
    other = people.user()
    mine, theirs = notify(owner), notify(other)
    for user, notification in ((owner, mine), (other, theirs)):
        listed = api.as_(user).get(f"/v1/users/{user.id}/notifications").json["data"]
        assert [item["id"] for item in listed] == [str(notification.id)]
    assert api.as_(other).get(f"/v1/users/{owner.id}/notifications").status_code == 403
    assert api.as_(other).get("/v1/notifications").status_code == 403


def test_server_4127_the_owner_of_a_notification_reads_it_whatever_its_id(
    api: Api, people: People, owner: User
) -> None:
    for _ in range(3):
        notify(people.user())
    mine = notify(owner)
    assert mine.id != owner.id
    assert api.as_(owner).get(f"/v1/notifications/{mine.id}").status_code == 200
    with_the_users_number = f"/v1/notifications/{owner.id}"
    assert api.as_(owner).get(with_the_users_number).status_code == 404


def test_server_4208_nobody_posts_notifications_and_only_is_read_is_written(
    api: Api, people: People, owner: User
) -> None:
    mine, notification = api.as_(owner), notify(owner)
    assert mine.create("/v1/notifications", "notification", {"title": "x"}).status_code == 405
    path = f"/v1/notifications/{notification.id}"
    mine.update(path, "notification", notification.id, title="x", message="x", received_at=None, is_read=True)
    db.session.refresh(notification)
    assert (notification.title, notification.is_read) == ("News", True)


def test_server_7155_an_edit_without_a_change_of_state_mails_nobody(api: Api, people: People, owner: User) -> None:
    event = people.event(owner)
    session = Session(title="Knots", state="accepted", event=event, speakers=[people.speaker(event, people.user())])
    db.session.add(session)
    db.session.commit()
    path = f"/v1/sessions/{session.id}"
    api.as_(owner).update(path, "session", session.id, title="Better knots", state="accepted")
    assert count(Mail) == count(Happening) == 0


def test_frontend_6686_several_reply_to_addresses_are_kept_as_several(people: People) -> None:
    several = ["one@example.org", "two@example.org", "one@example.org"]
    mail = send_email(people.user(), "Test", "Hi", "Hi", reply_to=several)
    db.session.commit()
    assert mail is not None
    assert mail.reply_to == ["one@example.org", "two@example.org"]


def test_frontend_5147_the_admins_switches_have_an_effect_on_mails(api: Api, people: People, owner: User) -> None:
    event = people.event(owner)
    setting = db.session.scalars(select(MessageSettings).where(MessageSettings.action == NEW_SESSION)).one()
    admin, path = api.as_(people.admin()), f"/v1/message-settings/{setting.id}"
    for on in (False, True):
        assert admin.update(path, "message-setting", setting.id, mail_status=on).status_code == 200
        propose(api, owner, event)
        assert mailed(NEW_SESSION) == (["owner@example.org"] if on else [])
    assert len(notified(NEW_SESSION)) == 2


@pytest.mark.parametrize("frontend_url", [None, "https://front.example.org/app"])
def test_frontend_1284_links_are_the_front_ends_and_never_the_host_headers(
    api: Api, people: People, owner: User, frontend_url: str | None
) -> None:
    db.session.execute(update(Setting).values(frontend_url=frontend_url))
    db.session.commit()
    event = people.event(owner)
    evil = {"Host": "evil.example.net", "X-Forwarded-Host": "evil.example.net", "Forwarded": "host=evil.example.net"}
    answer = propose(api, owner, event, **evil)
    base = frontend_url or api.client.application.config["USHER"].frontend_url
    link = f"{base}/events/{event.identifier}/sessions/{answer.json['data']['id']}"
    assert db.session.scalars(select(Happening.link)).all() == [link]
    mail = db.session.scalars(select(Mail)).one()
    assert html.escape(link) in mail.message
    registered = {"data": {"type": "user", "attributes": {"email": "ana@example.org", "password": PASSWORD}}}
    headers = {**evil, "Content-Type": "application/vnd.api+json"}
    answer = api.client.post("/v1/users", headers=headers, data=json.dumps(registered))
    reset = {**evil, "Content-Type": "application/json"}
    asked = json.dumps({"data": {"email": "ana@example.org"}})
    assert api.client.post("/v1/auth/reset-password", headers=reset, data=asked).status_code == 200
    links = [mail.secret for mail in db.session.scalars(select(Mail)) if mail.secret]
    assert len(links) == 2
    assert all(link.startswith(f"{base}/") for link in links)
    shown = " ".join(mail.message + mail.text for mail in db.session.scalars(select(Mail)))
    assert "evil.example.net" not in shown + answer.text


def test_frontend_2976_no_page_has_thousands(api: Api, people: People, owner: User) -> None:
    for _ in range(21):
        notify(owner)
    mine, path = api.as_(owner), f"/v1/users/{owner.id}/notifications"
    assert len(mine.get(path).json["data"]) == 20
    for size in ("0", "101", "-1", "1000000"):
        assert mine.get(path, **{"page[size]": size}).status_code == 400
    assert len(mine.get(path, **{"page[size]": "100"}).json["data"]) == 21


def test_frontend_1610_and_server_4172_what_is_read_leaves_the_unread_list_and_the_badge(api: Api, owner: User) -> None:
    made = [notify(owner) for _ in range(3)]
    mine, path = api.as_(owner), f"/v1/users/{owner.id}/notifications"
    unread = '[{"name":"is-read","op":"eq","val":false}]'
    for left in (2, 1, 0):
        notification = made.pop()
        mine.update(f"/v1/notifications/{notification.id}", "notification", notification.id, is_read=True)
        listed = mine.get(path, filter=unread)
        assert [item["id"] for item in listed.json["data"]] == [str(row.id) for row in reversed(made)]
        assert listed.json["meta"] == {"count": left, "unread-count": left}
        assert mine.get(f"{path}/count").json["meta"] == {"count": 3, "unread-count": left}


def test_frontend_3346_a_deleted_draft_tells_nobody_of_anything(api: Api, people: People, owner: User) -> None:
    event = people.event(owner, state="draft")
    session = Session(title="Knots", event=event, speakers=[people.speaker(event, people.user())])
    event.deleted_at = utc_now()
    db.session.add(session)
    db.session.commit()
    for by in (owner, people.admin()):
        answer = api.as_(by).update(f"/v1/sessions/{session.id}", "session", session.id, state="accepted")
        assert answer.status_code == 404
    assert mailed(SESSION_ACCEPT_REJECT) == notified(SESSION_ACCEPT_REJECT) == []
