"""The documents that clients send: read within bounds, and checked in structure before a schema sees them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import request

from app.api.jsonapi.exceptions import (
    BadRequest,
    Conflict,
    Forbidden,
    PayloadTooLarge,
    Unprocessable,
    UnsupportedMediaType,
)
from app.api.jsonapi.jsontext import JsonTextError, escape, loads, parse_id

MAX_BODY = 1024 * 1024
MAX_LINKAGE = 1000


def read_json() -> dict[str, Any]:
    """The object in the request's body, for routes that take plain JSON.

    Raises:
        UnsupportedMediaType: the body does not say that it is JSON.
        PayloadTooLarge: it has more than 1 MiB (or the application's MAX_CONTENT_LENGTH).
        BadRequest: it is not one JSON object.
    """
    if not request.is_json:
        raise UnsupportedMediaType("Send the body with Content-Type: application/json.", header="Content-Type")
    if (request.content_length or 0) > MAX_BODY:
        raise PayloadTooLarge(f"The body has more than {MAX_BODY} bytes.")
    body = request.get_data()
    if len(body) > MAX_BODY:
        raise PayloadTooLarge(f"The body has more than {MAX_BODY} bytes.")
    try:
        value = loads(body)
    except JsonTextError as error:
        raise BadRequest(f"The body cannot be read as JSON: {error}.", pointer=error.pointer) from error
    if not isinstance(value, dict):
        raise BadRequest("The body must be a JSON object.", pointer="")
    return value


def read_resource(type_: str, id_: int | None = None) -> dict[str, Any]:
    """The resource object of a body `{"data": {…}}`: a new one, or with `id_` the change of that one.

    Raises:
        BadRequest: the structure is not that of a resource object.
        Conflict: its type or id is another.
        Forbidden: a new one brings an id.
    """
    item = _data(read_json())
    if not isinstance(item, dict):
        raise BadRequest("data must be a resource object.", pointer="/data")
    if id_ is None and "id" in item:
        raise Forbidden("The server gives the id: leave it out.", pointer="/data/id")
    given = check_resource(item, type_, "/data", needs_id=id_ is not None)
    if given != id_:
        raise Conflict("The id is not the one in the address.", pointer="/data/id")
    return item


def read_resources(type_: str, at_most: int) -> list[tuple[int, dict[str, Any]]]:
    """The ids and resource objects of a body `{"data": [{…}, …]}` that changes several; each id once.

    Raises:
        BadRequest: the structure is another, or there are too many.
        Conflict: a type is another.
    """
    items = _data(read_json())
    if not isinstance(items, list) or len(items) > at_most:
        raise BadRequest(f"data must be a list of at most {at_most} resource objects.", pointer="/data")
    found: dict[int, dict[str, Any]] = {}
    for index, item in enumerate(items):
        pointer = f"/data/{index}"
        if not isinstance(item, dict):
            raise BadRequest("This must be a resource object.", pointer=pointer)
        number = check_resource(item, type_, pointer, needs_id=True)
        if number is None or number in found:
            raise BadRequest("This id is in the list twice.", pointer=f"{pointer}/id")
        found[number] = item
    return list(found.items())


def read_linkage(type_: str, *, many: bool) -> int | list[int] | None:
    """The ids of a body `{"data": linkage}` of a relationship's own address.

    Raises:
        BadRequest: the structure is another.
        Conflict: a type is another.
    """
    linkage = _data(read_json())
    check_linkage(linkage, "/data")
    if isinstance(linkage, list) != many:
        raise BadRequest(f"data must be {'a list' if many else 'one resource identifier or null'}.", pointer="/data")
    items = linkage if isinstance(linkage, list) else [linkage] if linkage else []
    for index, item in enumerate(items):
        if item["type"] != type_:
            raise Conflict(f"The type must be {type_}.", pointer=f"/data/{index}/type" if many else "/data/type")
    ids = [int(item["id"]) for item in items]
    return ids if many else ids[0] if ids else None


def check_resource(item: Mapping[str, Any], type_: str, pointer: str, *, needs_id: bool) -> int | None:
    """Check the structure of one resource object and return its id, if it has one.

    Raises:
        BadRequest: the structure is not that of a resource object.
        Conflict: its type is another.
    """
    if not isinstance(item.get("type"), str):
        raise BadRequest(f"type is missing: it must be {type_!r}.", pointer=f"{pointer}/type")
    if item["type"] != type_:
        raise Conflict(f"The type must be {type_!r}.", pointer=f"{pointer}/type")
    number = None
    if needs_id:
        number = _id(item, pointer)
    for name in ("attributes", "relationships"):
        if not isinstance(item.get(name, {}), dict):
            raise BadRequest(f"{name} must be an object.", pointer=f"{pointer}/{name}")
    for name, relationship in item.get("relationships", {}).items():
        where = f"{pointer}/relationships/{escape(name)}"
        if not isinstance(relationship, dict):
            raise BadRequest("A relationship must be an object with data.", pointer=where)
        if "data" in relationship:
            check_linkage(relationship["data"], f"{where}/data")
    return number


def check_linkage(value: Any, pointer: str) -> None:
    """Check that a value is null, a resource identifier or a list of those.

    Raises:
        BadRequest: it is not, or there are too many.
        Unprocessable: an id is not one that this server gives.
    """
    if value is None:
        return
    items = value if isinstance(value, list) else [value]
    if len(items) > MAX_LINKAGE:
        raise BadRequest(f"At most {MAX_LINKAGE} can be named at once.", pointer=pointer)
    for index, item in enumerate(items):
        where = f"{pointer}/{index}" if isinstance(value, list) else pointer
        if not isinstance(item, dict):
            raise BadRequest("This must be an object with type and id.", pointer=where)
        if not isinstance(item.get("type"), str):
            raise BadRequest("type is missing.", pointer=f"{where}/type")
        if not isinstance(item.get("id"), str):
            raise BadRequest("id is missing: it must be a string.", pointer=f"{where}/id")
        if parse_id(item["id"]) is None:
            raise Unprocessable("There is no such id: ids are strings of digits.", pointer=f"{where}/id")


def _data(body: Mapping[str, Any]) -> Any:
    if "data" not in body:
        raise BadRequest("The body must have data.", pointer="/data")
    return body["data"]


def _id(item: Mapping[str, Any], pointer: str) -> int:
    if not isinstance(item.get("id"), str):
        raise BadRequest("id is missing: it must be a string.", pointer=f"{pointer}/id")
    number = parse_id(item["id"])
    if number is None:
        raise Conflict("There is no such id: ids are strings of digits.", pointer=f"{pointer}/id")
    return number
