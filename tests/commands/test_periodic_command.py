"""`manage.py periodic`, for an operator whose beat is away."""

from __future__ import annotations

from click.testing import CliRunner, Result
from sqlalchemy import text

from app.commands import commands
from app.models import db
from app.models.base import utc_now
from tests.conftest import People
from tests.support.api import Api
from tests.support.calendar import DAY, create_event
from tests.support.rows import mailed


def run() -> Result:
    return CliRunner().invoke(commands, ["periodic"])


def test_it_says_what_was_sent_and_sends_it_once(people: People, api: Api) -> None:
    create_event(api.as_(people.user("owner@example.org")), utc_now() + 3 * DAY, timezone="Europe/Berlin")
    said = "Next Event: Harbour Conference (mails: 1, notifications: 1)\n"
    for expected in (said, "Nothing is due.\n"):
        result = run()
        assert (result.exit_code, result.output) == (0, expected)
    assert mailed("Next Event") == ["owner@example.org"]


def test_what_failed_is_told_with_the_reason_and_the_rest_is_sent(people: People, api: Api) -> None:
    mine = api.as_(people.user())
    for days in (2, 3):
        event = create_event(mine, utc_now() + days * DAY, timezone="Europe/Berlin")
    db.session.execute(text("UPDATE events SET timezone = 'Europe/Atlantis' WHERE id = :id"), {"id": event.id})
    db.session.commit()
    result = run()
    assert result.exit_code == 1
    assert "Next Event: Harbour Conference (mails: 1, notifications: 1)\n" in result.output
    assert "1 failed, and are tried again with the next run:\n" in result.output
    assert f"Next Event, {event.id}: ZoneInfoNotFoundError" in result.output
