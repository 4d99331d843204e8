"""The further mail services: secrets that are written and never read, hosts that are refused, mails that wake."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import redis
from flask import Flask, current_app
from sqlalchemy import text

from app.api.helpers.templates import MASK
from app.delivery.services.failover import counters
from app.models import Mail, MailService, db
from app.models.base import utc_now
from tests.conftest import People
from tests.support.api import Api
from tests.support.errors import pointer_of
from tests.support.processes import free_port
from tests.support.rows import activities

PATH = "/v1/mail-services"
SECRETS = {"sendgrid-key": "SG.first-secret", "smtp-password": "second-secret"}


@pytest.fixture
def admin(api: Api, people: People) -> Api:
    return api.as_(people.admin())


def create(admin: Api, name: Any = "backup", **attributes: Any) -> Any:
    named = {key.replace("_", "-"): value for key, value in attributes.items()}
    return admin.create(PATH, "mail-service", {"name": name, **named})


def stored(name: str = "backup") -> MailService:
    db.session.expire_all()
    return db.session.query(MailService).filter_by(name=name).one()


def breaker() -> Any:
    return counters(current_app.config["USHER"].redis_url).breaker


def open_breaker(service: str) -> None:
    for _ in range(5):
        permit = breaker().allow(service)
        assert permit
        permit.failed("connection")
    assert breaker().allow(service) is None


def waiting() -> Mail:
    mail = Mail(
        **dict.fromkeys(("action", "subject", "message", "text"), "Hi"),
        recipient="ana@example.org",
        message_id="1@example.org",
        status="deferred",
        error_class="connection",
        next_attempt_at=utc_now() + timedelta(days=300),
    )
    db.session.add(mail)
    db.session.commit()
    return mail


def is_due(mail: Mail) -> bool:
    db.session.expire_all()
    return mail.next_attempt_at <= utc_now()


def test_a_service_is_made_read_changed_and_deleted(admin: Api) -> None:
    answer = create(admin, smtp_host="smtp.example.org", smtp_port=587, mails_per_second=5, mails_per_day=1000)
    assert answer.status_code == 201
    item = answer.json["data"]
    assert answer.headers["Location"] == item["links"]["self"] == f"{PATH}/{item['id']}"
    assert item["attributes"] == {
        "name": "backup",
        "position": 1,
        "is-enabled": True,
        "email-service": "smtp",
        "sendgrid-key": None,
        "smtp-host": "smtp.example.org",
        "smtp-port": 587,
        "smtp-username": None,
        "smtp-password": None,
        "smtp-encryption": "tls",
        "mails-per-second": 5,
        "mails-per-day": 1000,
        "state": "closed",
    }
    path = item["links"]["self"]
    assert admin.get(path).json["data"] == item
    assert admin.update(path, "mail-service", item["id"], is_enabled=False, position=2).status_code == 200
    assert (stored().is_enabled, stored().position) == (False, 2)
    assert admin.delete(path).status_code == 204
    assert admin.get(path).status_code == 404
    assert activities() == [
        "Mail service backup created",
        "Mail service backup changed: is_enabled, position",
        "Mail service backup deleted",
    ]


def test_secrets_read_back_as_asterisks_which_written_back_change_nothing(
    admin: Api, caplog: pytest.LogCaptureFixture
) -> None:
    answer = admin.create(PATH, "mail-service", {"name": "backup", **SECRETS})
    item = answer.json["data"]
    assert item["attributes"]["sendgrid-key"] == item["attributes"]["smtp-password"] == MASK
    raw = db.session.execute(text("SELECT mail_services::text FROM mail_services")).scalar_one()
    for secret in SECRETS.values():
        assert secret not in raw + answer.text + admin.get(PATH).text + caplog.text + str(activities())
    item["attributes"]["position"] = 7
    assert admin.patch(item["links"]["self"], {"data": item}).status_code == 200
    assert (stored().sendgrid_key, stored().smtp_password) == tuple(SECRETS.values())
    assert admin.update(item["links"]["self"], "mail-service", item["id"], smtp_password=None).status_code == 200
    assert (stored().sendgrid_key, stored().smtp_password) == ("SG.first-secret", None)


def test_asterisks_are_the_password_of_no_new_service(admin: Api) -> None:
    assert create(admin, smtp_password=MASK).status_code == 201
    assert stored().smtp_password is None


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", "Backup", "a b", "a_b", "-a", "a-", "a--b", "ä", "a\n", "x" * 33, "smtp", "sendgrid", "disable"),
        *(None, 1, True, [], {}),
    ],
)
def test_a_name_is_a_slug_and_not_the_settings_own(admin: Api, name: Any) -> None:
    answer = create(admin, name)
    assert (answer.status_code, pointer_of(answer)) == (422, "/data/attributes/name")


def test_a_name_is_needed(admin: Api) -> None:
    answer = admin.create(PATH, "mail-service", {"smtp-host": "smtp.example.org"})
    assert (answer.status_code, pointer_of(answer)) == (422, "/data/attributes/name")


def test_two_services_of_one_name_are_409(admin: Api) -> None:
    assert create(admin).status_code == 201
    answer = create(admin)
    assert (answer.status_code, pointer_of(answer)) == (409, "/data/attributes/name")
    second = create(admin, "second").json["data"]
    answer = admin.update(second["links"]["self"], "mail-service", second["id"], name="backup")
    assert (answer.status_code, pointer_of(answer)) == (409, "/data/attributes/name")
    assert db.session.query(MailService).count() == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("email-service", value) for value in ("disable", "SMTP", "", None, 1)),
        *(("position", value) for value in (0, 1001, 1.5, "1", None, True, 2**70)),
        *(("mails-per-second", value) for value in (0, -1, 100_001, 0.5, "1", True)),
        *(("mails-per-day", value) for value in (0, 1_000_000_001, "1", [])),
        *(("smtp-host", value) for value in ("a b", "http://a", "a/b", "a\nb", 5)),
        *(("smtp-encryption", value) for value in ("starttls", "", None)),
        *(("is-enabled", value) for value in (None, 1, "true")),
        ("email-from", "a@example.org"),
    ],
)
def test_a_value_that_cannot_be_is_422_with_its_place(admin: Api, name: str, value: Any) -> None:
    answer = admin.create(PATH, "mail-service", {"name": "backup", name: value})
    assert (answer.status_code, pointer_of(answer)) == (422, f"/data/attributes/{name}")
    assert db.session.query(MailService).count() == 0


def test_a_host_in_a_private_network_is_422_unless_it_is_allowed(
    admin: Api, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = create(admin, "first", smtp_host="127.1").json["data"]
    monkeypatch.setitem(app.config, "USHER", replace(app.config["USHER"], allow_private_hosts=False))
    answer = create(admin, smtp_host="10.0.0.1")
    assert (answer.status_code, pointer_of(answer)) == (422, "/data/attributes/smtp-host")
    assert "MAIL_ALLOW_PRIVATE_HOSTS" in answer.text
    answer = admin.update(item["links"]["self"], "mail-service", item["id"], smtp_host="169.254.169.254")
    assert pointer_of(answer) == "/data/attributes/smtp-host"


def test_a_new_or_better_service_wakes_the_mails_that_wait_and_is_asked_at_once(admin: Api) -> None:
    first = waiting()
    item = create(admin).json["data"]
    assert is_due(first)
    open_breaker("backup")
    assert admin.get(item["links"]["self"]).json["data"]["attributes"]["state"] == "open"
    answer = admin.update(item["links"]["self"], "mail-service", item["id"], smtp_port=587)
    assert answer.json["data"]["attributes"]["state"] == "closed"
    permit = breaker().allow("backup")
    assert permit
    assert not permit.is_probe


def test_better_settings_close_the_breaker_of_their_own_service(admin: Api) -> None:
    open_breaker("smtp")
    assert admin.update("/v1/settings/1", "setting", 1, smtp_port=2525).status_code == 200
    assert breaker().allow("smtp")


def test_the_list_says_in_which_order_all_are_tried_and_what_is_wrong(admin: Api) -> None:
    admin.update("/v1/settings/1", "setting", 1, smtp_host="smtp.example.org")
    create(admin, "third", position=3, email_service="sendgrid")
    create(admin, "off", is_enabled=False)
    create(admin, "second", position=2, smtp_host="smtp2.example.org")
    open_breaker("second")
    answer = admin.get(PATH, sort="position").json
    assert [item["attributes"]["name"] for item in answer["data"]] == ["off", "second", "third"]
    assert [item["attributes"]["state"] for item in answer["data"]] == ["closed", "open", "closed"]
    order = answer["meta"]["order"]
    assert [(entry["name"], entry["state"]) for entry in order] == [
        ("smtp", "closed"),
        ("second", "open"),
        ("third", "closed"),
    ]
    assert [entry["problem"] for entry in order[:2]] == [None, None]
    third = stored("third")
    assert order[2]["problem"] == f"No key for SendGrid is set: PATCH {PATH}/{third.id} with sendgrid-key."


def test_while_redis_is_away_the_state_is_not_known_and_services_can_be_changed(
    admin: Api, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = create(admin).json["data"]
    away = f"redis://127.0.0.1:{free_port()}/0"
    monkeypatch.setitem(app.config, "USHER", replace(app.config["USHER"], redis_url=away))
    answer = admin.update(item["links"]["self"], "mail-service", item["id"], position=2)
    assert answer.status_code == 200
    assert answer.json["data"]["attributes"]["state"] is None


@pytest.mark.parametrize("query", [{"sort": "smtp-password"}, {"sort": "state"}, {"filter[sendgrid-key]": "x"}])
def test_neither_secrets_nor_states_can_be_searched_for(admin: Api, query: dict[str, str]) -> None:
    create(admin)
    assert admin.get(PATH, **query).status_code == 400


def test_services_can_be_filtered_by_what_they_are(admin: Api, broker: redis.Redis) -> None:
    create(admin)
    create(admin, "other", email_service="sendgrid")
    found = admin.get(PATH, **{"filter[email-service]": "sendgrid"}).json
    assert [item["attributes"]["name"] for item in found["data"]] == ["other"]
    assert found["meta"]["count"] == 1
