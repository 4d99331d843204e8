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
from tests.servers.smtp import HOST, RecordingSmtp
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
        "breaker": {"ok"},
        "queue": {"ok"},
        "recipients": {"ok"},
        "retention": {"ok"},
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
    db.session.execute(text("SET LOCAL session_replication_role = replica"))
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


def further(**columns: Any) -> None:
    values = {"name": "second", "smtp_host": HOST, "smtp_encryption": "none", "position": 1} | columns
    names = ", ".join(values)
    db.session.execute(
        text(f"INSERT INTO mail_services ({names}) VALUES ({', '.join(f':{name}' for name in values)})"), values
    )
    db.session.commit()


def test_every_further_service_is_logged_in_at_and_one_that_is_away_keeps_no_mail_from_leaving(database: None) -> None:
    with RecordingSmtp() as own, RecordingSmtp() as second:
        point_at(own.port)
        further(smtp_port=second.port)
        further(name="third", smtp_port=refused_port(), position=2)
        further(name="off", smtp_port=refused_port(), position=3, is_enabled=False)
        found = report()
        assert second.envelopes == []
    logins = {each["where"]: each["level"] for each in found["findings"] if each["check"] == "smtp"}
    assert logins[f"second: {HOST}:{second.port}"] == "ok"
    assert [level for where, level in logins.items() if where.startswith("third: ")] == ["warning"]
    assert "off" not in str(logins)
    assert [each["where"] for each in found["findings"] if each["check"] == "breaker"] == ["smtp", "second", "third"]
    domain = [each["where"] for each in found["findings"] if each["check"] == "sender domain"]
    assert len(domain) == len(set(domain))
    assert "and where that fails by second, third" in str(found)


def test_while_a_further_service_can_be_used_wrong_settings_are_a_warning(database: None) -> None:
    with RecordingSmtp() as second:
        further(smtp_port=second.port)
        found = report()
        assert levels(found)["settings"] == {"ok", "warning"}
        further(name="third", smtp_host=None, position=2)
        wrong = [each for each in report()["findings"] if each["where"] == "third" and each["check"] == "settings"]
    assert [each["level"] for each in wrong] == ["warning"]


def test_a_secret_of_a_further_service_that_no_key_decrypts_is_a_problem(database: None) -> None:
    further(smtp_password="gAAAAA-of-another-key")
    (problem,) = [each for each in report()["findings"] if each["where"] == "second: smtp-password"]
    assert problem["level"] == "problem"


def test_sendgrid_without_the_key_of_its_events_is_a_warning(database: None) -> None:
    def warned() -> bool:
        return any(each["where"] == "sendgrid-webhook-key" for each in report()["findings"])

    with RecordingSmtp() as server:
        point_at(server.port)
        assert not warned()
        further(email_service="sendgrid", is_enabled=False)
        assert not warned()
        db.session.execute(text("UPDATE mail_services SET is_enabled = true"))
        db.session.commit()
        assert warned()
        db.session.execute(text("UPDATE settings SET sendgrid_webhook_key = 'MFkw'"))
        db.session.commit()
        assert not warned()
