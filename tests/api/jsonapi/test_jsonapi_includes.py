"""Compound documents: what is included, once each, without a query per row, and only what the caller may know of."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from test_jsonapi_lists import statements
from toybox import Toys


@pytest.fixture
def world(toys: Toys) -> Toys:
    """Ana's talk has two voices: her own and Ben's."""
    ana, ben = toys.person("ana@example.org"), toys.person("ben@example.org")
    admin = toys.person("admin@example.org", admin=True)
    event = toys.gathering()
    voices = [toys.voice(event, "Ana", user_id=ana), toys.voice(event, "Ben", user_id=ben)]
    for title in ("Ropes", "Knots"):
        talk = toys.talk(event, title)
        body = {"data": [{"type": "voice", "id": str(number)} for number in voices]}
        assert toys.send("PATCH", f"/talks/{talk}/relationships/speakers", admin, json=body).status_code == 204
    return toys


ANA, ADMIN = 1, 3


def included(toys: Toys, path: str, viewer: int | None = None) -> list[tuple[str, str]]:
    answer = toys.get(path, viewer)
    assert answer.status_code == 200, answer.text
    return sorted((item["type"], item["id"]) for item in answer.json["included"])


def test_each_included_resource_is_there_once_and_linked(world: Toys) -> None:
    assert included(world, "/talks?include=event,speakers") == [("gathering", "1"), ("voice", "1"), ("voice", "2")]
    first: Any = world.get("/talks?include=event,speakers").json["data"][0]
    assert [item["id"] for item in first["relationships"]["speakers"]["data"]] == ["1", "2"]
    assert first["relationships"]["speakers"]["links"]["related"] == "/toy/talks/2/speakers"


def test_a_path_of_two_includes_what_is_on_the_way(world: Toys) -> None:
    expected = [("person", "1"), ("person", "2"), ("voice", "1"), ("voice", "2")]
    assert included(world, "/talks/1?include=speakers.user", ADMIN) == expected


def test_private_relationships_and_invisible_rows_are_not_included(world: Toys) -> None:
    assert included(world, "/talks/1?include=speakers.user", ANA) == [("person", "1"), ("voice", "1"), ("voice", "2")]
    assert included(world, "/talks/1?include=speakers.user") == [("voice", "1"), ("voice", "2")]
    answer = world.get("/talks/1?include=speakers.user").json["included"]
    assert all("user" not in item["relationships"] for item in answer)
    assert all("email" not in item["attributes"] for item in answer)


def test_an_invisible_related_row_is_neither_included_nor_linked(toys: Toys) -> None:
    user = toys.person("a@example.org")
    toys.voice(toys.gathering(), "Ana", user_id=user)
    admin = toys.person("admin@example.org", admin=True)
    (item,) = toys.get("/voices?include=user", admin).json["included"]
    assert item["type"] == "person"
    hidden = toys.voice(toys.gathering("Hidden", state="draft"), "Eve")
    answer = toys.get(f"/voices/{hidden}?include=event").json
    assert answer["included"] == []


def test_a_resource_of_the_list_itself_is_not_included_again(world: Toys) -> None:
    assert included(world, "/voices?include=talks.speakers") == [("talk", "1"), ("talk", "2")]


def test_sparse_fieldsets_apply_to_what_is_included(world: Toys) -> None:
    answer = world.get("/talks?include=speakers&fields[voice]=name&fields[talk]=title").json
    assert all(set(item["attributes"]) == {"name"} for item in answer["included"])
    assert all("relationships" not in item for item in answer["data"])


def test_an_include_costs_one_query_however_many_rows(toy_app: Flask, world: Toys) -> None:
    before = len(statements(toy_app, world, "/talks", ADMIN))
    assert len(statements(toy_app, world, "/talks?include=speakers", ADMIN)) == before + 1
    assert len(statements(toy_app, world, "/talks?include=speakers,event,speakers.user", ADMIN)) <= before + 4
    world.notice(ANA)
    world.notice(ANA)
    assert len(statements(toy_app, world, "/notices?include=happening,user", ANA)) == 1 + 1 + 2
