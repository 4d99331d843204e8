"""From the names of a query to columns, so that nothing is filtered or sorted by that the caller may not read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Date,
    DateTime,
    Integer,
    Numeric,
    String,
    and_,
    case,
    inspect,
    select,
)
from sqlalchemy.orm import InstrumentedAttribute, QueryableAttribute

from app.api.jsonapi.access import ResourceType, find_type
from app.api.jsonapi.schema import ToOne
from app.api.viewer import Viewer

# The kinds of columns that are compared; others (JSON, encrypted text) are only asked whether they are null.
COMPARED = (Boolean, Integer, BigInteger, Numeric, String, DateTime, Date)


@dataclass(frozen=True)
class Attribute:
    """A readable attribute: its column, how to get there from the type's table, and whether it is private.

    Attributes:
        column: where it is stored.
        via: the to-one relationship to the table that has it, when it is another one.
        is_private: whether only some callers may read it.
    """

    column: QueryableAttribute[Any]
    via: InstrumentedAttribute[Any] | None
    is_private: bool


@dataclass(frozen=True)
class Related:
    """A readable relationship: the row's attribute, the type on its other side, and whether it is private."""

    attribute: InstrumentedAttribute[Any]
    resource_type: ResourceType
    many: bool
    is_private: bool


def find_attribute(resource_type: ResourceType, name: str, viewer: Viewer) -> Attribute | None:
    """The attribute of this Python name, if the caller may know of it and it is stored in a column."""
    field = resource_type.schema.readable(name)
    if field is None or isinstance(field, ToOne) or _is_unknown(resource_type, name, viewer):
        return None
    is_private = name in resource_type.access.private and not viewer.is_admin
    if name in resource_type.columns:
        column = resource_type.columns[name]
        return Attribute(column, _way_to(resource_type, column), is_private)
    mapper = inspect(resource_type.model)
    key = field.attribute or name
    if key not in mapper.column_attrs:
        return None
    return Attribute(getattr(resource_type.model, key), None, is_private)


def find_related(resource_type: ResourceType, name: str, viewer: Viewer) -> Related | None:
    """The relationship of this Python name, if the caller may know of it and its type is registered."""
    field = resource_type.schema.relationships().get(name)
    if field is None or field.load_only or _is_unknown(resource_type, name, viewer):
        return None
    key = field.attribute or name
    other = find_type(field.type_)
    if other is None or key not in inspect(resource_type.model).relationships:
        return None
    is_private = name in resource_type.access.private and not viewer.is_admin
    return Related(getattr(resource_type.model, key), other, field.many, is_private)


def guard(resource_type: ResourceType, viewer: Viewer, value: Any, *, is_private: bool) -> ColumnElement[Any]:
    """The value, or NULL in rows where the caller may not read it.

    NULL stays NULL under NOT, so neither a condition nor its opposite matches those rows.
    """
    return case((resource_type.access.reads_private(viewer), value)) if is_private else value


def sort_column(resource_type: ResourceType, path: tuple[str, ...], viewer: Viewer) -> ColumnElement[Any] | None:
    """What to sort by for a path of one attribute, or of a to-one relationship and its attribute; None when unknown."""
    if len(path) == 1:
        attribute = find_attribute(resource_type, path[0], viewer)
        if attribute is None or not isinstance(attribute.column.type, COMPARED):
            return None
        value = _fetch(resource_type, attribute.via, attribute.column) if attribute.via else attribute.column
        return guard(resource_type, viewer, value, is_private=attribute.is_private)
    related = find_related(resource_type, path[0], viewer) if len(path) == 2 else None  # noqa: PLR2004 - two names
    if related is None or related.many or related.resource_type.model is resource_type.model:
        return None
    other = find_attribute(related.resource_type, path[1], viewer)
    if other is None or other.via is not None or not isinstance(other.column.type, COMPARED):
        return None
    inner = guard(related.resource_type, viewer, other.column, is_private=other.is_private)
    visible = related.resource_type.access.visible(viewer)
    value = _fetch(resource_type, related.attribute, inner, visible)
    return guard(resource_type, viewer, value, is_private=related.is_private)


def _fetch(
    resource_type: ResourceType,
    via: InstrumentedAttribute[Any],
    value: Any,
    *conditions: ColumnElement[bool],
) -> ColumnElement[Any]:
    """A value of the other side of a to-one relationship, as a subquery: nothing is joined for a count."""
    statement = select(value).where(and_(via.property.primaryjoin, *conditions))
    return statement.correlate(resource_type.model).scalar_subquery()


def _way_to(resource_type: ResourceType, column: QueryableAttribute[Any]) -> InstrumentedAttribute[Any] | None:
    return next((join for join in resource_type.joins if join.property.mapper.class_ is column.class_), None)


def _is_unknown(resource_type: ResourceType, name: str, viewer: Viewer) -> bool:
    """Somebody without a token can read no private attribute of any row: it is unknown to him."""
    return name in resource_type.access.private and viewer.id is None
