"""Old mails lose their bodies, then their rows, and stay counted; what is not over is never touched."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import Row, text

from app.commands import commands
from app.delivery.retention import ARRIVED, PROBLEMS, clean, overdue
from app.delivery.tasks import retention
from app.models import Mail, db
from app.models.base import utc_now
from app.models.mail import MAIL_STATUSES, OVER, MailAttachment
from tests.conftest import People
from tests.support.api import Api
from tests.support.plans import assert_no_table_is_read_whole, statements_about

BODY_DAYS, DAYS, PROBLEM_DAYS = 10, 20, 30
NOT_OVER = sorted(set(MAIL_STATUSES) - set(OVER))


@pytest.fixture(autouse=True)
def _settings(database: None) -> None:
    keep(BODY_DAYS, DAYS, PROBLEM_DAYS)


def keep(body: int | None, arrived: int | None, problem: int | None) -> None:
    values = {"body": body, "arrived": arrived, "problem": problem}
    columns = "mail_body_days = :body, mail_days = :arrived, mail_problem_days = :problem"
    db.session.execute(text(f"UPDATE settings SET {columns}"), values)
    db.session.commit()


def mail(status: str, days: float, action: str = "Test", **more: Any) -> Mail:
    """A mail that was queued so many days ago."""
    queued = utc_now() - timedelta(days=days)
    if status == "sending":
        more |= {"claim": "00000000-0000-4000-8000-000000000000", "lease_until": utc_now()}
    values = {"time": queued, "give_up_at": queued + timedelta(days=1), "sent_at": queued} | more
    added = Mail(
        recipient="ana@example.org",
        action=action,
        subject="Hello",
        message="<p>Hello</p>",
        text="Hello",
        secret="https://example.org/?token=x",
        status=status,
        message_id=f"{db.session.query(Mail).count()}@example.org",
        **values,
    )
    added.attachments = [MailAttachment(name="a.pdf", content_type="application/pdf", content=b"%PDF")]
    db.session.add(added)
    db.session.commit()
    return added


def run(**options: Any) -> Counter[str]:
    removed = clean(db.engine, **options)
    db.session.expire_all()
    return removed


def row(mail_id: int) -> Row[Any] | None:
    shown = (
        "SELECT mails.*, content, problem FROM mails JOIN mail_attachments ON mail_id = mails.id WHERE mails.id = :id"
    )
    return db.session.execute(text(shown), {"id": mail_id}).one_or_none()


def counted() -> dict[tuple[str, str, str], int]:
    found = db.session.execute(text("SELECT day::text, action, status, mails FROM mail_counts")).all()
    return {(each.day, each.action, each.status): each.mails for each in found}


def day(days: float) -> str:
    return (utc_now() - timedelta(days=days)).date().isoformat()


@pytest.mark.parametrize("status", OVER)
def test_a_mail_that_is_over_loses_its_body_its_secret_and_the_bytes_of_its_attachments(status: str) -> None:
    old, young = mail(status, BODY_DAYS + 0.01), mail(status, BODY_DAYS - 0.01)
    assert run() == {"bodies": 1}
    emptied, kept = row(old.id), row(young.id)
    assert emptied is not None
    assert kept is not None
    assert (emptied.message, emptied.text, emptied.secret, emptied.content) == ("", "", None, None)
    assert emptied.body_removed_at is not None
    assert emptied.problem == "It was taken out, since the mail is old."
    assert (emptied.status, emptied.subject, emptied.recipient) == (status, "Hello", "ana@example.org")
    assert (kept.message, bytes(kept.content), kept.body_removed_at) == ("<p>Hello</p>", b"%PDF", None)
    assert run() == {}


@pytest.mark.parametrize(("status", "days"), [(s, DAYS) for s in ARRIVED] + [(s, PROBLEM_DAYS) for s in PROBLEMS])
def test_the_row_goes_later_with_its_timeline_and_is_counted(status: str, days: int) -> None:
    keep(None, DAYS, PROBLEM_DAYS)
    old, young = mail(status, days + 0.01).id, mail(status, days - 0.01).id
    events = text("SELECT count(*) FROM mail_events WHERE mail_id = :id")
    assert db.session.execute(events, {"id": old}).scalar_one() == 1
    db.session.rollback()
    assert run() == {"mails": 1}
    assert row(old) is None
    assert row(young) is not None
    assert db.session.execute(events, {"id": old}).scalar_one() == 0
    assert counted() == {(day(days + 0.01), "Test", status): 1}


@pytest.mark.parametrize("status", NOT_OVER)
def test_what_is_not_over_keeps_body_and_row_however_old_it_is(status: str) -> None:
    kept = mail(status, 5_000).id
    assert run() == {}
    found = row(kept)
    assert found is not None
    assert found.message == "<p>Hello</p>"
    assert bytes(found.content) == b"%PDF"


def test_an_admin_sees_that_the_body_was_removed_and_when(api: Api, people: People) -> None:
    old = mail("sent", 12).id
    run()
    shown = api.as_(people.admin()).get(f"/v1/mails/{old}").json["data"]["attributes"]
    assert shown["message"] == ""
    assert shown["body-removed-at"] is not None
    assert shown["status"] == "sent"


def test_every_status_is_either_kept_or_one_of_those_with_a_term() -> None:
    assert sorted((*ARRIVED, *PROBLEMS)) == sorted(OVER)
    assert set(NOT_OVER) == {"scheduled", "queued", "sending", "deferred", "uncertain"}


def test_the_days_begin_when_a_mail_was_to_be_sent_or_was_tried_again() -> None:
    now = utc_now()
    sent_later = mail("sent", 500, give_up_at=now + timedelta(days=1) - timedelta(days=BODY_DAYS - 1)).id
    assert run() == {}
    assert row(sent_later) is not None


def test_without_a_number_of_days_everything_is_kept() -> None:
    keep(None, None, None)
    for status in OVER:
        mail(status, 5_000)
    assert run() == {}
    assert overdue(db.engine) == {"keys": 0, "events": 0, "bounces": 0}


def test_counts_of_the_same_day_action_and_status_add_up() -> None:
    for _ in range(2):
        mail("sent", 40, "Test")
        mail("delivered", 40, "Test")
        mail("sent", 40, "Other")
        assert run() == {"mails": 3}
    assert counted() == {
        (day(40), "Test", "sent"): 2,
        (day(40), "Test", "delivered"): 2,
        (day(40), "Other", "sent"): 2,
    }


def test_it_works_in_batches_each_committed_and_stops_when_the_time_is_over() -> None:
    for _ in range(7):
        mail("sent", 40)
    assert run(seconds=0.0, batch=3) == {"mails": 3}
    assert run(batch=3) == {"mails": 4}
    assert sum(counted().values()) == 7


def test_a_row_that_somebody_holds_is_left_to_the_next_run() -> None:
    held, free = mail("failed", 40).id, mail("failed", 40).id
    with db.engine.connect() as other:
        other.execute(text("SELECT 1 FROM mails WHERE id = :id FOR UPDATE"), {"id": held})
        assert run() == {"mails": 1}
        assert row(free) is None
        db.session.rollback()
    assert run() == {"mails": 1}


def test_two_at_once_remove_and_count_each_mail_once(app: Flask) -> None:
    ids = [mail("sent" if number % 2 else "failed", 40, f"Action {number % 3}").id for number in range(60)]
    engine = db.engine

    def work(_: int) -> int:
        return clean(engine, batch=5)["mails"]

    with ThreadPoolExecutor(2) as pool:
        removed = list(pool.map(work, range(2)))
    assert sum(removed) == len(ids)
    assert sum(counted().values()) == len(ids)
    assert run() == {}


def test_old_keys_and_events_that_nobody_knows_go_too() -> None:
    db.session.execute(
        text(
            "INSERT INTO idempotency_keys (scope, key, digest, status, body, created_at) VALUES"
            " ('1', 'old', 'x', 200, '{}', now() - interval '25 hours'),"
            " ('1', 'new', 'x', 200, '{}', now() - interval '23 hours')"
        )
    )
    known = mail("sent", 1).id
    db.session.execute(
        text(
            "INSERT INTO mail_events (mail_id, event, time, provider_message_id) VALUES"
            " (NULL, 'delivered', now() - interval '31 days', 'old'),"
            " (NULL, 'delivered', now() - interval '29 days', 'new'),"
            " (:known, 'delivered', now() - interval '31 days', 'known')"
        ),
        {"known": known},
    )
    db.session.commit()
    assert overdue(db.engine) == {"mails": 0, "messages": 0, "bodies": 0, "keys": 1, "events": 1, "bounces": 0}
    assert run() == {"keys": 1, "events": 1}
    assert list(db.session.execute(text("SELECT key FROM idempotency_keys")).scalars()) == ["new"]
    told = db.session.execute(text("SELECT provider_message_id FROM mail_events WHERE event = 'delivered' ORDER BY 1"))
    assert list(told.scalars()) == ["known", "new"]


def test_bounces_for_now_are_not_counted_for_years() -> None:
    db.session.execute(
        text(
            "INSERT INTO soft_bounces (address, count, last_at) VALUES"
            " ('old@example.org', 4, now() - interval '91 days'), ('new@example.org', 4, now() - interval '89 days')"
        )
    )
    db.session.commit()
    assert run() == {"bounces": 1}
    assert list(db.session.execute(text("SELECT address FROM soft_bounces")).scalars()) == ["new@example.org"]


def test_the_task_and_the_command_do_it_and_the_dry_run_only_says_it() -> None:
    mail("sent", 40)
    mail("sent", 12)
    shown = CliRunner().invoke(commands, ["retention", "--dry-run"])
    assert shown.exit_code == 0, shown.output
    assert "To be removed: 1 mails, which stay counted.\n" in shown.output
    assert "To be removed: 2 bodies of mails.\n" in shown.output
    db.session.rollback()
    retention()
    assert overdue(db.engine)["mails"] == overdue(db.engine)["bodies"] == 0
    done = CliRunner().invoke(commands, ["retention"])
    assert done.output.startswith("Removed: 0 bodies of mails.\n")


_FILL = """
INSERT INTO mails (recipient, action, subject, message, text, message_id, status, sent_at, time, give_up_at,
        body_removed_at)
    SELECT 'many@example.org', 'Test', 'Subject', '<p>Hello</p>', 'Hello', n || '@example.org',
        CASE WHEN n % 20 = 0 THEN 'failed' ELSE 'sent' END, now(), now() - n * interval '2 minutes',
        now() + interval '1 day' - n * interval '2 minutes', CASE WHEN n > 7200 THEN now() END
    FROM generate_series(1, 14500) AS n
"""


def test_all_of_it_is_found_by_indexes() -> None:
    db.session.execute(text(_FILL))
    db.session.commit()
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE mails"))
        connection.execute(text("ANALYZE mail_events"))
    with statements_about("mails", "mail_events") as seen:
        overdue(db.engine)
        removed = run(batch=50)
    assert removed["mails"] > 50
    assert_no_table_is_read_whole(seen, "mails", "mail_events")
