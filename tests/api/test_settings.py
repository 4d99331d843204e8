"""The admin's settings: secrets that are written and never read, values that are refused, mails that wake."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from app.api.helpers.templates import MASK
from app.delivery import network
from app.models import Mail, Setting, db
from app.models.base import utc_now
from app.models.setting import EMAIL_SERVICES, SMTP_ENCRYPTIONS
from tests.conftest import People
from tests.support.api import Api
from tests.support.errors import pointer_of
from tests.support.rows import activities

SECRETS = {"sendgrid-key": "SG.first-secret", "smtp-password": "second-secret"}


@pytest.fixture
def admin(api: Api, people: People) -> Api:
    return api.as_(people.admin())


def write(admin: Api, **attributes: Any) -> Any:
    return admin.update("/v1/settings/1", "setting", 1, **attributes)


def stored() -> Setting:
    db.session.expire_all()
    setting = db.session.get(Setting, 1)
    assert setting is not None
    return setting


def test_both_addresses_show_the_one_row(admin: Api) -> None:
    both = [admin.get(path).json["data"] for path in ("/v1/settings", "/v1/settings/1")]
    assert both[0] == both[1]
    assert (both[0]["type"], both[0]["id"]) == ("setting", "1")
    assert set(both[0]["attributes"]) == {
        "app-name",
        "frontend-url",
        "email-service",
        "email-from",
        "email-from-name",
        "sendgrid-key",
        "sendgrid-webhook-key",
        "smtp-host",
        "smtp-port",
        "smtp-username",
        "smtp-password",
        "smtp-encryption",
        "mails-per-second",
        "mails-per-day",
        "uncertain-mails",
        "mail-body-days",
        "mail-days",
        "mail-problem-days",
        "order-expiry-time",
        "service-fee",
    }


def test_there_is_no_other_row_and_the_short_address_is_not_written(admin: Api) -> None:
    assert admin.get("/v1/settings/2").status_code == 404
    assert admin.update("/v1/settings/2", "setting", 2, app_name="x").status_code == 404
    answer = admin.update("/v1/settings", "setting", 1, app_name="x")
    assert answer.status_code == 405
    assert "PATCH" not in answer.headers["Allow"]
    assert admin.update("/v1/settings/1", "setting", 2, app_name="x").status_code == 409
    assert stored().app_name == "Usher"


def test_secrets_read_back_as_asterisks(admin: Api) -> None:
    before = admin.get("/v1/settings").json["data"]["attributes"]
    assert before["sendgrid-key"] is before["smtp-password"] is None
    answer = write(admin, **SECRETS)
    assert answer.status_code == 200
    for shown in (answer, admin.get("/v1/settings"), admin.get("/v1/settings/1")):
        attributes = shown.json["data"]["attributes"]
        assert attributes["sendgrid-key"] == attributes["smtp-password"] == MASK == "********"
        assert not any(secret in shown.text for secret in SECRETS.values())
    assert (stored().sendgrid_key, stored().smtp_password) == tuple(SECRETS.values())


def test_asterisks_written_back_change_nothing(admin: Api) -> None:
    write(admin, **SECRETS)
    item = admin.get("/v1/settings").json["data"]
    item["attributes"]["app-name"] = "Harbour"
    assert admin.patch("/v1/settings/1", {"data": item}).status_code == 200
    assert (stored().sendgrid_key, stored().smtp_password) == tuple(SECRETS.values())
    assert stored().app_name == "Harbour"


def test_null_clears_a_secret_and_a_new_one_replaces_it(admin: Api) -> None:
    write(admin, **SECRETS)
    answer = write(admin, smtp_password=None, sendgrid_key="another")
    assert answer.json["data"]["attributes"]["smtp-password"] is None
    assert answer.json["data"]["attributes"]["sendgrid-key"] == MASK
    assert (stored().sendgrid_key, stored().smtp_password) == ("another", None)


def test_secrets_are_encrypted_in_the_table_and_in_no_log(admin: Api, caplog: pytest.LogCaptureFixture) -> None:
    write(admin, smtp_username="sam", **SECRETS)
    write(admin, smtp_password="x" * 1001)
    raw = db.session.execute(text("SELECT settings::text, sendgrid_key, smtp_password FROM settings")).one()
    for secret in SECRETS.values():
        assert not any(secret in value for value in raw)
        assert not any(secret in sentence for sentence in activities())
        assert secret not in caplog.text
    assert activities() == ["Settings changed: sendgrid_key, smtp_password, smtp_username"]


def test_a_change_of_nothing_is_not_logged(admin: Api) -> None:
    assert write(admin).status_code == 200
    assert write(admin, app_name="Usher", smtp_password=MASK).status_code == 200
    assert activities() == []


@pytest.mark.parametrize("query", [{"filter[smtp-password]": "x"}, {"sort": "smtp-password"}, {"page[size]": "1"}])
def test_settings_are_no_list_to_search_secrets_in(admin: Api, query: dict[str, str]) -> None:
    assert admin.get("/v1/settings", **query).status_code == 400


@pytest.mark.parametrize("value", SMTP_ENCRYPTIONS)
def test_each_spelling_of_an_encryption_stays_as_written(admin: Api, value: str) -> None:
    answer = write(admin, smtp_encryption=value)
    assert answer.status_code == 200
    assert answer.json["data"]["attributes"]["smtp-encryption"] == value
    assert stored().smtp_encryption == value


@pytest.mark.parametrize("value", EMAIL_SERVICES)
def test_each_service_can_be_set(admin: Api, value: str) -> None:
    assert write(admin, email_service=value).json["data"]["attributes"]["email-service"] == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("smtp-encryption", value) for value in ("starttls", "TLS", "", " tls", "tls optional", None, 0, True, [])),
        *(("email-service", value) for value in ("SMTP", "mailgun", "", None, 1, {})),
        *(("smtp-port", value) for value in (0, -1, 65536, "587", 587.0, 1.5, True, [], 2**70)),
        *(("email-from", value) for value in ("", "x", "a@example.org\nBcc: b@example.org", "a@b, c@d", None)),
        ("email-from-name", "a\r\nBcc: b@example.org"),
        ("email-from-name", "x" * 256),
        *(("smtp-host", value) for value in ("a b", "http://a", "a/b", "u@h", "a\nb", 5)),
        *(("frontend-url", value) for value in ("javascript:alert(1)", "//a", "http://", "http://a b", "ftp://a", "x")),
        *(("app-name", value) for value in ("", " ", None, "a\nb", "x" * 256)),
        *(("smtp-password", value) for value in (5, [], {}, True, "x" * 1001)),
        ("colour", "red"),
        ("smtp_port", 25),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_is_422_with_its_place(admin: Api, name: str, value: Any) -> None:
    body = {"data": {"type": "setting", "id": "1", "attributes": {"app-name": "Changed", name: value}}}
    answer = admin.patch("/v1/settings/1", body)
    assert answer.status_code == 422
    assert pointer_of(answer) == f"/data/attributes/{name}"
    assert stored().app_name == "Usher"


@pytest.mark.parametrize("port", [1, 25, 587, 65535, None])
def test_a_port_is_1_to_65535_or_not_set(admin: Api, port: int | None) -> None:
    assert write(admin, smtp_port=port).json["data"]["attributes"]["smtp-port"] == port


def waiting(error_class: str) -> Mail:
    later = utc_now() + timedelta(days=300)
    mail = Mail(
        recipient="ana@example.org",
        action="Test",
        subject="Hi",
        message="Hi",
        text="Hi",
        message_id=f"{error_class}@example.org",
        status="deferred",
        error_class=error_class,
        last_error="why",
        next_attempt_at=later,
    )
    db.session.add(mail)
    db.session.commit()
    return mail


def test_better_settings_wake_the_mails_that_wait_for_them(admin: Api) -> None:
    mails = {kind: waiting(kind) for kind in ("configuration", "connection", "transient", "throttled")}
    assert write(admin, app_name="Usher").status_code == 200
    assert write(admin, smtp_port=0).status_code == 422
    db.session.expire_all()
    assert all(mail.next_attempt_at > utc_now() for mail in mails.values())
    assert write(admin, smtp_host="smtp.example.org").status_code == 200
    db.session.expire_all()
    due = {kind for kind, mail in mails.items() if mail.next_attempt_at <= utc_now()}
    assert due == {"configuration", "connection"}


def test_what_is_set_is_what_the_next_mail_says(admin: Api) -> None:
    write(admin, app_name="Harbour & Sons", frontend_url="https://front.example.org/")
    admin.create("/v1/users", "user", {"email": "ana@example.org", "password": "a long password"})
    subjects = [item["attributes"]["subject"] for item in admin.get("/v1/mails").json["data"]]
    assert "Welcome to Harbour & Sons" in subjects
    assert stored().frontend_url == "https://front.example.org"


@pytest.fixture
def guarded(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in production: no mail server in a private network."""
    monkeypatch.setitem(app.config, "USHER", replace(app.config["USHER"], allow_private_hosts=False))


