"""The file of an export: what is in it, and that an import of it is the same event again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from app.models import Session, Speaker, User, db
from app.models.base import utc_now
from app.transfers.reading import read_event
from tests.conftest import People
from tests.support.api import Api
from tests.support.transfers import exported, imported


@pytest.fixture
def user(people: People) -> User:
    return people.user("olivia@example.org")


def without_ids(content: dict[str, Any]) -> dict[str, Any]:
    """An export with the positions of the speakers in place of their ids, and without what an import makes anew."""
    positions = {speaker["id"]: position for position, speaker in enumerate(content["speakers"])}
    anew = ("id", "identifier", "speaker-ids")
    return {
        "version": content["version"],
        "event": {name: value for name, value in content["event"].items() if name not in (*anew, "state")},
        "speakers": [{name: value for name, value in each.items() if name != "id"} for each in content["speakers"]],
        "sessions": [
            {name: value for name, value in each.items() if name not in anew}
            | {"speakers": [positions[id_] for id_ in each["speaker-ids"]]}
            for each in content["sessions"]
        ],
    }


def test_an_export_has_everything_that_was_not_deleted_in_the_order_of_its_making(user: User, people: People) -> None:
    event = people.event(user, state="draft")
    event.timezone, event.starts_at = "Asia/Kolkata", datetime(2027, 3, 1, 4, 30, tzinfo=UTC)
    event.ends_at = event.starts_at + timedelta(days=1)
    ana, gone, bo = (people.speaker(event, email=f"{name}@example.org", name=name) for name in ("ana", "gone", "bo"))
    for title, speakers in (("One", [bo, gone, ana]), ("Gone", [ana]), ("Two", [])):
        db.session.add(Session(title=title, event=event, speakers=speakers, starts_at=event.starts_at))
        db.session.flush()
    gone.deleted_at = utc_now()
    db.session.execute(text("UPDATE sessions SET deleted_at = now() WHERE title = 'Gone'"))
    db.session.commit()
    content = exported(user, event)
    assert content["event"] == {
        "id": str(event.id),
        "identifier": event.identifier,
        "name": "Harbour Conference",
        "starts-at": "2027-03-01T10:00:00+05:30",
        "ends-at": "2027-03-02T10:00:00+05:30",
        "timezone": "Asia/Kolkata",
        "location-name": None,
        "state": "draft",
    }
    assert [speaker["email"] for speaker in content["speakers"]] == ["ana@example.org", "bo@example.org"]
    assert [(each["title"], each["speaker-ids"]) for each in content["sessions"]] == [
        ("One", [str(ana.id), str(bo.id)]),
        ("Two", []),
    ]
    assert content["sessions"][0]["starts-at"] == "2027-03-01T10:00:00+05:30"
    assert content["sessions"][0]["ends-at"] is None


def test_an_event_without_anything_goes_round(user: User, people: People) -> None:
    first = exported(user, people.event(user))
    assert without_ids(exported(user, imported(user, first))) == without_ids(first)


def test_the_real_conference_goes_round(user: User, conference: Path) -> None:
    first = exported(user, imported(user, conference.read_bytes()))
    second = exported(user, imported(user, first))
    assert without_ids(second) == without_ids(first)
    assert (len(first["speakers"]), len(first["sessions"])) == (207, 214)


ODD_TEXTS = (
    "a  b ",
    " x",
    "<b>&amp;</b>",
    "“ü” 🎤",
    "a\u202eb",
    "{title}",
    "\xa0",
    "'; DROP TABLE events; --",
    "\ufeff",
)


@pytest.mark.parametrize("odd", ODD_TEXTS)
@pytest.mark.parametrize("timezone", ["UTC", "America/St_Johns", "Pacific/Apia"])
def test_whatever_the_api_takes_goes_round(user: User, api: Api, odd: str, timezone: str) -> None:
    mine = api.as_(user)
    times = {"starts-at": "2027-10-31T00:30:00.000001Z", "ends-at": "2027-10-31T01:30:00Z"}
    named = {"name": f"n{odd}", "timezone": timezone, "location-name": odd, **times}
    event = mine.create("/v1/events", "event", named).json["data"]["id"]
    attributes = {"name": f"n{odd}", "email": "Ana@EXAMPLE.org", "organisation": odd, "country": odd}
    speaker = mine.create("/v1/speakers", "speaker", attributes, event=("event", event)).json["data"]["id"]
    for state in ("pending", "withdrawn"):
        session = {"title": f"t{odd}", "short-abstract": f"{odd}\n\n{odd}", "state": state, **times}
        related = {"event": ("event", event), "speakers": [("speaker", speaker)]}
        assert mine.create("/v1/sessions", "session", session, **related).status_code == 201
    [row] = db.session.execute(text("SELECT event_id FROM speakers"))
    first = exported(user, db.session.get_one(Speaker, int(speaker)).event)
    assert first["event"]["id"] == str(row.event_id)
    second = exported(user, imported(user, first))
    assert without_ids(second) == without_ids(first)
    assert second["event"]["state"] == "draft"


@pytest.mark.parametrize("year", ["0001-01-03", "1850-06-01", "9999-12-29"])
def test_times_of_any_year_go_round(user: User, people: People, year: str) -> None:
    event = people.event(user)
    event.timezone, moment = "Europe/Berlin", datetime.fromisoformat(f"{year}T12:00:00+00:00")
    event.starts_at = event.ends_at = moment
    db.session.commit()
    first = exported(user, event)
    # In 1850 Berlin was 53 minutes and 28 seconds ahead, which RFC 3339 cannot say.
    assert first["event"]["starts-at"].endswith(("+00:00", "+01:00"))
    again = imported(user, first)
    assert again.starts_at == moment
    assert read_event(str(first).replace("'", '"').replace("None", "null").encode()).starts_at == moment
