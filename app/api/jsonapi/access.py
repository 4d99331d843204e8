"""What a caller may know of a type: its visible rows, its private attributes; and the registry of all types."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sqlalchemy import ColumnElement, false, select
from sqlalchemy.orm import InstrumentedAttribute, QueryableAttribute

from app.api.jsonapi.exceptions import NotFound
from app.api.viewer import Viewer
from app.models import Base, db

if TYPE_CHECKING:
    from app.api.jsonapi.schema import Schema

M = TypeVar("M", bound=Base)


def nobody(_viewer: Viewer) -> ColumnElement[bool]:
    """A condition that no row fulfils."""
    return false()


def never(_viewer: Viewer, _row: Any) -> bool:
    """The same for one row in Python."""
    return False


@dataclass(frozen=True, eq=False)
class Access(Generic[M]):
    """The one place that says what of a model a caller may know.

    Attributes:
        model: the table.
        visible: the rows that exist for the caller, as SQL.
        private: the attributes and relationships (Python names) that only some callers may read.
        reads_private: the rows whose private ones the caller may read, as SQL.
        may_read_private: the same for one row, in Python.
        nameable: the rows that the caller may name in a relationship that he writes; by default the visible ones.
    """

    model: type[M]
    visible: Callable[[Viewer], ColumnElement[bool]]
    private: frozenset[str] = frozenset()
    reads_private: Callable[[Viewer], ColumnElement[bool]] = nobody
    may_read_private: Callable[[Viewer, M], bool] = never
    nameable: Callable[[Viewer], ColumnElement[bool]] | None = None


@dataclass(frozen=True, eq=False)
class ResourceType:
    """A JSON:API type: its schema, its table, and who may know what of it.

    Attributes:
        type_: the name of the type in documents.
        schema: how its attributes and relationships are read and written.
        access: who may know what; names the table.
        columns: attributes that are another table's or computed, by Python name, for example
            `{"title": Happening.title}`.
        joins: the to-one relationships that lead to those tables; they are loaded together with each row.
        is_plain: whether a list may read the columns alone, without objects: of rows that nothing more is asked of
            than their attributes. An object takes several times as long.
        complete: loads what the schema shows of rows besides their columns, for all rows of a document at once.
        filters: names that can be filtered on besides attributes, each with what makes the condition of an operator
            and a value; it raises ValueError, with a message for the client, for what cannot be.
        is_story: whether a list is read from its beginning: the oldest comes first unless the query sorts.
    """

    type_: str
    schema: type[Schema]
    access: Access[Any]
    columns: Mapping[str, QueryableAttribute[Any]] = field(default_factory=dict)
    joins: tuple[InstrumentedAttribute[Any], ...] = ()
    filters: Mapping[str, Callable[[str, Any], ColumnElement[bool]]] = field(default_factory=dict)
    is_story: bool = False
    is_plain: bool = False
    complete: Callable[[Sequence[Any]], None] | None = None

    @property
    def model(self) -> Any:
        """The table's class; of no type, since mypy knows the columns only of a certain one."""
        return self.access.model

    def hidden(self, viewer: Viewer, row: Any) -> frozenset[str]:
        """The attributes and relationships of this row that the caller may not read."""
        private = self.access.private
        if not private or viewer.is_admin or self.access.may_read_private(viewer, row):
            return frozenset()
        return private


_types: dict[str, ResourceType] = {}


def register_type(resource_type: ResourceType) -> ResourceType:
    """Make a type known, so that filters, includes and relationships of others find it by name.

    Raises:
        ValueError: there is another of this name, or the schema has another type: a mistake in the program.
    """
    name = resource_type.type_
    if name in _types:
        raise ValueError(f"the type {name} is registered twice")
    if resource_type.schema.Meta.type_ != name:
        raise ValueError(f"the schema of {name} is of the type {resource_type.schema.Meta.type_}")
    _types[name] = resource_type
    return resource_type


def find_type(name: str) -> ResourceType | None:
    """The registered type of this name."""
    return _types.get(name)


def require_visible(resource_type: ResourceType, id_: int, viewer: Viewer) -> None:
    """Let an address go on only if the row that it is below exists for the caller.

    Raises:
        NotFound: there is none, or none that the caller may know of.
    """
    model: Any = resource_type.model
    statement = select(model.id).where(model.id == id_, resource_type.access.visible(viewer))
    if db.session.scalar(statement) is None:
        raise NotFound(f"There is no {resource_type.type_} with the id {id_}.")
