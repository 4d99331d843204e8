"""Filters: what each operator finds, and that nobody can ask about what he may not read."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from toybox import Toys
from werkzeug.test import TestResponse

from app.models.base import utc_now


def ask(toys: Toys, path: str, tree: Any, viewer: int | None = None) -> TestResponse:
    return toys.get(f"{path}?filter={quote(json.dumps(tree))}", viewer)


def found(answer: TestResponse, attribute: str = "title") -> list[str]:
    assert answer.status_code == 200, answer.text
    assert answer.json["meta"]["count"] == len(answer.json["data"])
    return sorted(item["attributes"][attribute] for item in answer.json["data"])


@pytest.fixture
def talks(toys: Toys) -> Toys:
    one, two = toys.gathering("Harbour"), toys.gathering("Hidden", state="draft")
    toys.talk(one, "Ropes 100%", short_abstract="Ropes 100%", starts_at=utc_now().replace(year=2030))
    toys.talk(one, "Knots", short_abstract="about", starts_at=utc_now().replace(year=2040))
    toys.talk(two, "Secret place")
    return toys


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ({"name": "title", "op": "eq", "val": "Knots"}, ["Knots"]),
        ({"name": "title", "op": "ne", "val": "Knots"}, ["Ropes 100%", "Secret place"]),
        ({"name": "title", "op": "gt", "val": "Q"}, ["Ropes 100%", "Secret place"]),
        ({"name": "title", "op": "le", "val": "Knots"}, ["Knots"]),
        ({"name": "title", "op": "ilike", "val": "kn%"}, ["Knots"]),
        ({"name": "title", "op": "like", "val": "kn%"}, []),
        ({"name": "title", "op": "notilike", "val": "kn%"}, ["Ropes 100%", "Secret place"]),
        ({"name": "title", "op": "contains", "val": "0%"}, ["Ropes 100%"]),
        ({"name": "title", "op": "startswith", "val": "%"}, []),
        ({"name": "title", "op": "endswith", "val": "s"}, ["Knots"]),
        ({"name": "title", "op": "in_", "val": ["Knots", "x"]}, ["Knots"]),
        ({"name": "title", "op": "notin_", "val": ["Knots"]}, ["Ropes 100%", "Secret place"]),
        ({"name": "title", "op": "between", "val": ["A", "L"]}, ["Knots"]),
        ({"name": "starts-at", "op": "is_", "val": None}, ["Secret place"]),
        ({"name": "starts_at", "op": "eq", "val": None}, ["Secret place"]),
        ({"name": "starts-at", "op": "isnot", "val": None}, ["Knots", "Ropes 100%"]),
        ({"name": "starts-at", "op": "ge", "val": "2035-01-01T00:00:00+01:00"}, ["Knots"]),
        ({"name": "id", "op": "eq", "val": "2"}, ["Knots"]),
        ({"name": "id", "op": "in", "val": ["2", 3]}, ["Knots", "Secret place"]),
        ({"name": "title", "op": "eq", "field": "short-abstract"}, ["Ropes 100%"]),
        ({"and": [{"name": "id", "op": "gt", "val": 1}, {"name": "id", "op": "lt", "val": 3}]}, ["Knots"]),
        ({"or": [{"name": "id", "op": "eq", "val": 1}, {"name": "id", "op": "eq", "val": 2}]}, ["Knots", "Ropes 100%"]),
        ({"not": {"name": "title", "op": "eq", "val": "Knots"}}, ["Ropes 100%", "Secret place"]),
        (
            {"name": "event", "op": "has", "val": {"name": "name", "op": "eq", "val": "Harbour"}},
            ["Knots", "Ropes 100%"],
        ),
        ({"name": "event.name", "op": "eq", "val": "Harbour"}, ["Knots", "Ropes 100%"]),
        ({"name": "event__name", "op": "eq", "val": "Harbour"}, ["Knots", "Ropes 100%"]),
        ({"name": "event.name", "op": "eq", "val": "Hidden"}, []),
        ({"name": "event", "op": "has", "val": {"name": "id", "op": "gt", "val": 0}}, ["Knots", "Ropes 100%"]),
    ],
)
def test_an_operator_finds_what_it_says(talks: Toys, node: Any, expected: list[str]) -> None:
    assert found(ask(talks, "/talks", [node])) == expected
    assert found(ask(talks, "/talks", node)) == expected


@pytest.mark.parametrize(
    "node",
    [
        {"name": "title", "op": "eq", "val": 1},
        {"name": "title", "op": "in_", "val": "Knots"},
        {"name": "title", "op": "in_", "val": [None]},
        {"name": "title", "op": "is_", "val": "x"},
        {"name": "title", "op": "ilike", "val": "x\\"},
        {"name": "title", "op": "regexp_match", "val": "x"},
        {"name": "title", "op": "__eq__", "val": "x"},
        {"name": "title", "op": "eq", "field": "starts-at"},
        {"name": "title", "op": "ilike", "field": "state"},
        {"name": "starts-at", "op": "eq", "val": "2026-01-01"},
        {"name": "starts-at", "op": "like", "val": "2026%"},
        {"name": "starts-at", "op": "gt", "val": None},
        {"name": "id", "op": "eq", "val": 2**63},
        {"name": "id", "op": "eq", "val": 1.0},
        {"name": "id", "op": "eq", "val": True},
        {"name": "event", "op": "eq", "val": 1},
        {"name": "event-id", "op": "eq", "val": 1},
        {"name": "deleted-at", "op": "is_", "val": None},
        {"name": "metadata", "op": "is_", "val": None},
        {"name": "event", "op": "has", "val": {"name": "deleted_at", "op": "is_", "val": None}},
        {"name": "event.roles.user.password", "op": "like", "val": "%"},
    ],
)
def test_a_condition_that_cannot_be_is_refused(talks: Toys, node: Any) -> None:
    answer = ask(talks, "/talks", [node])
    assert answer.status_code == 400, answer.text
    assert answer.json["errors"][0]["source"] == {"parameter": "filter"}


def test_a_filter_is_bounded_in_depth_number_and_length(talks: Toys) -> None:
    leaf = {"name": "id", "op": "gt", "val": 0}
    deep: Any = leaf
    for _ in range(4):
        deep = {"not": deep}
    assert ask(talks, "/talks", [deep]).status_code == 200
    assert ask(talks, "/talks", [{"not": deep}]).status_code == 400
    assert ask(talks, "/talks", [{"name": "id", "op": "gt", "val": 0}] * 50).status_code == 200
    assert ask(talks, "/talks", [{"name": "id", "op": "gt", "val": 0}] * 51).status_code == 400
    assert ask(talks, "/talks", [{"name": "title", "op": "eq", "val": "x" * 4096}]).status_code == 400


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("filter[title]=Knots", ["Knots"]),
        ("filter[id]=2,3", ["Knots", "Secret place"]),
        ("filter[id]=[2]", ["Knots"]),
        ("filter[event.name]=Harbour&filter[title]=Knots", ["Knots"]),
        ("filter[starts_at]=2040-01-01T00:00:00Z", []),
    ],
)
def test_the_short_form_compares_for_equality(talks: Toys, query: str, expected: list[str]) -> None:
    assert found(talks.get(f"/talks?{query}")) == expected


@pytest.mark.parametrize(
    "name", ["password", "password-hash", "token_version", "nothing", "title.x", "event", "speakers.user.password"]
)
def test_the_short_form_names_the_parameter_that_cannot_be(talks: Toys, name: str) -> None:
    answer = talks.get(f"/talks?filter[{name}]=1")
    assert answer.status_code == 400
    assert answer.json["errors"][0]["source"] == {"parameter": f"filter[{name}]"}


def test_truth_is_true_or_false_and_nothing_else(toys: Toys) -> None:
    user = toys.person("a@example.org")
    toys.notice(user, "new")
    toys.notice(user, "old", is_read=True, read_at=utc_now())
    assert found(ask(toys, "/notices", [{"name": "is-read", "op": "eq", "val": False}], user)) == ["new"]
    assert found(ask(toys, "/notices", [{"name": "is-read", "op": "is", "val": True}], user)) == ["old"]
    assert found(toys.get("/notices?filter[is-read]=false", user)) == ["new"]
    for wrong in (0, "false", "False", None):
        status = ask(toys, "/notices", [{"name": "is-read", "op": "gt", "val": wrong}], user).status_code
        assert status == 400, wrong
    assert toys.get("/notices?filter[is-read]=0", user).status_code == 400


def test_an_attribute_of_another_table_can_be_filtered_on(toys: Toys) -> None:
    user = toys.person("a@example.org")
    toys.notice(user, "new")
    toys.notice(user, "old")
    assert found(ask(toys, "/notices", [{"name": "title", "op": "eq", "val": "old"}], user)) == ["old"]
    assert found(ask(toys, "/notices", [{"not": {"name": "title", "op": "eq", "val": "old"}}], user)) == ["new"]
    assert found(ask(toys, "/notices", [{"name": "title", "op": "eq", "field": "message"}], user)) == []
    assert found(ask(toys, "/notices", [{"name": "data", "op": "is", "val": None}], user)) == ["new", "old"]
    assert ask(toys, "/notices", [{"name": "data", "op": "eq", "val": {}}], user).status_code == 400


# --- what is private


@pytest.fixture
def voices(toys: Toys) -> Toys:
    ana, ben = toys.person("ana@example.org"), toys.person("ben@example.org")
    toys.person("admin@example.org", admin=True)
    event = toys.gathering()
    toys.voice(event, "Ana", email="ana@example.org", user_id=ana)
    toys.voice(event, "Ben", email="ben@example.org", user_id=ben)
    toys.voice(event, "Eve", email=None)
    return toys


ANA, BEN, ADMIN = 1, 2, 3
EMAIL_OF_BEN = {"name": "email", "op": "eq", "val": "ben@example.org"}


@pytest.mark.parametrize(
    "condition",
    [
        EMAIL_OF_BEN,
        {"not": EMAIL_OF_BEN},
        {"name": "email", "op": "ne", "val": "ben@example.org"},
        {"name": "email", "op": "is_", "val": None},
        {"name": "email", "op": "isnot", "val": None},
        {"not": {"not": {"name": "email", "op": "ilike", "val": "%"}}},
        {"name": "name", "op": "ne", "field": "email"},
        {"name": "email", "op": "ne", "field": "name"},
        {"name": "user.email", "op": "eq", "val": "ben@example.org"},
        {"name": "user", "op": "has", "val": {"name": "id", "op": "gt", "val": 0}},
        {"not": {"name": "user", "op": "has", "val": {"name": "email", "op": "eq", "val": "x"}}},
    ],
)
def test_rows_whose_private_attribute_is_hidden_never_match(voices: Toys, condition: Any) -> None:
    assert set(found(ask(voices, "/voices", [condition], ANA), "name")) <= {"Ana"}
    assert ask(voices, "/voices", [condition]).status_code == 400


def test_whoever_may_read_a_private_attribute_can_filter_on_it(voices: Toys) -> None:
    assert found(ask(voices, "/voices", [EMAIL_OF_BEN], BEN), "name") == ["Ben"]
    assert found(ask(voices, "/voices", [EMAIL_OF_BEN], ADMIN), "name") == ["Ben"]
    assert found(ask(voices, "/voices", [{"name": "email", "op": "is_", "val": None}], ADMIN), "name") == ["Eve"]
    of_user = {"name": "user.email", "op": "eq", "val": "ana@example.org"}
    assert found(ask(voices, "/voices", [of_user], ANA), "name") == ["Ana"]


def test_a_private_attribute_cannot_be_asked_about_through_a_relationship(voices: Toys) -> None:
    talk = voices.talk(1)
    ids = {"data": [{"type": "voice", "id": "2"}]}
    assert voices.send("PATCH", f"/talks/{talk}/relationships/speakers", ADMIN, json=ids).status_code == 204
    node = {"name": "speakers", "op": "any", "val": EMAIL_OF_BEN}
    assert found(ask(voices, "/talks", [node], ANA)) == []
    assert found(ask(voices, "/talks", [{"name": "speakers.email", "op": "ilike", "val": "%"}], ANA)) == []
    assert ask(voices, "/talks", [node]).status_code == 400
    assert found(ask(voices, "/talks", [node], BEN)) == ["Ropes"]
    assert found(ask(voices, "/talks", [node], ADMIN)) == ["Ropes"]


def test_sorting_by_a_private_attribute_tells_nothing_of_hidden_values(voices: Toys) -> None:
    def order(viewer: int, sort: str) -> list[str]:
        return [item["attributes"]["name"] for item in voices.get(f"/voices?sort={sort}", viewer).json["data"]]

    assert voices.get("/voices?sort=email").status_code == 400
    # What is hidden is last (NULL) in the order of the ids, whatever the values are.
    assert order(BEN, "email") == ["Ben", "Eve", "Ana"]
    assert order(ANA, "email") == ["Ana", "Eve", "Ben"]
    assert order(ADMIN, "email") == ["Ana", "Ben", "Eve"]
    assert order(ADMIN, "-user.email") == ["Eve", "Ben", "Ana"]


def test_private_attributes_are_shown_to_those_who_may_read_them_only(voices: Toys) -> None:
    def shown(viewer: int | None) -> list[str]:
        items = voices.get("/voices?sort=name", viewer).json["data"]
        return [item["attributes"]["name"] for item in items if "email" in item["attributes"]]

    assert shown(None) == []
    assert shown(ANA) == ["Ana"]
    assert shown(ADMIN) == ["Ana", "Ben", "Eve"]
    (item,) = voices.get("/voices?filter[name]=Ben&fields[voice]=email,name,user", ANA).json["data"]
    assert item["attributes"] == {"name": "Ben"}
    assert "relationships" not in item
