"""Resource objects and the related ones that a request includes: what the caller may not know of is left out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import aliased, joinedload
from sqlalchemy.orm.strategy_options import _AbstractLoad

from app.api.jsonapi.access import ResourceType, find_type
from app.api.jsonapi.query import Path, Query
from app.api.viewer import Viewer
from app.models import db

_Key = tuple[str, int]


@dataclass(frozen=True)
class Linked:
    """What was included: the rows, and which row each relationship of each resource leads to."""

    rows: dict[_Key, tuple[ResourceType, Any]] = field(default_factory=dict)
    links: dict[tuple[_Key, str], list[_Key]] = field(default_factory=dict)


def load_options(resource_type: ResourceType) -> list[_AbstractLoad]:
    """How to load rows of a type together with what its attributes are taken from."""
    return [joinedload(join) for join in resource_type.joins]


def collection_document(
    resource_type: ResourceType, rows: Sequence[Any], viewer: Viewer, query: Query
) -> dict[str, Any]:
    """The document of several rows."""
    linked = _include(resource_type, rows, viewer, query.include)
    _complete(resource_type, rows, linked)
    data = [resource_object(resource_type, row, viewer, query, linked) for row in rows]
    return _with_included({"data": data}, data, viewer, query, linked)


def single_document(resource_type: ResourceType, row: Any, viewer: Viewer, query: Query) -> dict[str, Any]:
    """The document of one row, or of None."""
    if row is None:
        return {"data": None}
    linked = _include(resource_type, [row], viewer, query.include)
    _complete(resource_type, [row], linked)
    data = resource_object(resource_type, row, viewer, query, linked)
    return _with_included({"data": data}, [data], viewer, query, linked)


def resource_object(
    resource_type: ResourceType, row: Any, viewer: Viewer, query: Query, linked: Linked
) -> dict[str, Any]:
    """One row as a resource object, without what the caller may not read of it."""
    only = query.fields.get(resource_type.type_)
    hidden = resource_type.hidden(viewer, row)
    if hidden:
        only = (frozenset(resource_type.schema._declared_fields) if only is None else only) - hidden  # noqa: SLF001 - marshmallow's way to know a class's fields
    shown = resource_type.schema.dumper(only).resource_object(row)
    for name, relationship in resource_type.schema.relationships().items():
        keys = linked.links.get(((resource_type.type_, row.id), name))
        if keys is None or name in hidden or (only is not None and name not in only):
            continue
        identifiers = [{"type": type_, "id": str(id_)} for type_, id_ in keys]
        if relationship.many or identifiers:
            members = shown.setdefault("relationships", {}).setdefault(name.replace("_", "-"), {})
            members["data"] = identifiers if relationship.many else identifiers[0]
    return shown


def _with_included(
    document: dict[str, Any], data: Iterable[dict[str, Any]], viewer: Viewer, query: Query, linked: Linked
) -> dict[str, Any]:
    """Each resource is in a document once (JSON:API 1.1, "Compound Documents"); with include, `included` is there."""
    if query.include:
        primary = {(item["type"], int(item["id"])) for item in data}
        document["included"] = [
            resource_object(resource_type, row, viewer, query, linked)
            for key, (resource_type, row) in linked.rows.items()
            if key not in primary
        ]
    return document


def _include(resource_type: ResourceType, rows: Sequence[Any], viewer: Viewer, paths: Iterable[Path]) -> Linked:
    linked = Linked()
    for path in paths:
        here, level = resource_type, list(rows)
        for name in path:
            level, here = _follow(here, level, name, viewer, linked)
    return linked


def _complete(resource_type: ResourceType, rows: Sequence[Any], linked: Linked) -> None:
    by_type: dict[ResourceType, list[Any]] = {resource_type: list(rows)}
    for other, row in linked.rows.values():
        by_type.setdefault(other, []).append(row)
    for each, several in by_type.items():
        if each.complete is not None and several:
            each.complete(several)


def _follow(
    here: ResourceType, rows: Iterable[Any], name: str, viewer: Viewer, linked: Linked
) -> tuple[list[Any], ResourceType]:
    """Load the visible rows at the other side of a relationship: one query, however many rows there are."""
    relationship = here.schema.relationships()[name]
    other = find_type(relationship.type_)
    if other is None:
        raise LookupError(f"the type {relationship.type_} is not registered")
    readable = [row for row in rows if name not in here.hidden(viewer, row)]
    for row in readable:
        linked.links[(here.type_, row.id), name] = []
    found: dict[int, Any] = {}
    for id_, row in _pairs(here, other, relationship.attribute or name, [row.id for row in readable], viewer):
        linked.links[(here.type_, id_), name].append((other.type_, row.id))
        linked.rows[other.type_, row.id] = (other, row)
        found[row.id] = row
    return list(found.values()), other


def _pairs(here: ResourceType, other: ResourceType, key: str, ids: list[int], viewer: Viewer) -> Iterable[Any]:
    """The ids of the rows with each row that they lead to.

    The pairs are a subquery of their own: in the outer query stands only the other table, so that the subqueries in its
    `visible` find no other one to bind to.
    """
    if not ids:
        return ()
    source, target = aliased(here.model), aliased(other.model)
    pairs = (
        select(source.id.label("source"), target.id.label("target"))
        .join(getattr(source, key).of_type(target))
        .where(source.id.in_(ids))
        .subquery()
    )
    statement = (
        select(pairs.c.source, other.model)
        .join(pairs, pairs.c.target == other.model.id)
        .where(other.access.visible(viewer))
        .order_by(other.model.id)
        .options(*load_options(other))
    )
    return db.session.execute(statement)
