"""Events at given times on the clocks of their places, made over HTTP, and runs of what the clock sends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from app.models import Event, Speaker, User, db
from app.periodic.run import run_periodic
from tests.support.api import Api

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def at(zone: str, *numbers: int) -> datetime:
    """A time as the clocks of a place show it: year, month, day, hour, minute."""
    return datetime(*numbers, tzinfo=ZoneInfo(zone))  # type: ignore[arg-type, misc]


def create_event(owner: Api, begins: datetime, ends: datetime | None = None, **attributes: Any) -> Event:
    """A published event of this owner; its time zone is that of its beginning."""
    values = {
        "name": "Harbour Conference",
        "starts-at": begins.isoformat(),
        "ends-at": (ends or begins + timedelta(hours=8)).isoformat(),
        "timezone": str(begins.tzinfo),
        "state": "published",
        **attributes,
    }
    answer = owner.create("/v1/events", "event", values)
    assert answer.status_code == 201, answer.text
    return db.session.get_one(Event, int(answer.json["data"]["id"]))


def create_speaker(api: Api, event: Event, email: str, name: str = "Ana") -> Speaker:
    answer = api.create("/v1/speakers", "speaker", {"name": name, "email": email}, event=("event", event.id))
    assert answer.status_code == 201, answer.text
    return db.session.get_one(Speaker, int(answer.json["data"]["id"]))


def speaking(user: User, language: str) -> User:
    """The user, who reads this language from now on."""
    user.language = language
    db.session.commit()
    return user


def run_at(now: datetime) -> list[str]:
    """Look at the clock: what was done, as `action: about`; nothing may fail."""
    outcomes = run_periodic(now.astimezone(UTC))
    assert [each.error for each in outcomes if each.error] == []
    return [f"{each.action}: {each.about}" for each in outcomes]
