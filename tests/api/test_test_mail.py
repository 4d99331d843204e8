"""The test mail: sent at once through the present settings, answered with the provider's own words."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.api import test_mail
from app.models import Mail, MailService, db
from tests.conftest import People
from tests.servers.certificates import Authority
from tests.servers.sendgrid import KEY, Says, SendGridServer
from tests.servers.smtp import HOST, Hang, RecordingSmtp, ScriptedSmtp
from tests.support.api import Api
from tests.support.errors import errors_of, pointer_of
from tests.support.rows import activities, count
from tests.support.sending import part, patch_settings, point_at, refused_port

PASSWORD = "hunter2-of-the-mail-server"


@pytest.fixture
def admin(api: Api, people: People) -> Api:
    return api.as_(people.admin())


def ask(admin: Api, recipient: Any = "ana@example.org") -> TestResponse:
    return admin.post("/v1/test-mail", {"recipient": recipient})


def detail(answer: TestResponse) -> str:
    [error] = errors_of(answer)
    return str(error["detail"])


def configure(app: Flask, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    monkeypatch.setitem(app.config, "USHER", replace(app.config["USHER"], **changes))


def test_it_leaves_at_once_through_smtp_and_the_servers_reply_is_shown(admin: Api) -> None:
    with RecordingSmtp() as server:
        point_at(server.port, app_name="Harbour & Sons")
        answer = ask(admin)
        [message] = server.messages
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json == {
        "message": "The test mail to ana@example.org was taken.",
        "provider": "smtp",
        "provider-message-id": "Q1",
        "response": "250 2.0.0 Ok: queued as Q1",
    }
    assert message["To"] == "ana@example.org"
    assert message["Subject"] == "Test mail from Harbour & Sons"
    assert "e-mail service smtp" in part(message, "plain")
    assert "Harbour &amp; Sons" in part(message, "html")
    assert "<html" in part(message, "html"), "it has the frame of every mail"
    assert activities() == ["Test mail to ana@example.org by smtp: sent"]
    assert count(Mail) == 0, "it is in no queue"


def test_it_leaves_at_once_through_sendgrid(
    admin: Api, app: Flask, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    authority = Authority(tmp_path_factory.mktemp("authority"))
    with SendGridServer(authority.server_context()) as server:
        configure(app, monkeypatch, sendgrid_api_url=server.url, smtp_ca_file=str(authority.ca_file))
        assert patch_settings(admin, email_service="sendgrid", sendgrid_key=KEY) == 200
        answer = ask(admin)
        [mail] = server.mails
    assert answer.json["provider"] == "sendgrid"
    assert answer.json["provider-message-id"] == "SG1"
    assert answer.json["response"] == "202 Accepted"
    assert mail["categories"] == ["Test Mail"]
    assert "e-mail service sendgrid" in mail["content"][0]["value"]


def test_it_leaves_through_the_service_that_is_named(admin: Api) -> None:
    db.session.add(MailService(name="empty", email_service="sendgrid"))
    with RecordingSmtp() as server:
        db.session.add(
            MailService(name="backup", is_enabled=False, smtp_host=HOST, smtp_port=server.port, smtp_encryption="none")
        )
        point_at(refused_port())
        answer = admin.post("/v1/test-mail", {"recipient": "ana@example.org", "service": "backup"})
        assert len(server.envelopes) == 1
    assert (answer.status_code, answer.json["provider"]) == (200, "backup")
    assert activities() == ["Test mail to ana@example.org by backup: sent"]
    answer = admin.post("/v1/test-mail", {"recipient": "ana@example.org", "service": "empty"})
    assert answer.status_code == 409
    assert "PATCH /v1/mail-services/1 with sendgrid-key" in detail(answer)


@pytest.mark.parametrize("service", ["", "other", "sendgrid", "disable", 5, [], {}, True, "x" * 1000])
def test_a_service_that_is_not_there_is_422_with_its_place(admin: Api, service: Any) -> None:
    answer = admin.post("/v1/test-mail", {"recipient": "ana@example.org", "service": service})
    assert (answer.status_code, pointer_of(answer)) == (422, "/service")


@pytest.mark.parametrize("content_type", ["application/json", "application/vnd.api+json"])
def test_both_media_types_are_taken(admin: Api, content_type: str) -> None:
    with RecordingSmtp() as server:
        point_at(server.port)
        headers = {"Authorization": f"JWT {admin.token}", "Content-Type": content_type}
        answer = admin.client.post("/v1/test-mail", data='{"recipient": "ana@example.org"}', headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize("recipient", [None, "", 5, [], {}, "ana", "a@example.org, b@example.org", "a@b\r\nBcc: c@d"])
def test_a_recipient_that_cannot_be_is_422_with_its_place(admin: Api, recipient: Any) -> None:
    answer = ask(admin, recipient)
    assert answer.status_code == 422
    assert pointer_of(answer) == "/recipient"
    assert activities() == []


@pytest.mark.parametrize("body", [{}, {"Recipient": "ana@example.org"}])
def test_a_missing_recipient_is_422_with_its_place(admin: Api, body: dict[str, str]) -> None:
    answer = admin.post("/v1/test-mail", body)
    assert (answer.status_code, pointer_of(answer)) == (422, "/recipient")


@pytest.mark.parametrize("body", [[], None, "ana@example.org", 5])
def test_a_body_that_is_no_object_is_400(admin: Api, body: Any) -> None:
    assert admin.post("/v1/test-mail", body).status_code == 400


def test_a_real_person_gets_none_outside_production(admin: Api) -> None:
    with RecordingSmtp() as server:
        point_at(server.port)
        answer = ask(admin, "real@somewhere.io")
        assert server.connections == 0
    assert (answer.status_code, pointer_of(answer)) == (422, "/recipient")
    assert "MAIL_ALLOWED_RECIPIENTS" in detail(answer)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"email_service": "disable"}, "email-service is 'disable'"),
        ({"smtp_host": None}, "PATCH /v1/settings/1 with smtp-host"),
        ({"email_service": "sendgrid"}, "PATCH /v1/settings/1 with sendgrid-key"),
    ],
)
def test_settings_that_send_nothing_are_409(admin: Api, settings: dict[str, Any], words: str) -> None:
    point_at(refused_port(), **settings)
    answer = ask(admin)
    assert answer.status_code == 409
    assert words in detail(answer)
    assert activities() == []


def test_a_refusal_is_502_with_the_servers_code_and_words(admin: Api) -> None:
    with ScriptedSmtp(rcpt="550 5.1.1 User unknown") as server:
        point_at(server.port)
        answer = ask(admin)
    assert answer.status_code == 502
    assert "550 5.1.1 User unknown" in detail(answer)
    assert activities() == ["Test mail to ana@example.org by smtp: failed"]


def test_a_server_that_is_away_is_502(admin: Api) -> None:
    point_at(refused_port())
    answer = ask(admin)
    assert answer.status_code == 502
    assert "Connection refused" in detail(answer)


def test_a_refusal_of_sendgrids_is_502_without_the_key(
    admin: Api, app: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    echo = Says(401, {"errors": [{"message": f"The key {KEY} is revoked", "field": None}]})
    with SendGridServer(script=[echo]) as server:
        configure(app, monkeypatch, sendgrid_api_url=server.url)
        patch_settings(admin, email_service="sendgrid", sendgrid_key=KEY)
        answer = ask(admin)
    assert answer.status_code == 502
    assert "401 The key *** is revoked" in detail(answer)
    assert KEY not in answer.text + caplog.text + str(activities())


def test_a_wrong_password_is_502_without_the_password(admin: Api, caplog: pytest.LogCaptureFixture) -> None:
    echo = base64.b64encode(f"\0usher\0{PASSWORD}".encode()).decode()
    with ScriptedSmtp("AUTH PLAIN", auth=f"535 5.7.8 {PASSWORD} {echo}") as server:
        point_at(server.port)
        assert patch_settings(admin, smtp_username="usher", smtp_password=PASSWORD) == 200
        answer = ask(admin)
    assert answer.status_code == 502
    assert "535 5.7.8" in detail(answer)
    assert PASSWORD not in answer.text + caplog.text + str(activities())
    assert echo not in answer.text


def test_a_server_that_hangs_is_given_up(admin: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(test_mail, "_TIMEOUT", 0.2)
    with ScriptedSmtp(greeting=Hang()) as server:
        point_at(server.port)
        answer = ask(admin)
    assert answer.status_code == 502
    assert "the time for it ran out" in detail(answer)


def test_a_server_that_drags_every_answer_out_does_not_keep_the_request(
    admin: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(test_mail, "_PATIENCE", 0.2)
    with ScriptedSmtp(greeting=Hang()) as server:
        point_at(server.port)
        answer = ask(admin)
    assert answer.status_code == 502
    assert "It may still arrive" in detail(answer)


def test_a_private_server_that_is_not_allowed_is_502_and_gets_nothing(
    admin: Api, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(app, monkeypatch, allow_private_hosts=False)
    with RecordingSmtp() as server:
        point_at(server.port)
        answer = ask(admin)
        assert server.connections == 0
    assert answer.status_code == 502
    assert "MAIL_ALLOW_PRIVATE_HOSTS" in detail(answer)


def test_one_admin_sends_only_so_many(admin: Api) -> None:
    with RecordingSmtp() as server:
        point_at(server.port)
        statuses = [ask(admin).status_code for _ in range(11)]
    assert statuses == [200] * 10 + [429]
    assert len(server.envelopes) == 10
