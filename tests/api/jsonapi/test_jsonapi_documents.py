"""Documents of several resources, and checks of a whole resource."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from test_jsonapi_writes import pointers, resource
from toybox import Toys
from toys import TalkSchema

from app.api.jsonapi.document import read_resources
from app.api.jsonapi.errors import ApiError


def read(app: Flask, data: Any) -> list[tuple[int, dict[str, Any]]]:
    with app.test_request_context(method="PATCH", json={"data": data}):
        return read_resources("talk", 3)


def test_several_resources_are_read_with_their_ids(toy_app: Flask) -> None:
    items = [{"type": "talk", "id": str(number), "attributes": {"title": "x"}} for number in (7, 5)]
    assert read(toy_app, items) == [(7, items[0]), (5, items[1])]
    assert read(toy_app, []) == []


@pytest.mark.parametrize(
    ("data", "status", "pointer"),
    [
        ({}, "400", "/data"),
        ([{"type": "talk", "id": str(number)} for number in range(4)], "400", "/data"),
        ([1], "400", "/data/0"),
        ([{"type": "talk"}], "400", "/data/0/id"),
        ([{"type": "voice", "id": "1"}], "409", "/data/0/type"),
        ([{"type": "talk", "id": "1"}, {"type": "talk", "id": "1"}], "400", "/data/1/id"),
    ],
)
def test_several_resources_of_another_structure_are_refused(
    toy_app: Flask, data: Any, status: str, pointer: str
) -> None:
    with pytest.raises(ApiError) as raised:
        read(toy_app, data)
    assert (raised.value.status, raised.value.source) == (status, {"pointer": pointer})


def test_the_pointer_of_one_of_several_has_its_place() -> None:
    for attributes in ({"title": 1}, {"colour": 1}):
        with pytest.raises(ApiError) as raised:
            TalkSchema.load_resource({"attributes": attributes}, partial=True, pointer="/data/4")
        assert raised.value.source == {"pointer": f"/data/4/attributes/{next(iter(attributes))}"}


def test_a_check_of_the_whole_resource_points_to_what_it_is_about(toys: Toys) -> None:
    times = {"starts_at": "2026-01-01T00:00:00Z", "ends_at": "2026-01-01T00:00:00Z"}
    answer = toys.send("POST", "/gatherings", json=resource("gathering", name="nowhere", **times))
    assert pointers(answer, 422) == {"/data"}
    answer = toys.send("POST", "/gatherings", json=resource("gathering", name="never", **times))
    assert pointers(answer, 422) == {"/data/attributes/starts-at"}
