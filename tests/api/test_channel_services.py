"""The services of SMS and chat: addresses that are written and never read, and those that are refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from apprise.manager_plugins import NotificationManager
from flask import Flask, current_app
from sqlalchemy import text

from app.api.helpers.templates import MASK
from app.delivery.channels.address import REFUSED
from app.delivery.services.failover import counters
from app.models import ChannelService, db
from app.models.base import utc_now
from tests.conftest import People
from tests.support.api import Api
from tests.support.channels import message, row
from tests.support.errors import errors_of, pointer_of
from tests.support.rows import activities

PATH = "/v1/channel-services"
SECRET = "Sesame-1234"
URL = f"jsons://gate:{SECRET}@gate.example.org/{{to}}"


@pytest.fixture
def admin(api: Api, people: People) -> Api:
    return api.as_(people.admin())


def create(admin: Api, url: Any = URL, channel: Any = "sms", **attributes: Any) -> Any:
    return admin.create(PATH, "channel-service", {"name": "gate", "channel": channel, "url": url, **attributes})


def stored() -> ChannelService:
    db.session.expire_all()
    return db.session.query(ChannelService).one()


def test_a_service_is_made_read_changed_and_deleted(admin: Api) -> None:
    answer = create(admin)
    assert answer.status_code == 201
    item = answer.json["data"]
    created_at = item["attributes"].pop("created-at")
    assert created_at.endswith("Z")
    assert item["attributes"] == {"name": "gate", "channel": "sms", "url": MASK, "is-enabled": True, "max-attempts": 3}
    path = item["links"]["self"]
    assert admin.update(path, "channel-service", item["id"], is_enabled=False, max_attempts=20).status_code == 200
    assert (stored().is_enabled, stored().max_attempts) == (False, 20)
    assert admin.get(PATH).json["meta"]["count"] == 1
    assert admin.delete(path).status_code == 204
    assert activities() == [
        "Channel service gate created",
        "Channel service gate changed: is_enabled, max_attempts",
        "Channel service gate deleted",
    ]


def test_the_address_reads_back_as_asterisks_which_written_back_change_nothing(
    admin: Api, caplog: pytest.LogCaptureFixture
) -> None:
    answer = create(admin)
    item = answer.json["data"]
    raw = db.session.execute(text("SELECT channel_services::text FROM channel_services")).scalar_one()
    path = item["links"]["self"]
    refused = admin.update(path, "channel-service", item["id"], url=f"jsons://{SECRET}@x/no-place")
    assert refused.status_code == 422
    assert admin.patch(path, {"data": item}).status_code == 200
    assert stored().url == URL
    assert SECRET not in raw + answer.text + admin.get(path).text + refused.text + caplog.text + str(activities())
    assert SECRET not in repr(stored())
    assert pointer_of(create(admin, MASK, name="other")) == "/data/attributes/url"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("carrier-pigeon", "Apprise URL"),
        ("pigeon://coop/{to}", "knows no service"),
        ("json://gate.example.org/", "{to}, once"),
        ("json://gate.example.org/{to}/{to}", "{to}, once"),
        ("json://{to}/sms", "behind the host"),
        ("json://ana:{to}@gate.example.org/sms", "behind the host"),
        ("json:///{to}", "behind the host"),
        ("twilio://no-sid/{to}", "cannot use"),
        ("syslog://{to}", "reaches this machine"),
        ("mailto://ana:pass@example.org/?to={to}", "is for mail"),
        ("mqtts://gate.example.org/{to}", "knows no service"),
        ("ircs://irc.example.org/{to}", "does not speak HTTP"),
        ("fcm://project/{to}/?keyfile=/etc/passwd", "reads files"),
        ("tgram://123456789:abcdefg_hijklmnop/{to}?template=/etc/passwd", "would read a file"),
        ("json://gate.example.org/?to={to}", "leaves {to} out"),
        (f"discord://{'1' * 10}/{'a' * 20}/{{to}}", "leaves {to} out"),
        ("json://gate.example.org/ {to}", "No spaces"),
        ("json://gate.example.org/\n{to}", "control"),
        (None, ""),
        (7, ""),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_when_it_is_written(admin: Api, url: Any, says: str) -> None:
    answer = create(admin, url, "chat")
    assert answer.status_code == 422
    assert pointer_of(answer) == "/data/attributes/url"
    assert says in errors_of(answer)[0]["detail"]


@pytest.mark.parametrize(
    ("channel", "url"),
    [
        ("sms", f"twilio://AC{'a' * 32}:{'b' * 32}@12025550100/{{to}}"),
        ("sms", f"vonage://{'a' * 8}:{'b' * 16}@12025550100/{{to}}"),
        ("sms", "jsons://gate.example.org/send?:to={to}"),
        ("chat", "tgram://123456789:abcdefg_hijklmnop/{to}"),
        ("chat", "slack://xoxb-1234-1234-abc124/{to}"),
        ("chat", "matrixs://bot:pass@matrix.example.org/{to}"),
        ("chat", "ntfys://ntfy.example.org/{to}"),
    ],
)
def test_the_usual_services_are_taken(admin: Api, channel: str, url: str) -> None:
    assert create(admin, url, channel).status_code == 201


@pytest.mark.parametrize(
    "values", [{"channel": "mail"}, {"channel": None}, {"max-attempts": 0}, {"max-attempts": 21}, {"name": "Gate 1"}]
)
def test_other_values_that_cannot_be_are_422(admin: Api, values: dict[str, Any]) -> None:
    answer = create(admin, **values)
    assert pointer_of(answer) == f"/data/attributes/{next(iter(values))}"


def test_a_name_is_taken_once(admin: Api) -> None:
    assert create(admin).status_code == 201
    assert create(admin).status_code == 409


def test_a_host_in_a_private_network_is_refused_unless_the_operator_allows_it(
    admin: Api, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = ("json://127.0.0.1/{to}", "json://[::1]/{to}", "json://169.254.169.254/{to}", "ntfy://localhost/{to}")
    with monkeypatch.context() as patched:
        patched.setitem(app.config, "USHER", replace(app.config["USHER"], allow_private_hosts=False))
        for url in private:
            answer = create(admin, url, "chat")
            assert answer.status_code == 422, url
            assert "not in the public Internet" in errors_of(answer)[0]["detail"]
    assert create(admin, private[0]).status_code == 201


def test_a_change_lets_the_messages_and_the_service_be_tried_again(admin: Api) -> None:
    item = create(admin).json["data"]
    later = utc_now() + timedelta(minutes=15)
    sms = message(status="deferred", error_class="configuration", next_attempt_at=later)
    breaker = counters(current_app.config["USHER"].redis_url).breaker
    for _ in range(5):
        permit = breaker.allow("channel:gate")
        assert permit
        permit.failed("connection")
    assert breaker.allow("channel:gate") is None
    assert admin.update(item["links"]["self"], "channel-service", item["id"], max_attempts=5).status_code == 200
    assert row(sms).next_attempt_at < later
    assert breaker.allow("channel:gate")


def test_whatever_of_apprise_does_not_speak_http_by_requests_is_refused() -> None:
    """The guard of the wire is one of `requests`: what goes another way would not be seen."""
    manager: Any = NotificationManager()
    assert "json" in manager
    for schema in manager.schemas():
        plugin = manager[schema]
        modules = [vars(__import__(each.__module__, fromlist=["x"])) for each in plugin.__mro__[:-1]]
        own = [
            module for module in modules if ".plugins." in module["__name__"] and ".base" not in module["__name__"][-5:]
        ]
        speaks = any("requests" in module for module in own) or any("requests" in module for module in modules[:1])
        others = {"subprocess", "socket", "smtplib", "ctypes", "websocket"}
        reaches = {name for module in own for name in others if name in module}
        assert schema in REFUSED or not plugin.enabled or (speaks and not reaches), schema