PRIVATE = "127.1 2130706433 0x7f.1 [::1] ::ffff:10.0.0.1 169.254.169.254 localhost 0.0.0.0 10.0.0.1"


@pytest.mark.parametrize("host", PRIVATE.split())
def test_a_mail_server_in_a_private_network_is_422_unless_it_is_allowed(admin: Api, guarded: None, host: str) -> None:
    answer = write(admin, smtp_host=host)
    assert answer.status_code == 422
    assert pointer_of(answer) == "/data/attributes/smtp-host"
    assert "MAIL_ALLOW_PRIVATE_HOSTS" in answer.text
    assert stored().smtp_host is None


def test_a_private_mail_server_that_is_allowed_is_taken(admin: Api) -> None:
    assert write(admin, smtp_host="127.1").status_code == 200


@pytest.mark.parametrize("failure", [OSError("not known"), TimeoutError("no answer"), ValueError("no name")])
def test_a_mail_server_that_is_not_known_now_is_taken(
    admin: Api, guarded: None, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr(network, "look_up", fail)
    assert write(admin, smtp_host="later.example.org").status_code == 200


def test_one_private_address_among_others_is_enough(admin: Api, guarded: None, monkeypatch: pytest.MonkeyPatch) -> None:
    both = [network.Address(2, (address, 0)) for address in ("8.8.8.8", "192.168.0.1")]
    monkeypatch.setattr(network, "look_up", lambda *_: both)
    assert pointer_of(write(admin, smtp_host="mail.example.org")) == "/data/attributes/smtp-host"


def test_a_private_mail_server_of_old_is_refused_too_as_long_as_it_is_in_use(admin: Api, guarded: None) -> None:
    stored().smtp_host = "127.0.0.1"
    db.session.commit()
    echo = {"smtp_host": "127.0.0.1", "app_name": "Harbour"}
    assert pointer_of(write(admin, **echo)) == "/data/attributes/smtp-host"
    assert stored().app_name == "Usher"
    assert write(admin, **echo, email_service="disable").status_code == 200
    assert write(admin, **echo).status_code == 200
    assert pointer_of(write(admin, **echo, email_service="smtp")) == "/data/attributes/smtp-host"
    assert write(admin, app_name="Port").status_code == 200
    assert write(admin, smtp_host=None).status_code == 200


def test_the_settings_of_orders_are_numbers_within_bounds(admin: Api) -> None:
    assert write(admin, order_expiry_time=43_200, service_fee=2.75).status_code == 200
    assert (stored().order_expiry_time, stored().service_fee) == (43_200, Decimal("2.75"))
    assert admin.get("/v1/settings/1").json["data"]["attributes"]["service-fee"] == 2.75
    for name, odd in (
        *(("order-expiry-time", odd) for odd in (0, 43_201, 1.5, "15", None, True)),
        *(("service-fee", odd) for odd in (-0.01, 100.01, 2.755, "2", None, True)),
    ):
        answer = write(admin, **{name: odd})
        assert answer.status_code == 422, (name, odd)
        assert pointer_of(answer) == f"/data/attributes/{name}"


def test_the_settings_of_delivery_are_numbers_within_bounds_or_not_set(admin: Api) -> None:
    before = admin.get("/v1/settings/1").json["data"]["attributes"]
    names = ("mails-per-second", "mails-per-day", "mail-body-days", "mail-days", "mail-problem-days")
    assert [before[name] for name in names] == [None, None, 90, 365, 730]
    assert before["uncertain-mails"] == "retry"
    for name, largest in zip(names, (100_000, 1_000_000_000, 36_500, 36_500, 36_500), strict=True):
        for value in (1, largest, None):
            assert write(admin, **{name: value}).json["data"]["attributes"][name] == value
        for odd in (0, -1, largest + 1, 1.5, "7", True, 2**70):
            answer = write(admin, **{name: odd})
            assert (answer.status_code, pointer_of(answer)) == (422, f"/data/attributes/{name}"), odd
    assert write(admin, uncertain_mails="hold").json["data"]["attributes"]["uncertain-mails"] == "hold"
    for odd in ("", "Hold", None, 1, []):
        assert pointer_of(write(admin, uncertain_mails=odd)) == "/data/attributes/uncertain-mails"
