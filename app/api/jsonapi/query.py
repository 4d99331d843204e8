"""The query string: parsed and checked once, into a value that cannot change."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from flask import request
from sqlalchemy import inspect
from werkzeug.datastructures import MultiDict

from app.api.jsonapi.access import ResourceType, find_type
from app.api.jsonapi.exceptions import BadRequest
from app.api.jsonapi.jsontext import JsonTextError, is_storable, loads
from app.api.jsonapi.operators import RELATIONS
from app.api.jsonapi.paging import PARAMETERS, Page, read_page
from app.api.jsonapi.schema import underscore

MAX_INCLUDES: Final = 10
MAX_INCLUDE_DEPTH: Final = 2
MAX_SORT: Final = 5
MAX_FILTER_LENGTH: Final = 4096

# Between the names of a path: `user.email`, `user__email`.
STEP: Final = re.compile(r"\.|__")
_MEMBER: Final = re.compile(r"(fields|filter)\[([^\[\]]+)\]")
_LIST_ONLY: Final = (*PARAMETERS, "sort", "filter")

Path = tuple[str, ...]


@dataclass(frozen=True)
class SortKey:
    """An attribute to sort by, as a path of Python names."""

    path: Path
    descending: bool = False


@dataclass(frozen=True)
class FilterNode:
    """One condition of the query, not yet compiled: a JSON value, or the text of `filter[name]=text`."""

    parameter: str
    node: Any
    is_text: bool = False


@dataclass(frozen=True)
class Query:
    """What a query string asks for.

    Attributes:
        page: which part of a list.
        sort: the keys, the first one first.
        filters: conditions that must all hold.
        fields: for each type named, the Python names of the attributes and relationships to show.
        include: paths of relationships, Python names.
    """

    page: Page = Page()  # noqa: RUF009 - a value that cannot change
    sort: tuple[SortKey, ...] = ()
    filters: tuple[FilterNode, ...] = ()
    fields: Mapping[str, frozenset[str]] = field(default_factory=dict)
    include: tuple[Path, ...] = ()

    @property
    def is_of_one_type(self) -> bool:
        """Whether the answer depends on nothing but rows of the list itself: no relationship is followed."""
        is_sorted_by_own = all(len(key.path) == 1 for key in self.sort)
        return not self.include and is_sorted_by_own and all(_is_about_own(each.node) for each in self.filters)


def parse_query(arguments: MultiDict[str, str], resource_type: ResourceType, *, many: bool) -> Query:
    """Read a query string; `many` tells whether it is a list's, which can be paged, sorted and filtered.

    Raises:
        BadRequest: a parameter is unknown, there twice or has a value that cannot be; `source.parameter` names it.
    """
    given = _given(arguments, many=many)
    return Query(
        page=read_page(given),
        sort=_sort(given.get("sort")),
        filters=_filters(given),
        fields=_fields(given),
        include=_include(given.get("include"), resource_type),
    )


def only_parameters(*known: str) -> dict[str, str]:
    """The query string of an address that takes only these parameters, each once.

    Raises:
        BadRequest: a parameter is unknown, there twice, or has a character that cannot be stored.
    """
    for name, values in request.args.lists():
        if name not in known:
            raise BadRequest("There is no such parameter.", parameter=_printable(name))
        _check_single(name, values)
    return request.args.to_dict()


def _check_single(name: str, values: list[str]) -> None:
    if len(values) > 1:
        raise BadRequest("This parameter is there twice.", parameter=name)
    if not is_storable(values[0]):
        raise BadRequest("The value has a character that cannot be stored.", parameter=name)


def _given(arguments: MultiDict[str, str], *, many: bool) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, values in arguments.lists():
        member = _MEMBER.fullmatch(name)
        known = name == "include" or name in _LIST_ONLY or member is not None
        if not known or not is_storable(name):
            raise BadRequest("There is no such parameter.", parameter=_printable(name))
        if not many and (name in _LIST_ONLY or (member and member[1] == "filter")):
            raise BadRequest("This parameter is for lists.", parameter=name)
        _check_single(name, values)
        given[name] = values[0]
    return given


def _printable(name: str) -> str:
    return name.encode("ascii", "backslashreplace").decode()[:100]


def _is_about_own(node: Any) -> bool:
    """Whether a condition is about attributes of the list's own type, as far as its shape tells."""
    if isinstance(node, list):
        return all(_is_about_own(each) for each in node)
    if not isinstance(node, dict):
        return True
    name, operator = node.get("name", ""), node.get("op")
    if operator in RELATIONS or (isinstance(name, str) and STEP.search(name)):
        return False
    return all(_is_about_own(node[key]) for key in ("and", "or", "not") if key in node)


def _sort(value: str | None) -> tuple[SortKey, ...]:
    if value is None:
        return ()
    parts = value.split(",")
    if len(parts) > MAX_SORT:
        raise BadRequest(f"At most {MAX_SORT} attributes.", parameter="sort")
    return tuple(
        SortKey(tuple(underscore(name) for name in part.removeprefix("-").split(".")), part.startswith("-"))
        for part in parts
    )


def _filters(given: Mapping[str, str]) -> tuple[FilterNode, ...]:
    found: list[FilterNode] = []
    for name, value in given.items():
        if not name.startswith("filter"):
            continue
        if len(value) > MAX_FILTER_LENGTH:
            raise BadRequest(f"At most {MAX_FILTER_LENGTH} characters.", parameter=name)
        if name == "filter":
            found += [FilterNode(name, node) for node in _filter_array(value)]
        else:
            found.append(FilterNode(name, {"name": name[len("filter[") : -1], "val": value}, is_text=True))
    return tuple(found)


def _filter_array(text: str) -> list[Any]:
    try:
        value = loads(text)
    except JsonTextError as error:
        raise BadRequest(f"This is no JSON that can be read: {error}.", parameter="filter") from error
    if not isinstance(value, dict | list):
        raise BadRequest('This must be a JSON array of {"name", "op", "val"}.', parameter="filter")
    return value if isinstance(value, list) else [value]


def _fields(given: Mapping[str, str]) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for parameter, value in given.items():
        if not parameter.startswith("fields["):
            continue
        resource_type = find_type(parameter[len("fields[") : -1])
        if resource_type is None:
            raise BadRequest("There is no such type.", parameter=parameter)
        names = {underscore(name) for name in value.split(",")} if value else set()
        if not all(name != "id" and resource_type.schema.readable(name) for name in names):
            raise BadRequest(f"{resource_type.type_} does not have all of these.", parameter=parameter)
        found[resource_type.type_] = frozenset(names)
    return found


def _include(value: str | None, resource_type: ResourceType) -> tuple[Path, ...]:
    if not value:
        return ()
    paths = tuple(tuple(underscore(name) for name in part.split(".")) for part in value.split(","))
    if len(paths) > MAX_INCLUDES or any(len(path) > MAX_INCLUDE_DEPTH for path in paths):
        raise BadRequest(f"At most {MAX_INCLUDES} paths of {MAX_INCLUDE_DEPTH} relationships.", parameter="include")
    for path in paths:
        here: ResourceType | None = resource_type
        for name in path:
            here = _other_side(here, name) if here else None
            if here is None:
                raise BadRequest("There is no such relationship that can be included.", parameter="include")
    return paths


def _other_side(here: ResourceType, name: str) -> ResourceType | None:
    """The type that a relationship leads to; None for one that is only a link: it may have any number of rows."""
    relationship = here.schema.relationships().get(name)
    if relationship is None or (relationship.attribute or name) not in inspect(here.model).relationships:
        return None
    return find_type(relationship.type_)
