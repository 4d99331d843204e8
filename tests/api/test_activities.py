"""The activity log: who did what."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from app.api.helpers.log import ACTIVITIES, record_activity
from app.models import Activity, db
from tests.conftest import PASSWORD, People
from tests.support.api import Api


def sentences(admin: Api, **query: Any) -> list[tuple[str, str]]:
    answer = admin.get("/v1/activities", **query)
    assert answer.status_code == 200, answer.text
    return [(item["attributes"]["actor"], item["attributes"]["action"]) for item in answer.json["data"]]


def test_each_deed_is_told_with_who_did_it(api: Api, people: People) -> None:
    admin, owner = api.as_(people.admin()), people.user("owner@example.org")
    event = people.event(owner)
    answer = api.as_(owner).create("/v1/sessions", "session", {"title": "Knots"}, event=("event", event.id))
    assert answer.status_code == 201
    actor, session = f"owner@example.org ({owner.id})", answer.json["data"]["id"]
    assert sentences(admin) == [
        (actor, "Email to owner@example.org for New Session Proposal: New session proposal for Harbour Conference"),
        (
            actor,
            f"Notification to {actor} for New Session Proposal: New session proposal for Harbour Conference",
        ),
        (actor, f"Session Knots ({session}) created"),
    ]


def test_who_registers_is_the_actor_of_it_and_the_mails_are_nobodys(api: Api, people: People) -> None:
    api.create("/v1/users", "user", {"email": "ana@example.org", "password": PASSWORD})
    told = sentences(api.as_(people.admin()), sort="id")
    assert [actor for actor, _ in told] == ["Anonymous", "Anonymous", "ana@example.org (1)"]
    assert told[-1][1] == "User ana@example.org (1) registered"


def test_the_admin_pages_query_of_ember(api: Api, people: People) -> None:
    ana = people.user("ana@example.org")
    record_activity("create_event", login_user=ana, event_id=1)
    record_activity("create_event", event_id=2)
    db.session.commit()
    query = {
        "filter": '[{"name":"actor","op":"ilike","val":"%ANA%"}]',
        "page[number]": 1,
        "page[size]": 100,
        "sort": "-time",
    }
    assert sentences(api.as_(people.admin()), **query) == [(f"ana@example.org ({ana.id})", "Event 1 created")]


def test_an_entry_is_one_line_with_three_attributes(api: Api, people: People) -> None:
    record_activity("create_session", session="a\r\nb\x00c {0.__class__}")
    db.session.commit()
    activity = db.session.scalars(select(Activity)).one()
    item = api.as_(people.admin()).get(f"/v1/activities/{activity.id}").json["data"]
    assert item["type"] == "activity"
    assert set(item["attributes"]) == {"actor", "time", "action"}
    assert item["attributes"]["action"] == "Session a b c {0.__class__} created"


@pytest.mark.parametrize("template", ACTIVITIES)
@pytest.mark.usefixtures("database")
def test_a_missing_value_is_refused_not_logged(template: str) -> None:
    with pytest.raises(KeyError):
        record_activity(template)


def test_the_log_is_not_written_over_http(api: Api, people: People) -> None:
    record_activity("create_event", event_id=1)
    db.session.commit()
    activity = db.session.scalars(select(Activity)).one()
    admin = api.as_(people.admin())
    path = f"/v1/activities/{activity.id}"
    answers = [
        admin.create("/v1/activities", "activity", {"action": "x"}),
        admin.update(path, "activity", activity.id, action="x"),
        admin.delete(path),
    ]
    assert [answer.status_code for answer in answers] == [405, 405, 405]
