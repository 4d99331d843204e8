"""`manage.py mail` over the real command line: which mails each command takes, what it prints, and how it ends."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from click.testing import CliRunner, Result
from sqlalchemy import text

from app.commands import commands
from app.delivery.desk import batches as desk_batches
from app.delivery.handover import wait_for_hand_over
from app.embedded.stack import EmbeddedStack
from app.models import Activity, db
from app.models.base import utc_now
from tests.support.dev import manage
from tests.support.sending import queue_secret, row
from tests.support.uncommon import mail_that_is


def run(*words: Any, **env: str) -> Result:
    return CliRunner().invoke(commands, ["mail", *map(str, words)], env={"COLUMNS": "200", **env})


def statuses(*ids: int) -> list[str]:
    return [row(id_).status for id_ in ids]


def last_entry(mail_id: int) -> tuple[str, str]:
    statement = text("SELECT event, text FROM mail_events WHERE mail_id = :id ORDER BY id DESC LIMIT 1")
    found = tuple(db.session.execute(statement, {"id": mail_id}).one())
    db.session.rollback()
    return found[0], found[1]


def age(mail_id: int, **since: int) -> None:
    db.session.execute(
        text("UPDATE mail_events SET time = :time WHERE mail_id = :id"),
        {"id": mail_id, "time": utc_now() - timedelta(**since)},
    )
    db.session.commit()


@pytest.fixture(autouse=True)
def _tables(database: None) -> None:
    """Every test finds empty tables."""


def test_failed_mails_are_tried_again_and_counted_by_cause() -> None:
    causes = [("permanent", "550 no such user"), ("permanent", "550 no such user"), ("transient", "451 later")]
    failed = [mail_that_is("failed", error_class=kind, last_error=words) for kind, words in causes]
    others = mail_that_is("suppressed"), mail_that_is("uncertain"), mail_that_is("sent")
    result = run("retry", "--status", "failed", "--reason", "The server was full")
    assert (result.exit_code, result.output) == (
        0,
        "Tried again: 3 mails.\n       2  permanent      550 no such user\n       1  transient      451 later\n",
    )
    assert statuses(*failed, *others) == ["queued"] * 3 + ["suppressed", "uncertain", "sent"]
    assert last_entry(failed[0]) == ("queued", "Tried again by manage.py: The server was full")
    activity = db.session.query(Activity).one()
    assert (activity.actor, activity.action) == ("manage.py", "Tried again: 3 mails (The server was full)")


def test_a_dry_run_prints_the_same_and_changes_nothing() -> None:
    mail = mail_that_is("failed", error_class="connection", last_error="refused")
    result = run("retry", "--status", "failed", "--dry-run")
    assert result.output == "Would be tried again: 1 mail.\n       1  connection     refused\n"
    assert statuses(mail) == ["failed"]
    assert db.session.query(Activity).count() == 0


def test_an_action_alone_means_its_failed_mails() -> None:
    wanted = mail_that_is("failed", action="Reset Password")
    others = [mail_that_is("failed"), mail_that_is("suppressed", action="Reset Password")]
    assert run("retry", "--action", "Reset Password").output.startswith("Tried again: 1 mail.")
    assert statuses(wanted, *others) == ["queued", "failed", "suppressed"]


def test_since_means_how_long_the_mails_have_been_so() -> None:
    old, new = mail_that_is("failed"), mail_that_is("failed")
    age(old, hours=3)
    age(new, hours=1)
    assert run("retry", "--since", "2h").exit_code == 0
    assert statuses(old, new) == ["failed", "queued"]
    assert run("retry", "--since", "1d").exit_code == 0
    assert statuses(old) == ["queued"]


def test_mails_that_were_named_and_cannot_be_tried_again_end_it_with_1() -> None:
    failed, uncertain, sent, secret = (
        mail_that_is("failed"),
        mail_that_is("uncertain"),
        mail_that_is("sent"),
        queue_secret(),
    )
    db.session.execute(text("UPDATE mails SET status = 'suppressed', secret = NULL WHERE id = :id"), {"id": secret})
    db.session.commit()
    named = [word for id_ in (failed, uncertain, sent, secret, 999) for word in ("--id", id_)]
    result = run("retry", *named)
    assert result.exit_code == 1
    assert statuses(failed, uncertain, sent, secret) == ["queued", "queued", "sent", "suppressed"]
    assert "Tried again: 2 mails.\n" in result.output
    assert "Not: 3 mails.\n" in result.output
    assert f"       1  {sent}: It is sent: only failed, suppressed and uncertain mails" in result.output
    assert "       1  999: There is no mail with this id." in result.output
    assert result.output.endswith("Error: 3 mails left as before.\n")


def test_what_is_tried_again_is_handed_to_a_worker_that_few_and_that_many(broker: redis.Redis) -> None:
    for count in (1, 101):
        for _ in range(count):
            mail_that_is("failed")
        assert wait_for_hand_over()
        broker.flushdb()
        assert run("retry", "--status", "failed").exit_code == 0
        assert wait_for_hand_over()
        assert broker.llen("usher") == 1


def test_waiting_mails_are_cancelled() -> None:
    waiting = [mail_that_is(status, action="Next Event") for status in ("queued", "scheduled", "deferred")]
    others = [mail_that_is("queued"), mail_that_is("failed", action="Next Event")]
    result = run("cancel", "--action", "Next Event", "--reason", "The event is off")
    assert result.exit_code == 0
    assert result.output.startswith("Cancelled: 3 mails.\n")
    assert statuses(*waiting, *others) == ["cancelled"] * 3 + ["queued", "failed"]
    assert last_entry(waiting[1]) == ("cancelled", "Cancelled by manage.py: The event is off")


@pytest.mark.parametrize(("outcome", "status"), [("sent", "sent"), ("retry", "queued"), ("failed", "failed")])
def test_an_uncertain_mail_is_settled(outcome: str, status: str) -> None:
    mail = mail_that_is("uncertain", error_class="transient", last_error="The connection was lost.")
    result = run("settle", mail, outcome)
    assert (result.exit_code, statuses(mail)) == (0, [status])
    assert "1 mail.\n       1  transient      The connection was lost." in result.output
    assert last_entry(mail)[1].startswith("Settled")


def test_only_an_uncertain_mail_can_be_settled() -> None:
    mail = mail_that_is("failed")
    result = run("settle", mail, "sent")
    assert (result.exit_code, statuses(mail)) == (1, ["failed"])
    assert "It is failed: only uncertain mails can be settled." in result.output


def test_a_mail_is_shown_with_its_timeline_and_without_what_it_says() -> None:
    mail = mail_that_is("failed", last_error="550 no\x1b[31m such user", error_class="permanent", message="<p>Hush</p>")
    run("retry", "--id", mail, "--reason", "Mended")
    output = run("show", mail).output
    assert f"Mail {mail}\n  status              queued\n  recipient           ana@example.org\n" in output
    lines = output.splitlines()
    assert lines[-3].split() == ["time", "event", "provider", "code", "text"]
    assert lines[-2].split()[2:] == ["failed"]
    assert lines[-1].endswith("Tried again by manage.py: Mended")
    assert "Hush" not in output
    assert "\x1b" not in output


def test_mails_are_listed_newest_first_within_the_width_of_the_terminal() -> None:
    for number in range(3):
        mail_that_is("failed", recipient=f"user{number}@example.org", last_error="550 no " * 50)
    mail_that_is("sent")
    lines = run("list", "--status", "failed", "--limit", 2, COLUMNS="140").output.splitlines()
    assert lines[0].split() == ["id", "queued", "recipient", "action", "status", "tries", "why"]
    assert [line.split()[3] for line in lines[1:]] == ["user2@example.org", "user1@example.org"]
    assert all(len(line) <= 140 for line in lines)
    assert lines[1].endswith("…")
    assert run("list", "--status", "bounced").output == "No mail is like that.\n"
    assert len(run("list").output.splitlines()) == 5
    assert len(run("list", "--id", 1, "--id", 2).output.splitlines()) == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("retry",), "Name the mails: by --id, --status, --action or --since."),
        (("cancel", "--dry-run"), "Name the mails"),
        (("retry", "--status", "lost"), "--status must be one of: scheduled, queued,"),
        (("retry", "--since", "yesterday"), "this must be a length of time like 90s, 30m, 2h or 7d"),
        (("retry", "--id", "seven"), "'seven' is no id"),
        (("retry", "--id", "99999999999999999999"), "is no id"),
        (("retry", "--id", "1", "--status", "failed"), "--id names the mails"),
        (("retry", "--id", "1", "--reason", "two\nlines"), "a reason is one line"),
        (("settle", "1", "delivered"), "'delivered' is not one of 'sent', 'retry', 'failed'"),
        (("list", "--limit", "0"), "is not in the range"),
    ],
)
def test_what_cannot_be_is_said_and_ends_it_with_2(words: tuple[str, ...], said: str) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert said in result.output


def test_a_status_that_cannot_be_tried_again_is_told_for_each_mail() -> None:
    mail_that_is("sent")
    result = run("retry", "--status", "sent")
    assert result.exit_code == 0
    assert "Tried again: 0 mails.\nNot: 1 mail.\n" in result.output


def test_of_very_many_only_the_first_reasons_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_batches, "LISTED", 7)
    ids = [mail_that_is("sent") for _ in range(9)]
    output = run("retry", "--status", "sent").output
    assert f"       7  {', '.join(map(str, ids[:5]))}, …: It is sent" in output
    assert output.endswith("       2  more\n")


def test_there_is_no_such_mail_to_show() -> None:
    result = run("show", 7)
    assert (result.exit_code, result.output) == (1, "Error: There is no mail with the id 7.\n")


@pytest.mark.parametrize(
    "words", [("retry", "--status", "failed"), ("cancel", "--id", 1), ("settle", 1, "sent"), ("show", 1), ("list",)]
)
def test_like_every_command_it_takes_a_data_dir(tmp_path: Path, words: tuple[Any, ...]) -> None:
    result = run(*words, "--data-dir", tmp_path)
    assert result.exit_code == 1
    assert "no `manage.py dev` runs on" in result.output


def test_in_a_process_of_its_own_it_tries_again_and_ends(stack: EmbeddedStack, broker: redis.Redis) -> None:
    mail = mail_that_is("failed", error_class="permanent", last_error="550 no")
    assert wait_for_hand_over()
    broker.flushdb()
    code, output, errors = manage("mail", "retry", "--id", str(mail), **stack.env)
    assert (code, output) == (0, "Tried again: 1 mail.\n       1  permanent      550 no\n"), errors
    assert statuses(mail) == ["queued"]
    assert broker.llen("usher") == 1
