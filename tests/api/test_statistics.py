"""How many mails were sent, and what became of all: counted at the right moments, for admins, by indexes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.delivery.retention import clean
from app.models import Mail, db
from app.models.base import utc_now
from app.models.mail import MAIL_STATUSES
from tests.conftest import People
from tests.support.api import Api
from tests.support.errors import errors_of
from tests.support.rows import statements

PATH = "/v1/admin/statistics/mails"
NONE = {"one-day": 0, "three-days": 0, "seven-days": 0, "thirty-days": 0}
SLACK = timedelta(seconds=30)


@pytest.fixture
def admin(api: Api, people: People) -> Api:
    return api.as_(people.admin())


def mail(age: timedelta, action: str = "Test", status: str = "sent", waited: timedelta = timedelta()) -> None:
    """A mail that was sent (or given up, or queued) so long ago, and queued `waited` before that."""
    moment = utc_now() - age
    more: dict[str, Any] = {"sent_at": moment} if status == "sent" else {}
    texts = dict.fromkeys(("subject", "message", "text"), "Hi")
    number = db.session.query(Mail).count()
    db.session.add(
        Mail(
            recipient="ana@example.org",
            action=action,
            status=status,
            time=moment - waited,
            message_id=f"{number}@example.org",
            **texts,
            **more,
        )
    )
    db.session.commit()


def shown(admin: Api) -> dict[str, Any]:
    answer = admin.get(PATH)
    assert answer.status_code == 200, answer.text
    attributes: dict[str, Any] = answer.json["data"]["attributes"]
    return attributes


def counts(attributes: dict[str, Any]) -> dict[str, int]:
    return {period: attributes[period] for period in NONE}


def test_without_mails_every_number_is_zero(admin: Api) -> None:
    document = admin.get(PATH).json
    assert (document["data"]["type"], document["data"]["id"]) == ("admin-statistics-mail", "1")
    assert document["links"] == {"self": PATH}
    attributes = document["data"]["attributes"]
    assert counts(attributes) == NONE
    assert attributes["by-action"] == {}
    assert attributes["by-outcome"] == dict.fromkeys(MAIL_STATUSES, NONE)
    assert attributes["totals"] == dict.fromkeys(MAIL_STATUSES, 0)


@pytest.mark.parametrize(
    ("period", "days"), [("one-day", 1), ("three-days", 3), ("seven-days", 7), ("thirty-days", 30)]
)
def test_each_period_ends_where_it_says(admin: Api, period: str, days: int) -> None:
    mail(timedelta(days=days, seconds=1))
    assert counts(shown(admin))[period] == 0
    mail(timedelta(days=days) - SLACK)
    assert counts(shown(admin))[period] == 1


def test_mails_are_counted_by_action_when_they_were_sent_and_by_outcome_when_they_were_queued(admin: Api) -> None:
    mail(timedelta(hours=1), "User Registration")
    mail(timedelta(hours=1), "User Registration", waited=timedelta(days=2))
    mail(timedelta(days=5), "Reset Password")
    mail(timedelta(days=40), "Reset Password")
    mail(timedelta(hours=1), "Reset Password", status="failed")
    mail(timedelta(days=20), "Reset Password", status="queued")
    mail(timedelta(days=2), "Event Published", status="suppressed")
    attributes = shown(admin)
    assert counts(attributes) == {"one-day": 2, "three-days": 2, "seven-days": 3, "thirty-days": 3}
    assert attributes["by-action"] == {
        "Reset Password": {"one-day": 0, "three-days": 0, "seven-days": 1, "thirty-days": 1},
        "User Registration": {"one-day": 2, "three-days": 2, "seven-days": 2, "thirty-days": 2},
    }
    outcomes = attributes["by-outcome"]
    assert outcomes["sent"] == {"one-day": 1, "three-days": 2, "seven-days": 3, "thirty-days": 3}
    assert outcomes["failed"] == dict.fromkeys(NONE, 1)
    assert outcomes["queued"] == {**NONE, "thirty-days": 1}
    assert outcomes["suppressed"] == {**dict.fromkeys(NONE, 1), "one-day": 0}
    assert outcomes["sending"] == outcomes["deferred"] == NONE


def test_totals_are_of_all_mails_there_ever_were(admin: Api) -> None:
    for days in (0, 100, 4_000):
        mail(timedelta(days=days))
    mail(timedelta(days=400), status="failed")
    db.session.execute(text("INSERT INTO mail_counts VALUES ('2020-01-01', 'Test', 'sent', 1000)"))
    db.session.commit()
    assert shown(admin)["totals"] == {**dict.fromkeys(MAIL_STATUSES, 0), "sent": 1003, "failed": 1}


def test_mails_whose_rows_are_gone_stay_counted(admin: Api) -> None:
    db.session.execute(text("UPDATE settings SET mail_days = 2, mail_problem_days = 2"))
    db.session.commit()
    mail(timedelta(hours=1), "Reset Password")
    mail(timedelta(days=5), "Reset Password")
    mail(timedelta(days=20), "User Registration")
    mail(timedelta(days=20), "User Registration", status="failed")
    db.session.execute(text("UPDATE mails SET give_up_at = time + interval '1 day'"))
    db.session.commit()
    before = shown(admin)
    db.session.rollback()
    assert clean(db.engine)["mails"] == 3
    assert db.session.query(Mail).count() == 1
    assert shown(admin) == before
    assert before["by-action"]["User Registration"] == {**NONE, "thirty-days": 1}
    assert before["by-outcome"]["failed"] == {**NONE, "thirty-days": 1}


def test_it_takes_four_statements_about_mails_however_many_there_are(admin: Api) -> None:
    mail(timedelta(hours=1))
    with statements() as seen:
        shown(admin)
    assert len([statement for statement in seen if "mails" in statement]) == 4


@pytest.mark.parametrize("query", [{"filter[action]": "x"}, {"page[size]": "1"}, {"x": "1"}])
def test_it_takes_no_parameters(admin: Api, query: dict[str, str]) -> None:
    answer = admin.get(PATH, **query)
    assert answer.status_code == 400
    assert errors_of(answer)[0]["source"] == {"parameter": next(iter(query))}
