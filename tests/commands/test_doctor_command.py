"""`manage.py doctor` as a whole: what it looks at, in which words, and how it ends."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from app.commands.doctor import doctor
from app.doctor.lookups import Lookups
from app.doctor.run import examine
from app.embedded.stack import EmbeddedStack
from app.models import Setting, db
from tests.servers.dns import NameServer
from tests.servers.sendgrid import KEY, Says, SendGridServer
from tests.servers.smtp import RecordingSmtp
from tests.support.processes import OURS
from tests.support.sending import point_at, queue, refused_port


def run(*options: str, **environment: str | None) -> Result:
    return CliRunner().invoke(doctor, options, env=environment)


def report(**environment: str | None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("--json", **environment).output)
    return found


def levels(found: dict[str, Any]) -> dict[str, set[str]]:
    """From each check to the levels of its findings."""
    checks: dict[str, set[str]] = {}
    for finding in found["findings"]:
        checks.setdefault(finding["check"], set()).add(finding["level"])
    return checks


def test_all_parts_are_looked_at_and_only_the_worker_is_missing(database: None) -> None:
    with RecordingSmtp() as server:
        point_at(server.port)
        found = report()
        assert server.envelopes == []
    assert levels(found) == {
        "configuration": {"ok"},
        "database": {"ok"},
        "broker": {"ok"},
        "worker": {"problem"},
        "settings": {"ok"},
        "smtp": {"ok"},
        "sender domain": {"ok"},
        "queue": {"ok"},
    }
    assert (found["problems"], found["warnings"]) == (1, 0)
    assert set(found["findings"][0]) == {"level", "check", "where", "what", "advice"}


def test_a_problem_ends_it_with_1_and_is_in_the_table_with_what_to_do(database: None) -> None:
    result = run(COLUMNS="100")
    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert all(len(line) <= 100 for line in lines)
    start = next(index for index, line in enumerate(lines) if "No SMTP server is set" in line)
    assert lines[start].startswith("problem  settings")
    assert any(line.strip().startswith("-> Change the mail settings") for line in lines[start:])
    assert lines[-1].startswith("2 problems, 0 warnings, ")


def test_without_a_problem_it_ends_with_0_though_there_are_warnings(database: None) -> None:
    queue()
    db.session.execute(text("UPDATE settings SET email_service = 'disable'"))
    db.session.execute(text("UPDATE mails SET status = 'sent', sent_at = now()"))
    db.session.commit()
    result = run()
    assert result.exit_code == 0, result.output
    assert "0 problems, 2 warnings" in result.output
    assert "Mail is switched off" in result.output


def test_it_leaves_everything_as_it_was(database: None) -> None:
    queue(2)
    before = db.session.execute(text("SELECT * FROM mails ORDER BY id")).all()
    db.session.rollback()
    run()
    assert db.session.execute(text("SELECT * FROM mails ORDER BY id")).all() == before


def test_sendgrid_is_asked_where_the_settings_name_it(database: None) -> None:
    setting = db.session.get_one(Setting, 1)
    setting.email_service, setting.sendgrid_key = "sendgrid", KEY
    db.session.commit()
    with SendGridServer(script=[Says(200, {"scopes": ["mail.send"]})]) as server:
        found = report(SENDGRID_API_URL=server.url)
    assert levels(found)["sendgrid"] == {"ok"}
    assert KEY not in json.dumps(found)


def test_the_domain_of_the_settings_is_looked_up(database: None) -> None:
    records = {("org", "NS"): ["a0.org.afilias-nst.info."], ("harbour.org", "MX"): ["10 mx.harbour.org."]}
    with RecordingSmtp() as smtp, NameServer(records) as names:
        point_at(smtp.port, email_from="noreply@harbour.org")
        found = examine(os.environ, Lookups(names.resolver()))
    found = [finding for finding in found if finding.check == "sender domain"]
    assert [(finding.where, finding.level) for finding in found] == [
        ("SPF harbour.org", "warning"),
        ("DKIM harbour.org", "ok"),
        ("DMARC harbour.org", "warning"),
        ("MX harbour.org", "ok"),
    ]


def test_a_secret_that_no_key_decrypts_is_a_problem(database: None) -> None:
    db.session.execute(text("UPDATE settings SET smtp_password = 'gAAAAA-of-another-key'"))
    db.session.commit()
    with RecordingSmtp() as server:
        point_at(server.port)
        found = report()
    (problem,) = [finding for finding in found["findings"] if finding["where"] == "smtp-password"]
    assert problem["level"] == "problem"


def test_a_setting_that_goes_before_frontend_url_is_judged_too(database: None) -> None:
    setting = db.session.get_one(Setting, 1)
    setting.frontend_url = "http://events.harbour.org"
    db.session.commit()
    found = report(APP_ENVIRONMENT="production")
    (problem,) = [finding for finding in found["findings"] if finding["where"] == "frontend-url"]
    assert problem["level"] == "problem"


def test_without_a_database_it_says_so_and_what_else_it_sees(stack: EmbeddedStack) -> None:
    found = report(DATABASE_URL=f"postgresql://usher:pg-password@127.0.0.1:{refused_port()}/usher")
    assert levels(found) == {
        "configuration": {"ok"},
        "database": {"problem"},
        "broker": {"ok"},
        "worker": {"problem"},
    }
    assert "pg-password" not in json.dumps(found)


def test_without_a_broker_it_goes_on(database: None) -> None:
    found = report(REDIS_URL=f"redis://:redis-password@127.0.0.1:{refused_port()}/0")
    assert levels(found)["broker"] == {"problem"}
    assert levels(found)["worker"] == {"warning"}
    assert levels(found)["queue"] == {"ok"}
    assert "redis-password" not in json.dumps(found)


def test_with_nothing_in_the_environment_it_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(**dict.fromkeys(OURS))
    assert result.exit_code == 1
    assert "DATABASE_URL, REDIS_URL, SECRET_KEY, SETTINGS_KEY" in " ".join(result.output.split())


def test_a_data_dir_on_which_nothing_runs_is_told(tmp_path: Path) -> None:
    result = run("--data-dir", str(tmp_path))
    assert result.exit_code == 1
    assert "no `manage.py dev` runs on" in result.output


def test_a_table_that_is_locked_is_a_warning_and_not_a_wait_without_end(
    database: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.doctor.database.STATEMENT_SECONDS", 1)
    with RecordingSmtp() as server, db.engine.connect() as connection:
        point_at(server.port)
        connection.execute(text("LOCK TABLE mails IN ACCESS EXCLUSIVE MODE"))
        found = report()
        connection.rollback()
    assert levels(found)["queue"] == {"warning"}
    assert levels(found)["worker"] == {"warning"}
