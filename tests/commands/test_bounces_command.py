"""Bounces as mail servers bring them: by a pipe into `manage.py bounce`, or into a maildir for `manage.py bounces`."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.commands import commands
from tests.support.events import bounce, entries, outcome, sent, soft_bounces, suppressed
from tests.support.processes import free_port, plain_environment, wait_for

MESSAGES = Path(__file__).resolve().parents[1] / "delivery/inbound/messages"
MANAGE = Path(__file__).resolve().parents[2] / "manage.py"


def run(*arguments: str, message: bytes = b"", **environment: str | None) -> Result:
    return CliRunner().invoke(commands, arguments, input=message, env=environment)


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    for name in ("new", "cur", "tmp"):
        (tmp_path / name).mkdir()
    return tmp_path


def names(maildir: Path, folder: str) -> list[str]:
    return sorted(path.name for path in (maildir / folder).iterdir())


def test_a_bounce_by_a_pipe_is_written_down_once(database: None) -> None:
    mail = sent()
    for _ in range(2):
        result = run("bounce", message=bounce(mail))
        assert (result.exit_code, result.output) == (0, "")
    assert (outcome(mail), entries(mail), suppressed()) == ("bounced", ["bounced"], {"ana@example.org": "hard-bounce"})


def test_a_bounce_that_comes_by_the_pipe_the_maildir_and_the_webhook_is_one_bounce(
    database: None, maildir: Path
) -> None:
    mail = sent()
    raw = bounce(mail, status="4.2.2", said="452 4.2.2 mailbox full")
    (maildir / "new/1.M1.mx").write_bytes(b"Delivered-To: bounces@example.org\n" + raw)
    assert run("bounce", message=raw).exit_code == 0
    assert run("bounces", "--maildir", str(maildir), "--once").exit_code == 0
    assert (entries(mail), outcome(mail), soft_bounces()) == (["bounced"], "bounced", {"ana@example.org": 1})


@pytest.mark.parametrize(
    "name",
    ["person.eml", "out_of_office.eml", "report_without_status.eml", "complaint.eml", "postfix_user_unknown.eml"],
)
def test_whatever_the_message_is_the_mail_server_has_done_its_part(
    database: None, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        assert run("bounce", message=(MESSAGES / name).read_bytes()).exit_code == 0
    assert [record.name for record in caplog.records].count("app.delivery.inbound.post") == 1
    assert "@" not in "".join(record.getMessage() for record in caplog.records if record.name.startswith("app."))


@pytest.mark.parametrize("message", [b"", b"\x00" * 1000, b"\xff\xfe\r\n" * 100, b"x" * 3_000_000])
def test_no_bytes_are_an_error(database: None, message: bytes) -> None:
    assert run("bounce", message=message).exit_code == 0


def test_with_the_database_away_or_nothing_configured_the_message_is_to_be_given_again(database: None) -> None:
    raw = bounce(sent())
    nowhere = f"postgresql://usher:hush-hush@127.0.0.1:{free_port()}/usher"
    result = run_alone(raw, {**os.environ, "DATABASE_URL": nowhere})
    assert (result.returncode, result.stdout) == (75, b"")
    assert b"is to be given again: connection to server" in result.stderr
    assert b"hush-hush" not in result.stderr
    production = {"APP_ENVIRONMENT": "production", "DATABASE_URL": nowhere}
    for environment in (plain_environment(), plain_environment(**production)):
        result = run_alone(raw, environment)
        assert (result.returncode, result.stderr.count(b"\n")) == (75, 1)
    assert entries(None) == []


def run_alone(message: bytes, environment: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    """The command as a mail server starts it."""
    command = [sys.executable, str(MANAGE), "bounce"]
    return subprocess.run(
        command, input=message, env=environment, capture_output=True, timeout=60, check=False, cwd="/"
    )


def test_a_maildir_is_emptied_and_what_a_person_should_read_is_flagged(database: None, maildir: Path) -> None:
    mails = [sent(f"user{number}@example.org") for number in range(3)]
    for mail in mails:
        (maildir / f"new/{mail.id}.M1.mx").write_bytes(bounce(mail))
    (maildir / "new/8.M1.mx").write_bytes((MESSAGES / "person.eml").read_bytes())
    (maildir / "new/9.M1.mx").write_bytes((MESSAGES / "out_of_office.eml").read_bytes())
    result = run("bounces", "--maildir", str(maildir), "--once")
    assert (result.exit_code, result.output) == (0, "4 messages were read; 1 are flagged, for a person to look at.\n")
    assert names(maildir, "new") == []
    assert names(maildir, "cur") == [*(f"{mail.id}.M1.mx:2,S" for mail in mails), "8.M1.mx:2,F", "9.M1.mx:2,S"]
    assert {outcome(mail) for mail in mails} == {"bounced"}


def test_a_folder_that_is_no_maildir_is_said_to_be_none(tmp_path: Path) -> None:
    result = run("bounces", "--maildir", str(tmp_path), "--once")
    assert (result.exit_code, "is no maildir: it has no folder new and no folder cur" in result.output) == (1, True)


def test_the_watcher_takes_what_comes_waits_for_a_database_that_is_away_and_ends_when_told(
    database: None, maildir: Path
) -> None:
    mail = sent()
    command = [sys.executable, str(MANAGE), "bounces", "--maildir", str(maildir)]
    watcher = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert watcher.stdout is not None
        assert watcher.stdout.readline() == f"Watching {maildir}.\n".encode()
        (maildir / "tmp/1.M1.mx").write_bytes(bounce(mail))
        (maildir / "tmp/1.M1.mx").rename(maildir / "new/1.M1.mx")
        wait_for(lambda: names(maildir, "cur") == ["1.M1.mx:2,S"], "the message to be taken")
        assert outcome(mail) == "bounced"
    finally:
        watcher.terminate()
        _, said = watcher.communicate(timeout=30)
    assert watcher.returncode == 0, said


def test_a_message_stays_in_the_maildir_while_the_database_is_away(database: None, maildir: Path) -> None:
    mail = sent()
    (maildir / "new/1.M1.mx").write_bytes(bounce(mail))
    nowhere = f"postgresql://usher@127.0.0.1:{free_port()}/usher"
    command = [sys.executable, str(MANAGE), "bounces", "--maildir", str(maildir), "--once"]
    environment = {**os.environ, "DATABASE_URL": nowhere}
    result = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False)
    assert (result.returncode, b"the database cannot be used" in result.stderr) == (1, True)
    assert (names(maildir, "new"), names(maildir, "cur")) == (["1.M1.mx"], [])
    assert run("bounces", "--maildir", str(maildir), "--once").exit_code == 0
    assert outcome(mail) == "bounced"
