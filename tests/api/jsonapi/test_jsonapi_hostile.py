"""Hundreds of odd query strings, headers and bodies: nothing that a client sends makes a 500."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toybox import MEDIA_TYPE, Toys
from werkzeug.test import TestResponse

VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**63 - 1,
    2**63,
    -(2**63) - 1,
    10**30,
    1.5,
    1e308,
    "",
    " ",
    "x",
    "1",
    "-1",
    "٣",
    "9223372036854775807",
    "9223372036854775808",
    "9" * 400,
    "a\x00b",
    "\ud800",
    "\n",
    "\x1b[31m",
    "\u2028",
    "\u202e",
    "😀" * 600,
    "%",
    "\\",
    "a\\",
    "{0.__class__}",
    "'; DROP TABLE users; --",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "0000-01-01T00:00:00Z",
    "2026-02-30T00:00:00Z",
    "2026-01-01T00:00:00",
    "2026-01-01T24:00:01Z",
    "2026-01-01T00:00:60Z",
    "2026-01-01T00:00:00+99:99",
    "2026-01-01T00:00:00.1234567890123Z",
    "infinity",
    "true",
    "null",
    [],
    [[]],
    [None],
    [1, "a", None, {}],
    {},
    {"a": {"b": {"c": {}}}},
    {"data": None},
    {"data": {"type": "gathering", "id": "9223372036854775808"}},
    {"data": {"type": "gathering", "id": 1}},
    {"data": [{"type": "gathering", "id": "1"}]},
    {"name": "title", "op": "eq", "val": "x"},
]

RAW_BODIES = [
    b"",
    b" ",
    b"{",
    b"null",
    b"[]",
    b'"x"',
    b"1",
    b"NaN",
    b"\xff\xfe{\x00}\x00",
    b"\xef\xbb\xbf{}",
    b'{"data": NaN}',
    b'{"data": {"type": "talk", "attributes": {"title": Infinity}}}',
    b'{"data": {"type": "talk", "attributes": {"title": 1e400}}}',
    b'{"data": {"type": "talk", "attributes": {"title": -1e400}}}',
    b'{"data": {"type": "talk", "attributes": {"title": ' + b"9" * 5000 + b"}}}",
    b'{"data": {"type": "talk", "attributes": {"title": "\xed\xa0\x80"}}}',
    b'{"data": {"type": "talk", "attributes": {"a\\u0000b": 1}}}',
    b"[" * 100_000,
    b'{"data":' * 50_000,
    b"[" * 500 + b"]" * 500,
    b'{"data": {"type": "talk", "attributes": ' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}}",
    b'{"data": {"type": "talk"}, "data": {"type": "voice"}}',
    b"x" * (1024 * 1024 + 1),
    b'{"data": "' + b"x" * (1024 * 1024) + b'"}',
]

GOOD = {
    "data": {
        "type": "talk",
        "id": "1",
        "attributes": {
            "title": "Knots",
            "short-abstract": "Long.",
            "starts-at": "2026-11-21T10:00:00Z",
            "state": "accepted",
        },
        "relationships": {
            "event": {"data": {"type": "gathering", "id": "1"}},
            "speakers": {"data": [{"type": "voice", "id": "1"}]},
        },
    },
    "meta": {},
    "included": [],
}

PARAMETERS = [
    "page[size]",
    "page[after]",
    "page[before]",
    "limit",
    "offset",
    "page[number]",
    "page",
    "page[]",
    "page[size][]",
    "sort",
    "filter",
    "filter[title]",
    "filter[starts-at]",
    "filter[id]",
    "filter[event.name]",
    "filter[event__id]",
    "filter[speakers]",
    "filter[password]",
    "filter[]",
    "fields[talk]",
    "fields[nothing]",
    "fields",
    "include",
    "x",
    "",
    "a\x00",
]

FILTERS: list[tuple[str, Any]] = [
    (path, {"name": name, "op": op, "val": value})
    for path, names in (
        ("/talks", ("title", "starts-at", "id", "event", "speakers", "event.name")),
        ("/notices", ("title", "data", "is-read", "happening.action")),
    )
    for name in names
    for op in ("eq", "ilike", "in", "between", "is", "has", "contains", "__class__", "op", "")
    for value in (None, True, 10**30, "x", "\\", [], [1, "a"], {"name": "name", "op": "eq", "val": None})
]


RAW_QUERIES = [
    "%",
    "%ff",
    "=",
    "&&",
    "page%5Bsize%5D=%00",
    "sort=%ed%a0%80",
    "a" * 4000,
    "sort=" + "," * 4000,
    "filter=" + "[" * 4000,
    "filter=" + quote("[" * 2000 + "]" * 2000),
    "fields[talk]=" + "a," * 2000,
    "include=" + "a." * 2000,
    "page[size]=1&page[size]=2",
]

SHAPES: list[Any] = [
    {"and": []},
    {"or": [1]},
    {"not": []},
    {"not": {}},
    {"and": [], "or": []},
    {"name": "title"},
    {"name": "title", "op": "eq"},
    {"name": "title", "op": "eq", "val": 1, "field": "state"},
    {"name": "title", "op": "eq", "field": "password"},
    {"name": "title", "op": "eq", "field": 1},
    {"name": [], "op": {}, "val": 1},
    {"name": "title", "op": "eq", "val": "x", "y": 1},
    {"name": ".", "op": "eq", "val": 1},
    {"name": "__class__", "op": "eq", "val": 1},
    {"name": "__", "op": "eq", "val": 1},
]

HEADERS = [
    "",
    ",",
    ";",
    "*",
    "*/*;q=x",
    "a/b;q=",
    '"',
    "application/vnd.api+json;",
    "x" * 5000,
    "é",
    'application/vnd.api+json;profile="',
    "," * 5000,
    '"' * 5000,
    "application/vnd.api+json;q=1;q=0",
]

NUMBERS = [
    "0",
    "-1",
    "9223372036854775807",
    "9223372036854775808",
    "9" * 40,
    "9" * 5000,
    "1e3",
    "%00",
    "1%00",
    "٣",
    "1 ",
    "%2e%2e",
]


def paths(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every position in a JSON value."""
    yield here
    if isinstance(value, dict):
        for key, item in value.items():
            yield from paths(item, (*here, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from paths(item, (*here, index))


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy with something else at one position."""
    if not path:
        return new
    copy = json.loads(json.dumps(value))
    target = copy
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = new
    return copy


def check(response: TestResponse) -> None:
    """Not a server's error; and when it is an error, a JSON:API error document without anything of the inside."""
    assert response.status_code < 500, response.text
    if response.status_code < 400:
        return
    assert response.headers["Content-Type"] == MEDIA_TYPE
    assert "Accept" in response.headers["Vary"]
    body = json.loads(response.data)
    assert set(body) == {"errors", "jsonapi"}
    assert body["jsonapi"] == {"version": "1.1"}
    assert body["errors"]
    for error in body["errors"]:
        assert set(error) <= {"status", "title", "detail", "source", "links", "meta"}
        assert isinstance(error["status"], str)
        assert error["title"]
        assert error["detail"]
        assert set(error.get("source", {})) <= {"pointer", "parameter", "header"}
    statuses = {error["status"] for error in body["errors"]}
    assert response.status_code == (int(statuses.pop()) if len(statuses) == 1 else 400)
    for leaked in ("Traceback", "SELECT", "psycopg", "sqlalchemy", "Schema", "DataLayer", "password_hash"):
        assert leaked not in response.text


@pytest.fixture
def world(toys: Toys) -> Toys:
    admin = toys.person("admin@example.org", admin=True)
    event = toys.gathering(owner=admin)
    toys.talk(event)
    toys.voice(event)
    toys.notice(admin)
    return toys


@pytest.mark.parametrize("path", list(paths(GOOD)), ids=str)
def test_no_wrong_value_anywhere_in_a_document_is_a_server_error(world: Toys, path: tuple[Any, ...]) -> None:
    new = {"data": {name: value for name, value in GOOD["data"].items() if name != "id"}}
    for value in VALUES:
        check(world.send("PATCH", "/talks/1", 1, data=json.dumps(put(GOOD, path, value))))
    if path[:1] == ("data",) and path != ("data", "id"):
        for value in VALUES[::4]:
            check(world.send("POST", "/talks", 1, data=json.dumps(put(new, path, value))))


def test_the_document_that_is_spoiled_is_a_good_one(world: Toys) -> None:
    assert world.send("PATCH", "/talks/1", 1, json=GOOD).status_code == 200


@pytest.mark.parametrize("body", RAW_BODIES, ids=lambda body: repr(body[:30]))
def test_no_body_is_a_server_error(world: Toys, body: bytes) -> None:
    for method, path in (("POST", "/talks"), ("PATCH", "/talks/1"), ("PATCH", "/talks/1/relationships/speakers")):
        answer = world.send(method, path, 1, data=body)
        check(answer)
        assert answer.status_code >= 400
    answer = world.client.post("/echo", data=body, content_type="application/json")
    check(answer)


@pytest.mark.parametrize("name", PARAMETERS)
def test_no_query_is_a_server_error(world: Toys, name: str) -> None:
    for value in VALUES:
        text = value if isinstance(value, str) else json.dumps(value)
        query = urlencode({name: text}, errors="surrogatepass")
        for path in ("/talks", "/notices"):
            check(world.get(f"{path}?{query}", 1))


def test_no_raw_query_is_a_server_error(world: Toys) -> None:
    for query in RAW_QUERIES:
        check(world.get(f"/talks?{query}"))


def test_no_filter_is_a_server_error(world: Toys) -> None:
    for path, node in FILTERS:
        check(world.get(f"{path}?{urlencode({'filter': json.dumps([node])})}", 1))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_no_shape_of_a_filter_is_a_server_error(world: Toys, shape: dict[str, Any]) -> None:
    answer = world.get(f"/talks?{urlencode({'filter': json.dumps([shape])})}", 1)
    check(answer)
    assert answer.status_code == 400
    assert answer.json["errors"][0]["source"] == {"parameter": "filter"}


@pytest.mark.parametrize("header", HEADERS, ids=lambda header: header[:40])
def test_no_header_is_a_server_error(world: Toys, header: str) -> None:
    for name in ("Accept", "Content-Type"):
        check(world.send("PATCH", "/talks/1", 1, data=json.dumps(GOOD), headers={name: header}))


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number[:20])
def test_no_id_in_a_path_is_a_server_error(world: Toys, number: str) -> None:
    for path in (f"/talks/{number}", f"/people/{number}/notices", f"/talks/{number}/relationships/speakers"):
        for method in ("GET", "PATCH", "DELETE"):
            answer = world.send(method, path, 1, data=json.dumps(GOOD))
            check(answer)
            assert answer.status_code in (404, 405)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.sampled_from(list(paths(GOOD))), value=json_values)
def test_no_json_at_all_is_a_server_error(world: Toys, where: tuple[Any, ...], value: Any) -> None:
    check(world.send("PATCH", "/talks/1", 1, data=json.dumps(put(GOOD, where, value))))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(["title", "starts-at", "id", "event", "state"]), op=st.text(max_size=8), value=json_values)
def test_no_filter_at_all_is_a_server_error(world: Toys, name: str, op: str, value: Any) -> None:
    query = urlencode({"filter": json.dumps([{"name": name, "op": op, "val": value}])})
    check(world.get(f"/talks?{query}", 1))
