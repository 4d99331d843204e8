"""Filters, sorting, fields and pages of an inbox, and what Ember asks of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.models import User
from app.models.base import utc_now
from tests.conftest import People
from tests.support.api import Api
from tests.support.errors import errors_of
from tests.support.inbox import ids, inbox
from tests.support.rows import notify, statements


@pytest.fixture
def ana(people: People) -> User:
    return people.user("ana@example.org")


@pytest.fixture
def ben(people: People) -> User:
    return people.user("ben@example.org")


# --- Ember's queries


def test_embers_dropdown_shows_the_unread_ones_at_most_twenty(api: Api, ana: User) -> None:
    unread = [notify(ana) for _ in range(22)]
    notify(ana, is_read=True, read_at=utc_now())
    query = {"filter": '[{"name":"is-read","op":"eq","val":false}]', "sort": "-received-at"}
    answer = api.as_(ana).get(inbox(ana), **query)
    assert ids(answer) == [row.id for row in reversed(unread)][:20]
    assert answer.json["meta"]["count"] == 22


@pytest.mark.parametrize("chosen", ['[{"name":"is-read","op":"eq","val":false}]', "[]"])
def test_embers_unread_and_all_pages(api: Api, ana: User, chosen: str) -> None:
    rows = [notify(ana) for _ in range(12)]
    query = {"filter": chosen, "page[number]": 2, "page[size]": 10, "sort": "-received-at"}
    assert ids(api.as_(ana).get(inbox(ana), **query)) == [rows[1].id, rows[0].id]


def test_embers_admin_log_includes_users_and_searches_titles(api: Api, people: People, ana: User) -> None:
    found, _ = notify(ana, "New session proposal"), notify(ana, "Something else")
    query = {
        "filter": '[{"name":"title","op":"ilike","val":"%SESSION%"}]',
        "include": "user",
        "page[number]": 1,
        "page[size]": 100,
        "sort": "-received-at",
    }
    admin = api.as_(people.admin())
    answer = admin.get("/v1/notifications", **query)
    assert ids(answer) == [found.id]
    assert [(item["type"], item["id"]) for item in answer.json["included"]] == [("user", str(ana.id))]
    assert answer.json["data"][0]["relationships"]["user"]["data"] == {"type": "user", "id": str(ana.id)}
    assert len(ids(admin.get("/v1/notifications", **{**query, "filter": "[]"}))) == 2


def test_a_get_may_carry_a_content_type_as_embers_do(api: Api, ana: User) -> None:
    headers = {"Authorization": f"JWT {api.as_(ana).token}", "Content-Type": "application/vnd.api+json"}
    assert api.client.get(inbox(ana), headers=headers).status_code == 200


def test_a_users_link_leads_ember_to_the_inbox(api: Api, ana: User) -> None:
    user = api.as_(ana).get(f"/v1/users/{ana.id}").json["data"]
    assert user["relationships"]["notifications"]["links"]["related"] == inbox(ana)


@pytest.mark.parametrize(
    ("name", "op", "value", "expected"),
    [
        ("title", "eq", "Beta", ["Beta"]),
        ("title", "in", ["Alpha", "Gamma"], ["Alpha", "Gamma"]),
        ("title", "startswith", "Al", ["Alpha"]),
        ("action", "eq", "Two", ["Beta", "Gamma"]),
        ("message", "contains", "Gam", ["Gamma"]),
        ("is-read", "eq", True, ["Alpha"]),
        ("is_read", "ne", True, ["Beta", "Gamma"]),
        ("read-at", "is", None, ["Beta", "Gamma"]),
        ("received-at", "ge", "2026-01-02T00:00:00Z", ["Beta", "Gamma"]),
        ("received_at", "between", ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"], ["Alpha", "Beta"]),
        ("title", "ilike", "%A", ["Alpha", "Beta", "Gamma"]),
    ],
)
def test_what_can_be_read_can_be_filtered(api: Api, ana: User, name: str, op: str, value: Any, expected: Any) -> None:
    for day, (title, action) in enumerate((("Alpha", "One"), ("Beta", "Two"), ("Gamma", "Two")), start=1):
        read_at = utc_now() if title == "Alpha" else None
        received = datetime(2026, 1, day, tzinfo=UTC)
        notify(ana, title, action, received_at=received, is_read=read_at is not None, read_at=read_at)
    given = json.dumps([{"name": name, "op": op, "val": value}])
    answer = api.as_(ana).get(inbox(ana), filter=given, sort="title")
    assert [item["attributes"]["title"] for item in answer.json["data"]] == expected
    assert answer.json["meta"]["count"] == len(expected)


@pytest.mark.parametrize("key", ["title", "action", "message", "is-read", "received-at", "read-at", "id"])
def test_what_can_be_read_can_be_sorted_both_ways(api: Api, ana: User, key: str) -> None:
    now = utc_now()
    first = notify(ana, "A", "A", received_at=now - timedelta(days=1), read_at=None)
    second = notify(ana, "B", "B", received_at=now, is_read=True, read_at=now)
    third = notify(ana, "C", "C", received_at=now + timedelta(days=1), is_read=True, read_at=now + timedelta(days=1))
    mine = api.as_(ana)
    up, down = (ids(mine.get(inbox(ana), sort=f"{sign}{key}")) for sign in ("", "-"))
    if key == "is-read":
        assert up[0] == down[-1] == first.id
    else:
        expected = [first.id, second.id, third.id] if key != "read-at" else [second.id, third.id, first.id]
        assert up == expected
        assert down == expected[::-1]


def test_filters_nest_and_the_short_form_works(api: Api, ana: User) -> None:
    notify(ana, "Alpha")
    beta = notify(ana, "Beta")
    mine = api.as_(ana)
    eq = {"name": "title", "op": "eq", "val": "Alpha"}
    nested = json.dumps([{"and": [{"not": eq}, {"or": [eq, {"name": "title", "op": "like", "val": "B%"}]}]}])
    assert ids(mine.get(inbox(ana), filter=nested)) == [beta.id]
    assert ids(mine.get(inbox(ana), **{"filter[title]": "Beta"})) == [beta.id]
    assert ids(mine.get(inbox(ana), **{"filter[is-read]": "true"})) == []
    own = json.dumps([{"name": "user", "op": "has", "val": {"name": "email", "op": "ilike", "val": "ana%"}}])
    assert len(ids(mine.get(inbox(ana), filter=own))) == 2


def test_read_is_a_filter_with_true_false_or_since_when(api: Api, ana: User) -> None:
    noon = utc_now().replace(microsecond=0)
    unread = notify(ana)
    early, late = (notify(ana, is_read=True, read_at=noon + timedelta(hours=hours)) for hours in (-1, 0))
    mine = api.as_(ana)
    expected: list[tuple[Any, list[int]]] = [
        ("true", [late.id, early.id]),
        ("false", [unread.id]),
        (noon.isoformat(), [late.id]),
    ]
    for value, found in expected:
        assert ids(mine.get(inbox(ana), **{"filter[read]": value})) == found
        node = {"name": "read", "op": "eq", "val": value == "true" if value in ("true", "false") else value}
        assert ids(mine.get(inbox(ana), filter=json.dumps([node]))) == found
    opposite = json.dumps([{"not": {"name": "read", "op": "eq", "val": True}}])
    assert ids(mine.get(inbox(ana), filter=opposite)) == [unread.id]
    for bad in ("yes", "true,false", "2026-01-01", ""):
        refused = mine.get(inbox(ana), **{"filter[read]": bad})
        assert refused.status_code == 400
        assert "true, false or a time" in errors_of(refused)[0]["detail"]
    for node in ({"op": "ne", "val": True}, {"op": "eq", "val": None}, {"op": "eq", "val": 1}, {"op": "eq"}):
        assert mine.get(inbox(ana), filter=json.dumps([{"name": "read", **node}])).status_code == 400


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("page[size]", "0"),
        ("page[size]", "101"),
        ("page[size]", "x"),
        ("page[number]", "0"),
        ("page[number]", "-1"),
        ("page[number]", "9" * 30),
        ("sort", "password"),
        ("sort", "user.password-hash"),
        ("sort", "deleted-at"),
        ("filter", "{"),
        ("filter", '[{"name":"deleted-at","op":"is","val":null}]'),
        ("filter", '[{"name":"title","op":"__class__","val":1}]'),
        ("filter[user-id]", "1"),
        ("include", "nobody"),
        ("fields[notification]", "password"),
        ("get_trashed", "true"),
    ],
)
def test_a_query_that_cannot_be_names_its_parameter(api: Api, ana: User, parameter: str, value: str) -> None:
    answer = api.as_(ana).get(inbox(ana), **{parameter: value})
    assert answer.status_code == 400
    assert errors_of(answer)[0]["source"] == {"parameter": parameter}


def test_fields_choose_what_is_shown(api: Api, ana: User) -> None:
    notify(ana)
    [item] = api.as_(ana).get(inbox(ana), **{"fields[notification]": "title,is-read"}).json["data"]
    assert set(item["attributes"]) == {"title", "is-read"}
    assert "relationships" not in item


def test_a_page_of_the_inbox_takes_as_many_statements_with_one_row_as_with_many(api: Api, ana: User) -> None:
    mine, taken = api.as_(ana), []
    for number in (1, 40):
        for _ in range(number):
            notify(ana)
        with statements() as seen:
            mine.get(inbox(ana))
        taken.append(len(seen))
    assert taken[1] <= taken[0] + 1  # a full page is counted by one more
