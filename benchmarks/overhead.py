"""`request_overhead_ms`: proposing a session with its notification and mail, less the same with both switched off."""

from __future__ import annotations

from statistics import median
from typing import Final

from sqlalchemy import update

from app.auth.tokens import login_token
from app.models import Event, EventRole, MessageSettings, User, db
from app.models.base import utc_now
from app.models.mail import NEW_SESSION
from benchmarks.http import Client
from benchmarks.results import Results
from benchmarks.stage import Stage

# Short rounds, so that both sides meet the same moods of a shared machine.
ROUNDS: Final = 40
REQUESTS: Final = 8


def run(stage: Stage, results: Results) -> None:
    """Alternate both, each round some requests; compare the medians."""
    owner = User(email="owner@example.org", is_verified=True)
    event = Event(name="Harbour Conference", starts_at=utc_now(), ends_at=utc_now(), state="published")
    db.session.add_all([owner, event, EventRole(user=owner, event=event, role="owner")])
    db.session.commit()
    token, event_id = login_token(owner), event.id
    db.session.commit()
    stage.application.start()
    client = Client(stage.application.port, token)
    body = {
        "data": {
            "type": "session",
            "attributes": {"title": "Mail that arrives"},
            "relationships": {"event": {"data": {"type": "event", "id": str(event_id)}}},
        }
    }
    told: list[float] = []
    silent: list[float] = []
    for number in range(2 * ROUNDS + 2):
        is_on = number % 2 == 0
        _switch(is_on=is_on)
        times = [client.time("POST", "/v1/sessions", body) for _ in range(REQUESTS)]
        if number >= 2:  # noqa: PLR2004 - the first round of each warms up
            (told if is_on else silent).append(median(times))
    overhead = median(on - off for on, off in zip(told, silent, strict=True))
    results.add("request_ms", median(told), "ms", "POST /v1/sessions that causes one notification and one mail")
    results.add("request_overhead_ms", overhead, "ms", "the same request with both switched off")


def _switch(*, is_on: bool) -> None:
    db.session.execute(
        update(MessageSettings)
        .where(MessageSettings.action == NEW_SESSION)
        .values(mail_status=is_on, notification_status=is_on)
    )
    db.session.commit()
