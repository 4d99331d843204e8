"""Filters: from the tree of a query to SQL, by an allow-list of operators, of readable attributes and visible rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, not_, or_

from app.api.jsonapi.access import ResourceType
from app.api.jsonapi.columns import COMPARED, Attribute, find_attribute, find_related, guard
from app.api.jsonapi.exceptions import BadRequest
from app.api.jsonapi.operators import (
    COMPARISONS,
    IDENTITIES,
    LISTS,
    MAX_LIST,
    PARTS,
    PATTERNS,
    RELATIONS,
    check_pattern,
    convert,
)
from app.api.jsonapi.query import STEP, FilterNode
from app.api.jsonapi.schema import underscore
from app.api.viewer import Viewer

MAX_DEPTH: Final = 5
MAX_NODES: Final = 50
_LEAF: Final = frozenset({"name", "op", "val", "field"})


class FilterError(ValueError):
    """A filter that cannot be compiled; the message says why."""


@dataclass
class _Budget:
    """How many nodes are left; one for all the filters of a request."""

    nodes: int = MAX_NODES

    def take(self) -> None:
        self.nodes -= 1
        if self.nodes < 0:
            raise FilterError(f"a filter has at most {MAX_NODES} conditions")


@dataclass(frozen=True)
class _Compiler:
    """One type's side of a filter; a relationship goes on with the compiler of the other type."""

    resource_type: ResourceType
    viewer: Viewer
    is_text: bool
    budget: _Budget = field(default_factory=_Budget)

    def node(self, node: Any, depth: int) -> ColumnElement[bool]:
        self.budget.take()
        if depth > MAX_DEPTH:
            raise FilterError(f"a filter is nested at most {MAX_DEPTH} levels deep")
        if not isinstance(node, dict):
            raise FilterError('each condition is an object like {"name": …, "op": …, "val": …}')
        for name, join in (("and", and_), ("or", or_)):
            if name in node:
                return join(*(self.node(each, depth + 1) for each in _several(node, name)))
        if "not" in node:
            _only(node, {"not"})
            return not_(self.node(node["not"], depth + 1))
        return self.leaf(node, depth)

    def leaf(self, node: Mapping[str, Any], depth: int) -> ColumnElement[bool]:
        _only(node, _LEAF)
        name, operator = node.get("name"), node.get("op")
        if not isinstance(name, str) or not isinstance(operator, str):
            raise FilterError("each condition needs a name and an op, both text")
        first, *rest = STEP.split(name, maxsplit=1)
        if rest:
            return self.relation(underscore(first), {**node, "name": rest[0]}, depth)
        if operator in RELATIONS:
            if "val" not in node:
                raise FilterError(f"{operator} needs a condition as its val")
            return self.relation(underscore(first), node["val"], depth)
        return self.comparison(underscore(first), operator, node)

    def relation(self, name: str, inner: Any, depth: int) -> ColumnElement[bool]:
        related = find_related(self.resource_type, name, self.viewer)
        if related is None:
            raise FilterError("there is no relationship of this name")
        other = _Compiler(related.resource_type, self.viewer, self.is_text, self.budget)
        condition = and_(other.resource_type.access.visible(self.viewer), other.node(inner, depth + 1))
        found = related.attribute.any(condition) if related.many else related.attribute.has(condition)
        return guard(self.resource_type, self.viewer, found, is_private=related.is_private)

    def comparison(self, name: str, operator: str, node: Mapping[str, Any]) -> ColumnElement[bool]:
        if name in self.resource_type.filters:
            return self.named(name, operator, node)
        attribute = self.attribute(name)
        if "field" in node:
            condition = self.with_field(attribute, operator, node)
        elif "val" in node:
            try:
                condition = _compare(attribute, operator, node["val"], is_text=self.is_text)
            except ValueError as error:
                raise FilterError(str(error)) from error
        else:
            raise FilterError("each condition needs a val or a field")
        return self.guarded(attribute, condition)

    def named(self, name: str, operator: str, node: Mapping[str, Any]) -> ColumnElement[bool]:
        """A condition of the type's own, which is no attribute."""
        if "val" not in node or "field" in node:
            raise FilterError("this condition needs a val")
        try:
            return self.resource_type.filters[name](operator, node["val"])
        except ValueError as error:
            raise FilterError(str(error)) from error

    def with_field(self, attribute: Attribute, operator: str, node: Mapping[str, Any]) -> ColumnElement[bool]:
        """Two attributes of one row compared."""
        if "val" in node or operator not in COMPARISONS or not isinstance(node["field"], str):
            raise FilterError("field is the name of an attribute; it goes with eq, ne, gt, ge, lt or le, without a val")
        other = self.attribute(underscore(node["field"]))
        kinds = (attribute.column.type, other.column.type)
        if not all(isinstance(kind, COMPARED) for kind in kinds) or kinds[0].python_type is not kinds[1].python_type:
            raise FilterError("the two attributes cannot be compared with each other")
        return self.guarded(other, COMPARISONS[operator](attribute.column, other.column))

    def attribute(self, name: str) -> Attribute:
        attribute = find_attribute(self.resource_type, name, self.viewer)
        if attribute is None:
            raise FilterError("there is no attribute of this name that can be filtered on")
        return attribute

    def guarded(self, attribute: Attribute, condition: ColumnElement[bool]) -> ColumnElement[bool]:
        found = attribute.via.has(condition) if attribute.via else condition
        return guard(self.resource_type, self.viewer, found, is_private=attribute.is_private)


