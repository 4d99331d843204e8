"""Pages by limit and offset, and beside a cursor."""

from __future__ import annotations

import pytest
from sqlalchemy import event
from toybox import Toys
from werkzeug.test import TestResponse

from app.models import db
from tests.support.errors import errors_of

PROFILE = "https://jsonapi.org/profiles/ethanresnick/cursor-pagination/"


def numbers(answer: TestResponse) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [int(item["attributes"]["title"]) for item in answer.json["data"]]


@pytest.fixture
def seven(toys: Toys) -> Toys:
    """Seven talks, the newest is 7."""
    place = toys.gathering()
    for number in range(1, 8):
        toys.talk(place, str(number))
    return toys


def follow(toys: Toys, address: str, link: str) -> list[list[int]]:
    """The pages from an address on."""
    seen = []
    while address:
        answer = toys.get(address.removeprefix("/toy"))
        seen.append(numbers(answer))
        address = answer.json["links"].get(link) or ""
    return seen


# --- limit and offset


def test_limit_and_offset_name_rows_and_the_links_go_on_alike(seven: Toys) -> None:
    answer = seven.get("/talks?limit=3&offset=2")
    assert numbers(answer) == [5, 4, 3]
    assert answer.json["meta"] == {"count": 7}
    assert answer.json["links"] == {
        "self": "/toy/talks?limit=3&offset=2",
        "first": "/toy/talks?limit=3&offset=0",
        "last": "/toy/talks?limit=3&offset=6",
        "prev": "/toy/talks?limit=3&offset=0",
        "next": "/toy/talks?limit=3&offset=5",
    }
    assert follow(seven, "/talks?limit=3", "next") == [[7, 6, 5], [4, 3, 2], [1]]
    assert follow(seven, "/talks?limit=3&offset=6", "prev") == [[1], [4, 3, 2], [7, 6, 5]]
    assert numbers(seven.get("/talks?offset=5")) == [2, 1]
    assert numbers(seven.get("/talks?limit=2&offset=1&sort=title")) == [2, 3]


def test_an_offset_past_the_end_is_an_empty_page_that_leads_back(seven: Toys) -> None:
    answer = seven.get("/talks?limit=3&offset=100")
    assert numbers(answer) == []
    assert answer.json["meta"] == {"count": 7}
    assert answer.json["links"]["prev"].endswith("offset=6")
    assert "next" not in answer.json["links"]


# --- beside a cursor


def test_cursors_lead_through_the_whole_list_and_back(seven: Toys) -> None:
    pages = [[7, 6, 5], [4, 3, 2], [1]]
    assert follow(seven, "/talks?page[after]=&page[size]=3", "next") == pages
    first = seven.get("/talks?page[after]=&page[size]=3").json["links"]
    assert first["prev"] is None
    assert numbers(seven.get(first["first"].removeprefix("/toy"))) == pages[0]
    second = seven.get(first["next"].removeprefix("/toy")).json["links"]
    third = seven.get(second["next"].removeprefix("/toy")).json["links"]
    assert third["next"] is None
    assert follow(seven, third["prev"], "prev") == [[4, 3, 2], [7, 6, 5]]


def test_what_is_new_meanwhile_moves_nothing_and_what_is_gone_neither(seven: Toys) -> None:
    after = seven.get("/talks?page[after]=&page[size]=2").json["links"]["next"].removeprefix("/toy")
    seven.talk(1, "8")
    with seven.app.app_context():
        db.session.execute(db.text("DELETE FROM sessions WHERE title = '6'"))
        db.session.commit()
    assert numbers(seven.get(after)) == [5, 4]


def test_a_page_beside_a_cursor_is_not_counted_and_skips_nothing(seven: Toys) -> None:
    seen: list[str] = []
    after = seven.get("/talks?page[after]=&page[size]=2").json["links"]["next"].removeprefix("/toy")
    with seven.app.app_context():
        engine = db.engine

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        answer = seven.get(after)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert numbers(answer) == [5, 4]
    assert "count" not in answer.json["meta"]
    assert not any("count(" in statement or "OFFSET" in statement for statement in seen)


def test_a_filter_and_fields_are_kept_and_a_page_may_be_empty(seven: Toys) -> None:
    query = "filter[title]=7,3,1&fields[talk]=title&page[size]=2"
    assert follow(seven, f"/talks?{query}&page[after]=", "next") == [[7, 3], [1]]
    last = seven.get("/talks?page[after]=&page[size]=6").json["links"]["next"]
    with seven.app.app_context():
        db.session.execute(db.text("DELETE FROM sessions WHERE title = '1'"))
        db.session.commit()
    answer = seven.get(last.removeprefix("/toy"))
    assert numbers(answer) == []
    assert answer.json["links"]["next"] is None


@pytest.mark.parametrize(
    ("query", "parameter", "kind"),
    [
        ("limit=2&page[size]=2", "page[size]", None),
        ("offset=0&page[number]=1", "page[number]", None),
        ("offset=0&page[after]=", "page[after]", None),
        ("page[after]=&page[number]=1", "page[number]", None),
        ("limit=0", "limit", None),
        ("limit=101", "limit", None),
        ("offset=-1", "offset", None),
        ("offset=9223372036854775807", "offset", None),
        ("limit=&offset=0", "limit", None),
        ("page[before]=", "page[before]", None),
        ("page[after]=nonsense", "page[after]", None),
        ("page[after]=%C3%A4", "page[after]", None),
        ("page[after]=aWQ6LTE", "page[after]", None),
        ("page[after]=aWQ6MQ==", "page[after]", None),
        ("page[after]=&page[before]=aWQ6MQ", "page[before]", "range-pagination-not-supported"),
        ("page[after]=&sort=title", "sort", "unsupported-sort"),
        ("page[after]=&page[size]=101", "page[size]", "max-size-exceeded"),
    ],
)
def test_a_page_that_cannot_be_is_refused_as_the_profile_has_it(
    seven: Toys, query: str, parameter: str, kind: str | None
) -> None:
    answer = seven.get(f"/talks?{query}")
    [error] = errors_of(answer)
    assert (answer.status_code, error["source"]) == (400, {"parameter": parameter})
    assert error.get("links") == ({"type": f"{PROFILE}{kind}"} if kind else None)
    assert error.get("meta") == ({"page": {"maxSize": 100}} if kind == "max-size-exceeded" else None)


def test_a_single_resource_has_no_pages(seven: Toys) -> None:
    for query in ("limit=1", "offset=0", "page[after]="):
        assert seven.get(f"/talks/1?{query}").status_code == 400
