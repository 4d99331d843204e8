"""What a relationship leads to: its identifiers at `/relationships/x`, the resources themselves at `/x`."""

from __future__ import annotations

from typing import Any, ClassVar

from flask import Response, request
from flask_rest_jsonapi_next import ResourceRelationship
from sqlalchemy import select
from sqlalchemy.orm import aliased

from app.api.jsonapi.access import ResourceType, find_type
from app.api.jsonapi.compound import collection_document, single_document
from app.api.jsonapi.document import read_linkage
from app.api.jsonapi.exceptions import Forbidden
from app.api.jsonapi.links import page_links, self_link
from app.api.jsonapi.pages import Rows, load_page
from app.api.jsonapi.query import Query, parse_query
from app.api.jsonapi.resources import Resource
from app.api.jsonapi.response import document_response, empty_response
from app.api.jsonapi.schema import ToOne
from app.api.jsonapi.urls import RELATIONSHIPS, url_of


class RelationshipResource(Resource, ResourceRelationship):
    """One relationship of one row. A rule with `/relationships/` in it is that of the identifiers.

    PATCH replaces, POST adds (to-many), DELETE removes (to-many); the hooks are those of an update of the row.

    Attributes:
        relation: the relationship, by its Python name in the schema.
    """

    relation: ClassVar[str]

    def get(self, **view_kwargs: Any) -> Response:
        """The identifiers, or the related resources; to-many ones in pages. Only what the caller may see."""
        row = self.data_layer.get_object(view_kwargs)
        self._check_readable(row)
        query = parse_query(request.args, self.other, many=self.field.many)
        loaded = self._load(row, query)
        rows = loaded.rows
        if self._is_linkage():
            identifiers = [{"type": self.other.type_, "id": str(each.id)} for each in rows]
            one = identifiers[0] if identifiers else None
            document: dict[str, Any] = {"data": identifiers if self.field.many else one}
        elif self.field.many:
            document = collection_document(self.other, rows, self.viewer, query)
        else:
            document = single_document(self.other, rows[0] if rows else None, self.viewer, query)
        document["links"] = page_links(query.page, loaded) if self.field.many else {"self": self_link()}
        if self._is_linkage() and self.field.related_view:
            document["links"]["related"] = url_of(self.field.related_view, row.id)
        if self.field.many:
            document["meta"] = loaded.meta
        return document_response(document)

    def patch(self, **view_kwargs: Any) -> Response:
        """Replace: 204."""
        row = self._lock(view_kwargs)
        given = read_linkage(self.other.type_, many=self.field.many)
        if given is None and not self.field.allow_none:
            raise Forbidden("This relationship cannot be emptied.", pointer="/data")
        return self._write(row, None if given is None else self.data_layer.related(self.field, given, "/data"))

    def post(self, **view_kwargs: Any) -> Response:
        """Add those that are not there yet: 204."""
        row = self._lock(view_kwargs, needs_many=True)
        given = self.data_layer.related(self.field, self._ids(), "/data")
        held = list(getattr(row, self.key))
        return self._write(row, held + [each for each in given if each not in held])

    def delete(self, **view_kwargs: Any) -> Response:
        """Remove those that are there: 204."""
        row = self._lock(view_kwargs, needs_many=True)
        gone = set(self._ids())
        return self._write(row, [each for each in getattr(row, self.key) if each.id not in gone])

    @property
    def field(self) -> ToOne:
        """The relationship in the schema."""
        return self.resource_type.schema.relationships()[self.relation]

    @property
    def key(self) -> str:
        """The relationship in the model."""
        return str(self.field.attribute or self.relation)

    @property
    def other(self) -> ResourceType:
        """The type on the other side.

        Raises:
            LookupError: it is not registered: a mistake in the program.
        """
        found = find_type(self.field.type_)
        if found is None:
            raise LookupError(f"the type {self.field.type_} is not registered")
        return found

    def _load(self, row: Any, query: Query) -> Rows:
        """The related rows that the caller may see, found by a subquery that stands for itself."""
        source, target = aliased(self.resource_type.model), aliased(self.other.model)
        ids = select(target.id).join(getattr(source, self.key).of_type(target)).where(source.id == row.id)
        return load_page(
            self.other,
            self.viewer,
            query,
            [self.other.model.id.in_(ids.correlate(None)), self.other.access.visible(self.viewer)],
        )

    def _lock(self, view_kwargs: dict[str, Any], *, needs_many: bool = False) -> Any:
        row = self.data_layer.get_object(view_kwargs, lock=True)
        self._check_readable(row)
        if not self._is_linkage() or self.field.dump_only or (needs_many and not self.field.many):
            raise Forbidden("This relationship cannot be changed in this way.")
        return row

    def _ids(self) -> list[int]:
        given = read_linkage(self.other.type_, many=True)
        return list(dict.fromkeys(given)) if isinstance(given, list) else []

    def _write(self, row: Any, value: Any) -> Response:
        self.data_layer.update_object(row, {self.key: value}, {})
        return self.data_layer.commit(empty_response())

    def _check_readable(self, row: Any) -> None:
        if self.relation in self.resource_type.hidden(self.viewer, row):
            raise Forbidden("You may not read this relationship.")

    @staticmethod
    def _is_linkage() -> bool:
        return request.url_rule is not None and RELATIONSHIPS in request.url_rule.rule
