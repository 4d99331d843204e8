"""Changing the key of the stored secrets: both keys read, one command writes anew, and then the old one can go."""

from __future__ import annotations

import os
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography.fernet import Fernet
from sqlalchemy import text

from app.commands import commands
from app.models import MailService, Setting, db
from app.models.types import cipher
from tests.servers.smtp import RecordingSmtp
from tests.support.sending import LINK, part, point_at, queue_secret, row, run

SECRETS = ("SG.first-secret", "second-secret")


@pytest.fixture
def old(database: None) -> str:
    """The present key, with secrets under it."""
    setting = db.session.get_one(Setting, 1)
    setting.sendgrid_key, setting.smtp_password = SECRETS
    db.session.commit()
    return os.environ["SETTINGS_KEY"]


@pytest.fixture
def new() -> str:
    return Fernet.generate_key().decode()


def rotate(keys: str) -> Result:
    return CliRunner().invoke(commands, ["rotate-settings-key"], env={"SETTINGS_KEY": keys})


def secrets(monkeypatch: pytest.MonkeyPatch, keys: str) -> tuple[Any, ...]:
    monkeypatch.setenv("SETTINGS_KEY", keys)
    db.session.expire_all()
    setting = db.session.get_one(Setting, 1)
    return (setting.sendgrid_key, setting.smtp_password)


def test_with_both_keys_what_is_under_either_is_read(old: str, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert secrets(monkeypatch, f"{new},{old}") == SECRETS
    db.session.get_one(Setting, 1).smtp_password = "third-secret"
    db.session.commit()
    assert secrets(monkeypatch, f"{new},{old}") == ("SG.first-secret", "third-secret")
    assert secrets(monkeypatch, new) == (None, "third-secret"), "the first key is the one that encrypts"


def test_after_the_command_the_old_key_can_go(old: str, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    queue_secret()
    result = rotate(f"{new},{old}")
    assert result.exit_code == 0
    assert result.output.startswith("3 secrets were written anew.")
    assert secrets(monkeypatch, new) == SECRETS
    assert secrets(monkeypatch, old) == (None, None)
    monkeypatch.setenv("SETTINGS_KEY", new)
    with RecordingSmtp() as server:
        point_at(server.port)
        assert run() == {"sent": 1}
        assert LINK in part(server.messages[0], "plain")


def test_the_secrets_of_further_services_are_written_anew_too(
    old: str, new: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    db.session.add(MailService(name="backup", smtp_password="third-secret", sendgrid_key="SG.fourth-secret"))
    db.session.commit()
    assert rotate(f"{new},{old}").output.startswith("4 secrets were written anew.")
    secrets(monkeypatch, new)
    [service] = db.session.query(MailService)
    assert (service.smtp_password, service.sendgrid_key) == ("third-secret", "SG.fourth-secret")


def test_it_changes_nothing_the_second_time(old: str, new: str) -> None:
    rotate(f"{new},{old}")
    before = db.session.execute(text("SELECT * FROM settings")).one()
    db.session.rollback()
    result = rotate(f"{new},{old}")
    assert result.output.startswith("0 secrets were written anew.")
    assert db.session.execute(text("SELECT * FROM settings")).one() == before


def test_a_secret_that_no_key_reads_is_left_and_told_of(old: str, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mail_id = queue_secret()
    result = rotate(new)
    assert result.exit_code == 0
    assert "settings.smtp_password: 1 cannot be decrypted by any key" in result.output
    assert "mails.secret: 1 cannot be decrypted" in result.output
    assert not any(secret in result.output for secret in SECRETS)
    assert secrets(monkeypatch, old) == SECRETS
    assert cipher(old).decrypt(row(mail_id).secret.encode()).decode() == LINK
