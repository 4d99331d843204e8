"""Problems that users of Open Event reported, each as a test that it does not come back (issue numbers are theirs)."""

from __future__ import annotations

import html
import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from app.api.helpers.mail import send_email
from app.models import Event, Happening, Mail, MessageSettings, Session, Setting, SpeakersCall, User, db
from app.models.base import utc_now
from app.models.mail import EVENT_PUBLISH, INVITE_PAPERS, NEW_SESSION, SESSION_ACCEPT_REJECT, SESSION_SCHEDULE
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


def switch(api: Api, admin: User, action: str, *, on: bool, notification: bool = True) -> None:
    """Set the switches of an action as an admin does."""
    id_ = db.session.scalars(select(MessageSettings.id).where(MessageSettings.action == action)).one()
    path, values = f"/v1/message-settings/{id_}", {"mail_status": on, "notification_status": notification}
    assert api.as_(admin).update(path, "message-setting", id_, **values).status_code == 200


def open_call(event: Event) -> SpeakersCall:
    day = timedelta(days=1)
    return SpeakersCall(announcement="Come", starts_at=utc_now() - day, ends_at=utc_now() + day, event=event)


def tell_of_all(api: Api, by: User, session: Session, call: SpeakersCall) -> list[int]:
    """Do what tells the people of an event: publish it, move a session, invite `by` to the call for papers."""
    event_id, mine = session.event_id, api.as_(by)
    invited = mine.create(
        "/v1/paper-invites", "paper-invite", {"email": by.email}, **{"speakers-call": ("speakers-call", call.id)}
    )
    moved = mine.update(f"/v1/sessions/{session.id}", "session", session.id, starts_at="2030-05-01T09:00:00Z")
    published = mine.update(f"/v1/events/{event_id}", "event", event_id, state="published")
    return [invited.status_code, moved.status_code, published.status_code]


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


def test_server_4830_a_state_is_set_without_a_mail_where_the_admins_say_so(
    api: Api, people: People, owner: User
) -> None:
    event, sam = people.event(owner), people.user("sam@example.org")
    session = Session(title="Knots", event=event, speakers=[people.speaker(event, sam)])
    db.session.add(session)
    switch(api, people.admin(), SESSION_ACCEPT_REJECT, on=False)
    api.as_(owner).update(f"/v1/sessions/{session.id}", "session", session.id, state="accepted")
    assert mailed(SESSION_ACCEPT_REJECT) == []
    assert notified(SESSION_ACCEPT_REJECT) == ["sam@example.org"]


def test_frontend_6686_several_reply_to_addresses_are_kept_as_several(people: People) -> None:
    several = ["one@example.org", "two@example.org", "one@example.org"]
    mail = send_email(people.user(), "Test", "Hi", "Hi", reply_to=several)
    db.session.commit()
    assert mail is not None
    assert mail.reply_to == ["one@example.org", "two@example.org"]


def test_frontend_5147_the_admins_switches_have_an_effect_on_mails(api: Api, people: People, owner: User) -> None:
    event, admin = people.event(owner), people.admin()
    for on in (False, True):
        switch(api, admin, NEW_SESSION, on=on)
        propose(api, owner, event)
        assert mailed(NEW_SESSION) == (["owner@example.org"] if on else [])
    assert len(notified(NEW_SESSION)) == 2


@pytest.mark.parametrize("action", [EVENT_PUBLISH, SESSION_SCHEDULE, INVITE_PAPERS])
@pytest.mark.parametrize(("mail", "notification"), [(True, False), (False, True), (False, False), (True, True)])
def test_frontend_5147_and_on_mails_and_notifications_of_each_action(
    api: Api, people: People, owner: User, action: str, mail: bool, notification: bool
) -> None:
    event = people.event(owner, state="draft")
    session, call = Session(title="Knots", event=event), open_call(event)
    db.session.add_all([session, call])
    switch(api, people.admin(), action, on=mail, notification=notification)
    tell_of_all(api, owner, session, call)
    for each in (EVENT_PUBLISH, SESSION_SCHEDULE, INVITE_PAPERS):
        assert mailed(each) == (["owner@example.org"] if mail or each != action else [])
        assert notified(each) == (["owner@example.org"] if notification or each != action else [])


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
    call = open_call(event)
    db.session.add_all([session, call])
    db.session.commit()
    assert api.as_(owner).delete(f"/v1/events/{event.id}").status_code == 204
    for by in (owner, people.admin()):
        assert tell_of_all(api, by, session, call) == [422, 404, 404]
        answer = api.as_(by).update(f"/v1/sessions/{session.id}", "session", session.id, state="accepted")
        assert answer.status_code == 404
    assert count(Mail) == count(Happening) == 0
