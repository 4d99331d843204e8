"""The switches of each action, and the texts that it sends."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from app.api.helpers.mail import send_email
from app.api.helpers.notification import send_notification
from app.api.helpers.system_mails import CRITICAL, MAILS
from app.api.helpers.system_notifications import NOTIFS
from app.models import MessageSettings, db
from app.models.mail import NEW_SESSION, PASSWORD_RESET, USER_CONFIRM, USER_REGISTER
from tests.conftest import People
from tests.support.api import Api
from tests.support.errors import errors_of, pointer_of
from tests.support.rows import activities

ATTRIBUTES = {
    "action",
    "event-type",
    "mail-status",
    "notification-status",
    "sms-status",
    "chat-status",
    "user-control-status",
    "critical",
    "recipient",
    "email-subject",
    "email-message",
    "notification-title",
    "notification-message",
}


@pytest.fixture
def admin(api: Api, people: People) -> Api:
    return api.as_(people.admin())


def row(action: str) -> MessageSettings:
    return db.session.scalars(select(MessageSettings).where(MessageSettings.action == action)).one()


def test_every_action_has_its_row_with_everything_on(admin: Api) -> None:
    answer = admin.get("/v1/message-settings", **{"page[number]": 1, "page[size]": 100})
    items = {item["attributes"]["action"]: item["attributes"] for item in answer.json["data"]}
    assert set(items) >= set(MAILS) | set(NOTIFS)
    for attributes in items.values():
        assert set(attributes) == ATTRIBUTES
        assert attributes["mail-status"] is attributes["notification-status"] is True


@pytest.mark.parametrize("action", sorted(set(MAILS) | set(NOTIFS)))
def test_a_row_shows_the_texts_of_its_action(admin: Api, action: str) -> None:
    shown = admin.get(f"/v1/message-settings/{row(action).id}").json["data"]["attributes"]
    mail: dict[str, Any] = dict(MAILS.get(action, {}))
    notification: dict[str, Any] = dict(NOTIFS.get(action, {}))
    assert shown["email-subject"] == mail.get("subject")
    assert shown["email-message"] == mail.get("message")
    assert shown["notification-title"] == notification.get("title")
    assert shown["notification-message"] == notification.get("message")
    assert shown["recipient"] == (mail or notification)["recipient"]


def test_ember_sends_back_all_attributes_and_only_switches_change(admin: Api) -> None:
    setting = row(NEW_SESSION)
    item = admin.get(f"/v1/message-settings/{setting.id}").json["data"]
    changed = {"mail-status": False, "action": "Other", "email-subject": "x", "email-message": None, "recipient": ""}
    item["attributes"] |= changed
    answer = admin.patch(f"/v1/message-settings/{setting.id}", {"data": item})
    assert answer.status_code == 200
    db.session.refresh(setting)
    assert (setting.action, setting.mail_status, setting.notification_status) == (NEW_SESSION, False, True)
    assert answer.json["data"]["attributes"]["email-subject"] == MAILS[NEW_SESSION]["subject"]
    assert activities() == [f"Message setting of {NEW_SESSION} changed"]


def test_a_switch_works_at_once(admin: Api, people: People) -> None:
    setting, user = row(USER_REGISTER), people.user()
    for on in (False, True):
        answer = admin.update(
            f"/v1/message-settings/{setting.id}", "message-setting", setting.id, mail_status=on, notification_status=on
        )
        assert answer.status_code == 200
        assert (send_email(user, USER_REGISTER, "Hi", "Hi") is not None) == on
        assert (send_notification(user, USER_REGISTER, "Hi", "Hi") is not None) == on
        db.session.commit()


@pytest.mark.parametrize("name", ["mail-status", "sms-status", "user-control-status"])
@pytest.mark.parametrize("value", [None, "true", 1, 0, "", [], {}])
def test_a_switch_is_a_json_boolean(admin: Api, name: str, value: Any) -> None:
    body = {"data": {"type": "message-setting", "id": "1", "attributes": {name: value}}}
    answer = admin.patch("/v1/message-settings/1", body)
    assert answer.status_code == 422
    assert pointer_of(answer) == f"/data/attributes/{name}"


def test_rows_are_neither_made_nor_deleted_over_http(admin: Api) -> None:
    assert admin.create("/v1/message-settings", "message-setting", {"action": "x"}).status_code == 405
    assert admin.delete("/v1/message-settings/1").status_code == 405
    assert admin.get("/v1/message-settings/987654").status_code == 404
    wrong = {"data": {"type": "message-settings", "id": "1", "attributes": {}}}
    assert admin.patch("/v1/message-settings/1", wrong).status_code == 409


# --- critical actions


def test_critical_actions_say_so_and_always_send_their_mails(admin: Api) -> None:
    items = admin.get("/v1/message-settings", **{"page[size]": 100}).json["data"]
    critical = {item["attributes"]["action"] for item in items if item["attributes"]["critical"]}
    assert critical == CRITICAL == {USER_CONFIRM, PASSWORD_RESET}
    for action in critical:
        setting = row(action)
        path = f"/v1/message-settings/{setting.id}"
        answer = admin.update(path, "message-setting", setting.id, mail_status=False, user_control_status=False)
        assert answer.status_code == 422
        assert pointer_of(answer) == "/data/attributes/mail-status"
        assert "switched off" in errors_of(answer)[0]["detail"]
        db.session.refresh(setting)
        assert (setting.mail_status, setting.user_control_status) == (True, True)
        same = admin.update(path, "message-setting", setting.id, mail_status=True, notification_status=False)
        assert same.status_code == 200
        assert same.json["data"]["attributes"]["critical"] is True


@pytest.mark.parametrize("action", sorted(CRITICAL))
def test_a_switch_that_was_off_before_does_not_keep_a_critical_mail(people: People, action: str) -> None:
    row(action).mail_status = False
    db.session.commit()
    assert send_email(people.user(), action, "Hi", "Hi") is not None
