"""Lists: pages, order, links, counts, sparse fieldsets."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from sqlalchemy import event
from toybox import Toys
from werkzeug.test import TestResponse

from app.models import db
from app.models.base import utc_now


def titles(answer: TestResponse) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["attributes"]["title"] for item in answer.json["data"]]


def fill(toys: Toys, count: int) -> None:
    event_id = toys.gathering()
    for number in range(count):
        toys.talk(event_id, f"Talk {number}")


def refused(answer: TestResponse, parameter: str) -> None:
    assert answer.status_code == 400, answer.text
    assert [error["source"] for error in answer.json["errors"]] == [{"parameter": parameter}]


def test_a_list_is_newest_first_twenty_a_page_with_count_and_links(toys: Toys) -> None:
    fill(toys, 25)
    answer = toys.get("/talks?sort=state")
    assert answer.headers["Content-Type"] == "application/vnd.api+json"
    assert answer.headers["Vary"] == "Accept"
    assert answer.json["jsonapi"] == {"version": "1.1"}
    assert titles(answer) == [f"Talk {number}" for number in range(24, 4, -1)]
    assert answer.json["meta"] == {"count": 25}
    assert answer.json["links"] == {
        "self": "/toy/talks?sort=state",
        "first": "/toy/talks?sort=state&page%5Bnumber%5D=1",
        "last": "/toy/talks?sort=state&page%5Bnumber%5D=2",
        "next": "/toy/talks?sort=state&page%5Bnumber%5D=2",
    }


def test_the_links_of_pages_lead_through_the_whole_list(toys: Toys) -> None:
    fill(toys, 7)
    seen, address = [], "/talks?page[size]=3"
    while address:
        answer = toys.get(address)
        seen += titles(answer)
        address = answer.json["links"].get("next", "").removeprefix("/toy")
    assert seen == [f"Talk {number}" for number in range(6, -1, -1)]
    assert "prev" in answer.json["links"]


def test_a_page_after_the_last_is_empty_and_still_counts(toys: Toys) -> None:
    fill(toys, 3)
    answer = toys.get("/talks?page[number]=9")
    assert titles(answer) == []
    assert answer.json["meta"] == {"count": 3}
    assert answer.json["links"]["prev"].endswith("=1")


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("page[size]=0", "page[size]"),
        ("page[size]=101", "page[size]"),
        ("page[size]=-1", "page[size]"),
        ("page[size]=ten", "page[size]"),
        ("page[size]=", "page[size]"),
        ("page[size]=%2B5", "page[size]"),
        ("page[number]=0", "page[number]"),
        ("page[number]=9223372036854775807", "page[number]"),
        ("page[offset]=1", "page[offset]"),
        ("page[size]=1&page[size]=2", "page[size]"),
        ("sort=password", "sort"),
        ("sort=password_hash", "sort"),
        ("sort=speakers", "sort"),
        ("sort=speakers.name", "sort"),
        ("sort=event.nothing", "sort"),
        ("sort=event.name.x", "sort"),
        ("sort=", "sort"),
        ("sort=--title", "sort"),
        ("include=nothing", "include"),
        ("include=title", "include"),
        ("include=speakers.event.roles", "include"),
        ("include=" + ",".join(["event"] * 11), "include"),
        ("fields[talk]=password", "fields[talk]"),
        ("fields[talk]=deleted-at", "fields[talk]"),
        ("fields[nothing]=x", "fields[nothing]"),
        ("colour=red", "colour"),
    ],
)
def test_a_query_that_cannot_be_is_refused_by_name(toys: Toys, query: str, parameter: str) -> None:
    refused(toys.get(f"/talks?{query}"), parameter)


@pytest.mark.parametrize("query", ["page[size]=5", "sort=title", "filter=[]", "filter[title]=x"])
def test_a_detail_takes_no_parameter_of_lists(toys: Toys, query: str) -> None:
    fill(toys, 1)
    refused(toys.get(f"/talks/1?{query}"), query.partition("=")[0])


def test_lists_are_sorted_by_several_attributes_in_both_spellings(toys: Toys) -> None:
    one, two = toys.gathering("B"), toys.gathering("A")
    toys.talk(one, "x", short_abstract="1")
    toys.talk(two, "y", short_abstract="1")
    toys.talk(one, "z", short_abstract="2")
    assert titles(toys.get("/talks?sort=-short-abstract,title")) == ["z", "x", "y"]
    assert titles(toys.get("/talks?sort=short_abstract,-title")) == ["y", "x", "z"]
    assert titles(toys.get("/talks?sort=event.name,-id")) == ["y", "z", "x"]


def test_an_attribute_of_another_table_can_be_sorted_by(toys: Toys) -> None:
    user = toys.person("a@example.org")
    for title in ("b", "c", "a"):
        toys.notice(user, title)
    assert titles(toys.get("/notices?sort=title", user)) == ["a", "b", "c"]


def test_only_the_fields_asked_for_are_shown(toys: Toys) -> None:
    fill(toys, 1)
    (item,) = toys.get("/talks?fields[talk]=short_abstract,title,event").json["data"]
    assert item["attributes"] == {"title": "Talk 0", "short-abstract": None}
    assert list(item["relationships"]) == ["event"]
    (item,) = toys.get("/talks?fields[talk]=").json["data"]
    assert set(item) == {"type", "id", "links"}


def test_attributes_are_in_the_order_of_the_schema(toys: Toys) -> None:
    fill(toys, 1)
    (item,) = toys.get("/talks").json["data"]
    assert list(item["attributes"]) == ["title", "short-abstract", "starts-at", "ends-at", "state", "created-at"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", item["attributes"]["created-at"])
    assert item["id"] == "1"


def test_only_visible_rows_are_listed_counted_and_found(toys: Toys) -> None:
    owner = toys.person("owner@example.org")
    event_id = toys.gathering(owner=owner)
    toys.talk(event_id, "secret", state="pending")
    toys.talk(event_id, "gone", deleted_at=utc_now())
    assert toys.get("/talks").json["meta"] == {"count": 0}
    assert toys.get("/talks/1").status_code == 404
    assert titles(toys.get("/talks", owner)) == ["secret"]
    assert toys.get("/talks/1", owner).status_code == 200
    assert toys.get("/talks/2", owner).status_code == 404


def test_a_nested_address_narrows_the_list_and_adds_its_meta(toys: Toys) -> None:
    user, other = toys.person("a@example.org"), toys.person("b@example.org")
    toys.notice(user)
    toys.notice(other)
    answer = toys.get(f"/people/{user}/notices", user)
    assert answer.json["meta"] == {"count": 1, "twice": 2}
    assert toys.get(f"/people/{other}/notices", user).json["meta"]["count"] == 0
    assert toys.get("/people/77/notices", user).status_code == 404


def test_head_is_answered_like_get_without_a_body(toys: Toys) -> None:
    fill(toys, 1)
    for path, status in (("/talks", 200), ("/talks/1", 200), ("/talks/2", 404), ("/talks?page[size]=0", 400)):
        answer = toys.send("HEAD", path)
        assert answer.status_code == status
        assert answer.data == b""


def statements(app: Flask, toys: Toys, path: str, viewer: int | None = None) -> list[str]:
    found: list[str] = []
    with app.app_context():
        engine = db.engine

    def remember(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        found.append(statement)

    event.listen(engine, "before_cursor_execute", remember)
    try:
        assert toys.get(path, viewer).status_code == 200
    finally:
        event.remove(engine, "before_cursor_execute", remember)
    return found


def test_a_list_takes_one_query_and_one_for_the_count_only_when_the_page_is_full(toy_app: Flask, toys: Toys) -> None:
    user = toys.person("a@example.org")
    for number in range(3):
        toys.notice(user, f"n{number}")
    path = f"/people/{user}/notices"
    # The first is the toy's own log-in (which also serves the address); then the page, then the count.
    assert len(statements(toy_app, toys, path, user)) == 2
    full = statements(toy_app, toys, f"{path}?page[size]=2&sort=title", user)
    assert len(full) == 3
    assert "count(*)" in full[-1]
    assert "JOIN" not in full[-1]
    assert "ORDER BY" not in full[-1]