def compile_filters(filters: tuple[FilterNode, ...], resource_type: ResourceType, viewer: Viewer) -> list[Any]:
    """The conditions of a query as SQL; all must hold.

    Raises:
        BadRequest: one cannot be compiled; `source.parameter` names the parameter.
    """
    budget = _Budget()
    conditions = []
    for given in filters:
        compiler = _Compiler(resource_type, viewer, given.is_text, budget)
        try:
            conditions.append(compiler.node(_simple(given.node) if given.is_text else given.node, 1))
        except FilterError as error:
            raise BadRequest(f"The filter cannot be used: {error}.", parameter=given.parameter) from error
    return conditions


def _simple(node: Mapping[str, str]) -> dict[str, Any]:
    """The condition of `filter[name]=value`: equal, or for `a,b` and `[a,b]` one of several."""
    value = node["val"]
    if value.startswith("[") and value.endswith("]"):
        return {"name": node["name"], "op": "in_", "val": value[1:-1].split(",")}
    if "," in value:
        return {"name": node["name"], "op": "in_", "val": value.split(",")}
    return {"name": node["name"], "op": "eq", "val": value}


def _compare(attribute: Attribute, operator: str, value: Any, *, is_text: bool) -> ColumnElement[bool]:
    column, kind = attribute.column, attribute.column.type
    if value is None and operator in ("eq", "ne"):
        operator = "is_" if operator == "eq" else "isnot"
    if operator in IDENTITIES:
        if value is not None:
            convert(kind, value, is_text=is_text)
            if not isinstance(value, bool):
                raise FilterError(f"{operator} takes null, true or false")
        return IDENTITIES[operator](column, value)
    if not isinstance(kind, COMPARED):
        raise FilterError("this attribute can only be compared with null")
    if operator in COMPARISONS:
        return COMPARISONS[operator](column, convert(kind, value, is_text=is_text))
    if operator in LISTS:
        return LISTS[operator](column, _values(kind, value, is_text=is_text))
    if operator == "between":
        low, high = _values(kind, value, is_text=is_text, exactly=2)
        return column.between(low, high)
    return _text(attribute, operator, value)


def _text(attribute: Attribute, operator: str, value: Any) -> ColumnElement[bool]:
    if operator not in PATTERNS and operator not in PARTS:
        raise FilterError("there is no operator of this name")
    if attribute.column.type.python_type is not str or not isinstance(value, str):
        raise FilterError(f"{operator} compares text")
    if operator in PATTERNS:
        return PATTERNS[operator](attribute.column, check_pattern(value))
    return PARTS[operator](attribute.column, value)


def _values(kind: Any, value: Any, *, is_text: bool, exactly: int | None = None) -> list[Any]:
    if not isinstance(value, list) or len(value) > MAX_LIST or (exactly and len(value) != exactly):
        raise FilterError(f"the val must be a list of {exactly or f'at most {MAX_LIST}'} values")
    return [convert(kind, each, is_text=is_text) for each in value]


def _several(node: Mapping[str, Any], name: str) -> list[Any]:
    _only(node, {name})
    if not isinstance(node[name], list) or not node[name]:
        raise FilterError(f"{name} takes a list of conditions")
    return list(node[name])


def _only(node: Mapping[str, Any], names: frozenset[str] | set[str]) -> None:
    if set(node) - names:
        raise FilterError(f"a condition like this has only {', '.join(sorted(names))}")
