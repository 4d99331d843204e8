"""Between resources and the database: visible rows only, one transaction for a change and its hooks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from flask import Response
from flask_rest_jsonapi_next.data_layers.alchemy import SqlalchemyDataLayer
from sqlalchemy import ColumnElement, Select, inspect, select

from app.api.jsonapi.access import ResourceType, find_type
from app.api.jsonapi.compound import load_options
from app.api.jsonapi.exceptions import ApiError, NotFound, Unprocessable, raise_all
from app.api.jsonapi.idempotency import commit_with
from app.api.jsonapi.pages import Rows, load_page
from app.api.jsonapi.query import Query
from app.api.jsonapi.schema import ToOne, dasherize
from app.api.viewer import Viewer
from app.models import Base, db

if TYPE_CHECKING:
    from app.api.jsonapi.resources import Resource

Changes = dict[str, tuple[Any, Any]]


class DataLayer(SqlalchemyDataLayer):
    """The data layer of one request's resource.

    `create_object`, `update_object` and `delete_object` run the resource's hooks and flush; nothing is durable before
    `commit`, which a resource calls once, last, when its answer is already made. Whatever raises before is rolled back.
    """

    def __init__(self, resource: Resource) -> None:
        self.resource_type: ResourceType = resource.resource_type
        self.viewer: Viewer = resource.viewer
        super().__init__({"session": db.session, "model": self.resource_type.model, "resource": resource})

    def commit(self, response: Response) -> Response:
        """Make the change durable, with everything that its hooks have added and, under a key, with its answer."""
        return commit_with(response)

    def conditions(self, view_kwargs: Mapping[str, Any]) -> list[ColumnElement[bool]]:
        """Which rows there are at this address for this caller."""
        scope = self.resource.scope(self.viewer, view_kwargs)
        visible = self.resource_type.access.visible(self.viewer)
        return [visible] if scope is None else [scope, visible]

    def get_collection(
        self,
        qs: Query,
        view_kwargs: Mapping[str, Any],
        filters: Iterable[ColumnElement[bool]] | None = None,
        as_query: bool = False,  # noqa: ARG002 - the library's signature
    ) -> Rows:
        """The rows of the page, and how many there are on all; newest first unless the query sorts.

        Raises:
            BadRequest: the query sorts or filters by what the caller cannot know of.
        """
        conditions = [*self.conditions(view_kwargs), *(filters or ())]
        return load_page(
            self.resource_type,
            self.viewer,
            qs,
            conditions,
            lambda statement: self.resource.count_rows(statement, qs, view_kwargs),
        )

    def get_object(self, view_kwargs: Mapping[str, Any], qs: Query | None = None, *, lock: bool = False) -> Any:  # noqa: ARG002 - the library's signature
        """The row at this address; with `lock` no other transaction changes it until this one ends.

        Raises:
            NotFound: there is none, or none that the caller may know of.
        """
        id_ = view_kwargs[self.resource.url_field]
        statement: Select[Any] = (
            select(self.model)
            .where(self.model.id == id_, *self.conditions(view_kwargs))
            .options(*load_options(self.resource_type))
        )
        if lock:
            statement = statement.with_for_update(of=self.model).execution_options(populate_existing=True)
        row = db.session.scalar(statement)
        if row is None:
            raise NotFound(f"There is no {self.resource_type.type_} with the id {id_}.")
        return row

    def create_object(self, data: dict[str, Any], view_kwargs: Mapping[str, Any]) -> Any:
        """A new row from what a schema loaded, with the hooks before and after it; flushed, not committed."""
        self.resource.before_create(data, self.viewer, view_kwargs)
        row = self.model(**data)
        db.session.add(row)
        db.session.flush()
        self.resource.after_create(row, self.viewer)
        db.session.flush()
        return row

    def update_object(self, obj: Any, data: dict[str, Any], view_kwargs: Mapping[str, Any]) -> Changes:  # noqa: ARG002 - the library's signature
        """Change a row, with the hooks before and after it; flushed, not committed. Returns what is different now."""
        before = _snapshot(obj, data)
        self.resource.before_update(obj, data, self.viewer)
        for name, value in data.items():
            setattr(obj, name, value)
        db.session.flush()
        after = _snapshot(obj, before)
        changes = {name: (old, after[name]) for name, old in before.items() if old != after[name]}
        self.resource.after_update(obj, changes, self.viewer)
        db.session.flush()
        return changes

    def delete_object(self, obj: Any, view_kwargs: Mapping[str, Any]) -> None:  # noqa: ARG002 - the library's signature
        """Delete a row, with the hooks before and after it; flushed, not committed."""
        self.resource.before_delete(obj, self.viewer)
        self.resource.remove(obj)
        db.session.flush()
        self.resource.after_delete(obj, self.viewer)
        db.session.flush()

    def look_up(self, data: dict[str, Any]) -> None:
        """Put the rows in place of the ids of relationships.

        Raises:
            Unprocessable: there is no such row that the caller may name.
        """
        for name, field in self.resource_type.schema.relationships().items():
            key = field.attribute or name
            if data.get(key) is not None:
                data[key] = self.related(field, data[key], f"/data/relationships/{dasherize(name)}/data")

    def related(self, field: ToOne, given: int | list[int], pointer: str) -> Any:
        """The row or rows with these ids, which `pointer` tells where the client named them.

        Raises:
            Unprocessable: there is no such row that the caller may name.
        """
        ids = given if isinstance(given, list) else [given]
        rows = self._nameable(field.type_, ids)
        errors: list[ApiError] = []
        for index, id_ in enumerate(ids):
            if id_ not in rows:
                at = f"{pointer}/{index}" if field.many else pointer
                errors.append(Unprocessable(f"There is no {field.type_} with the id {id_}.", pointer=at))
        raise_all(errors)
        return [rows[id_] for id_ in ids] if field.many else rows[ids[0]]

    def _nameable(self, type_: str, ids: list[int]) -> dict[int, Base]:
        other = find_type(type_)
        if other is None:
            raise LookupError(f"the type {type_} is not registered")
        model: Any = other.model
        nameable = other.access.nameable or other.access.visible
        statement = select(model).where(model.id.in_(ids), nameable(self.viewer))
        return {row.id: row for row in db.session.scalars(statement)}


def _snapshot(row: Any, more: Iterable[str]) -> dict[str, Any]:
    """The values of a row's columns, and of the named relationships, as they are now."""
    mapper = inspect(type(row))
    names = {attribute.key for attribute in mapper.column_attrs}
    names |= {name for name in more if name in mapper.relationships}
    values = {name: getattr(row, name) for name in names}
    return {name: list(value) if isinstance(value, list) else value for name, value in values.items()}
