"""Where mail goes is the admin's to say, and takes effect at once; outside production it goes to few."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from app.api.helpers.mail import send_email
from app.delivery import claims
from app.delivery.services.registry import close_transport
from app.models import db
from tests.conftest import People
from tests.servers.answering import AnsweringSmtp
from tests.servers.certificates import Authority
from tests.servers.smtp import HOST, RecordingSmtp, ScriptedSmtp
from tests.support.api import Api
from tests.support.sending import make_due, patch_settings, point_at, queue, queue_secret, refused_port, row, rows, run

pytestmark = pytest.mark.usefixtures("sending")

PASSWORD = "hunter2-of-the-mail-server"


@pytest.mark.parametrize(
    ("wrong", "advice"),
    [
        ({"smtp_host": None}, "PATCH /v1/settings/1 with smtp-host"),
        ({"smtp_username": "usher", "smtp_password": "wrong"}, "check smtp-username, smtp-password"),
        ({"smtp_encryption": "tls"}, "does not offer STARTTLS"),
        ({"email_service": "sendgrid"}, "PATCH /v1/settings/1 with sendgrid-key"),
    ],
)
def test_wrong_settings_make_all_mails_wait_until_an_admin_changes_them(
    api: Api, people: People, wrong: dict[str, Any], advice: str
) -> None:
    with RecordingSmtp(login=("usher", PASSWORD), login_in_clear=True) as server:
        point_at(server.port, smtp_username="usher")
        change = {key: value for key, value in wrong.items() if key != "smtp_password"}
        point_at(server.port, **change)
        admin = api.as_(people.admin())
        if "smtp_password" in wrong:
            assert patch_settings(admin, smtp_password=wrong["smtp_password"]) == 200
        queue(3)
        assert run() == {"deferred": 3}
        assert {(mail.status, mail.error_class) for mail in rows()} == {("deferred", "configuration")}
        assert all(advice in mail.last_error for mail in rows())
        assert run() == {}, "nothing is tried before the settings change"
        right = {"smtp_host": HOST, "smtp_password": PASSWORD, "smtp_encryption": "none", "email_service": "smtp"}
        assert patch_settings(admin, **right) == 200
        assert run() == {"sent": 3}
        close_transport()
    assert all(mail.last_error is None for mail in rows())


def test_a_certificate_of_nobody_we_trust_is_a_matter_of_the_settings(tmp_path_factory: pytest.TempPathFactory) -> None:

    authority = Authority(tmp_path_factory.mktemp("authority"))
    with RecordingSmtp(starttls=authority.server_context()) as server:
        point_at(server.port, smtp_encryption="tls")
        queue(2)
        assert run() == {"deferred": 2}
        assert {mail.error_class for mail in rows()} == {"configuration"}
        assert "SMTP_CA_FILE" in rows()[0].last_error
        make_due()
        assert run(smtp_ca_file=str(authority.ca_file)) == {"sent": 2}
        close_transport()


@pytest.mark.parametrize("mode", ["tls", "tls-optional", "tls_optional"])
def test_server_6838_the_modes_that_admins_choose_encrypt_where_the_server_can(
    api: Api, people: People, tmp_path: Path, mode: str
) -> None:
    """Open Event's own screen wrote `tls-optional`, which its server took for no encryption."""
    authority = Authority(tmp_path)
    admin, login = api.as_(people.admin()), {"smtp_username": "usher", "smtp_password": PASSWORD}
    with RecordingSmtp(starttls=authority.server_context(), login=("usher", PASSWORD)) as server:
        point_at(server.port)
        assert patch_settings(admin, smtp_encryption=mode, **login) == 200
        queue()
        assert run(smtp_ca_file=str(authority.ca_file)) == {"sent": 1}
        assert server.logged_in == ["usher"], "it is asked for a login only after STARTTLS"
        close_transport()


def test_the_smtp_password_is_encrypted_at_rest_and_used_in_the_clear(api: Api, people: People) -> None:
    with RecordingSmtp(login=("usher", PASSWORD), login_in_clear=True) as server:
        point_at(server.port)
        assert patch_settings(api.as_(people.admin()), smtp_username="usher", smtp_password=PASSWORD) == 200
        stored = db.session.execute(text("SELECT smtp_password FROM settings")).scalar_one()
        assert PASSWORD not in stored
        queue()
        assert run() == {"sent": 1}
        assert server.logged_in == ["usher"]
        close_transport()


def test_settings_changed_between_two_batches_of_one_run_take_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "BATCH", 1)
    with RecordingSmtp() as new:

        def switch(_count: int) -> None:
            with db.engine.begin() as connection:
                connection.execute(text("UPDATE settings SET smtp_port = :port"), {"port": new.port})

        with AnsweringSmtp(switch) as old:
            point_at(old.port)
            queue(3)
            assert run() == {"sent": 3}
            assert len(old.envelopes) == 1
            assert len(new.envelopes) == 2
            assert new.connections == 1
            close_transport()


def test_the_connection_to_the_old_server_is_closed_in_an_orderly_way(smtp: RecordingSmtp) -> None:
    with ScriptedSmtp() as old:
        point_at(old.port)
        queue()
        assert run() == {"sent": 1}
        assert "QUIT" not in old.commands
        point_at(smtp.port)
        queue()
        assert run() == {"sent": 1}
        assert old.commands[-1] == "QUIT"
    assert len(smtp.envelopes) == 1


def test_many_mails_of_many_batches_go_over_one_connection(
    smtp: RecordingSmtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "BATCH", 10)
    queue(35)
    assert run() == {"sent": 35}
    assert smtp.connections == 1
    assert len({message["Message-ID"] for message in smtp.messages}) == 35


def test_a_disabled_service_suppresses_instead_of_keeping() -> None:
    point_at(refused_port(), email_service="disable")
    [mail_id], secret_id = queue(), queue_secret()
    assert run() == {"suppressed": 2}
    mail = row(mail_id)
    assert (mail.status, mail.attempts, mail.sent_at) == ("suppressed", 0, None)
    assert "email-service is 'disable'" in mail.last_error
    assert row(secret_id).secret is None
    point_at(refused_port(), email_service="smtp")
    assert run() == {}


def test_outside_production_mail_leaves_only_to_those_allowed_by_name(smtp: RecordingSmtp) -> None:
    for address in ("dev@team.example.org", "one@example.net", "ana@example.org", "eve@notteam.example.org"):
        send_email(address, "Test", "A subject", "<p>Hello</p>")
    db.session.commit()
    allowed = ("team.example.org", "one@example.net")
    assert run(environment="staging", allowed_recipients=allowed) == {"sent": 2, "suppressed": 2}
    assert [taken.recipients for taken in smtp.envelopes] == [["dev@team.example.org"], ["one@example.net"]]
    assert rows()[2].status == "suppressed"
    assert (
        rows()[2].last_error == "staging is not production, and MAIL_ALLOWED_RECIPIENTS does not have ana@example.org."
    )


def test_a_blind_copy_to_somebody_outside_keeps_the_whole_mail_back(smtp: RecordingSmtp) -> None:
    queue(bcc=["dev@example.org", "real@example.net"])
    assert run(environment="development", allowed_recipients=("example.org",)) == {"suppressed": 1}
    assert smtp.envelopes == []
    assert "real@example.net" in rows()[0].last_error


def test_in_production_mail_leaves_to_everybody(smtp: RecordingSmtp) -> None:
    queue(bcc="copy@example.net")
    assert run(environment="production", allowed_recipients=("nobody.example.org",)) == {"sent": 1}
    assert smtp.envelopes[0].recipients == ["user0@example.org", "copy@example.net"]
