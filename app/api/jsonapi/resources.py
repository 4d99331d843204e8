"""The classes that families of resources subclass: a list, a detail, and what a relationship leads to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from flask import Response, request
from flask_rest_jsonapi_next import ResourceDetail, ResourceList
from flask_rest_jsonapi_next.decorators import check_headers
from flask_rest_jsonapi_next.resource import Resource as LibraryResource
from sqlalchemy import ColumnElement, Select

from app.api.jsonapi.access import ResourceType
from app.api.jsonapi.compound import collection_document, single_document
from app.api.jsonapi.data_layer import Changes, DataLayer
from app.api.jsonapi.document import read_resource
from app.api.jsonapi.links import page_links, self_link
from app.api.jsonapi.pages import Rows
from app.api.jsonapi.query import Query, parse_query
from app.api.jsonapi.response import document_response, empty_response
from app.api.viewer import Viewer, current_viewer
from app.models import db


class Resource(LibraryResource):
    """What all resources share. An instance lives for one request; the class holds nothing that changes.

    A subclass sets `resource_type` and overrides the hooks it needs. Each runs in the transaction of the change: what
    it adds to the session is committed with it, what it raises undoes all.

    Attributes:
        resource_type: the type that is read and written.
        url_field: the argument of the address that is the row's id.
    """

    resource_type: ClassVar[ResourceType]
    url_field: ClassVar[str] = "id"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Leave the library's check of headers out: it takes application/json and refuses a weight in Accept."""
        super().__init_subclass__(**kwargs)
        cls.decorators = tuple(each for each in cls.decorators if each is not check_headers)

    def dispatch_request(self, **view_kwargs: Any) -> Response:
        """Answer the request; whatever is raised leaves no transaction open."""
        method = "get" if request.method == "HEAD" else request.method.lower()
        self.viewer: Viewer = current_viewer()
        self.data_layer = DataLayer(self)
        try:
            response: Response = getattr(self, method)(**view_kwargs)
        except BaseException:
            db.session.rollback()
            raise
        return response

    def query(self, *, many: bool) -> Query:
        """The query string of this request."""
        return parse_query(request.args, self.resource_type, many=many)

    def document(self, row: Any, query: Query) -> dict[str, Any]:
        """The document of one row, as this caller may read it."""
        return {**single_document(self.resource_type, row, self.viewer, query), "links": {"self": self_link()}}

    # --- hooks

    def scope(self, viewer: Viewer, view_kwargs: Mapping[str, Any]) -> ColumnElement[bool] | None:  # noqa: ARG002
        """Which rows belong to this address, besides being visible; None for all. May raise NotFound."""
        return None

    def before_create(self, data: dict[str, Any], viewer: Viewer, view_kwargs: Mapping[str, Any]) -> None:
        """Check and complete what a new row is made of: attributes by Python name, related rows in place of ids."""

    def after_create(self, obj: Any, viewer: Viewer) -> None:
        """Do what follows from a new row, which has its id."""

    def before_update(self, obj: Any, data: dict[str, Any], viewer: Viewer) -> None:
        """Check and complete a change; the row is locked and still as it was."""

    def after_update(self, obj: Any, changes: Changes, viewer: Viewer) -> None:
        """Do what follows from a change; `changes` has (old, new) of what is different now, and may be empty."""

    def before_delete(self, obj: Any, viewer: Viewer) -> None:
        """Check whether a row may be deleted; it is locked."""

    def remove(self, obj: Any) -> None:
        """Delete the row; override it to only mark the row as deleted."""
        db.session.delete(obj)

    def after_delete(self, obj: Any, viewer: Viewer) -> None:
        """Do what follows from a deletion."""

    def count_rows(self, statement: Select[int], query: Query, view_kwargs: Mapping[str, Any]) -> int:  # noqa: ARG002
        """How many rows a list has on all its pages, where the page itself does not tell."""
        return db.session.scalar(statement) or 0

    def list_meta(self, viewer: Viewer, view_kwargs: Mapping[str, Any], count: int | None) -> dict[str, Any]:  # noqa: ARG002
        """What `meta` of a list has besides `count`, which is None where nothing was counted."""
        return {}


class ListResource(Resource, ResourceList):
    """The rows at an address: GET a page of them, POST a new one."""

    def get(self, **view_kwargs: Any) -> Response:
        """A page."""
        query = self.query(many=True)
        loaded = self.load(query, view_kwargs)
        document = collection_document(self.resource_type, loaded.rows, self.viewer, query)
        document["links"] = page_links(query.page, loaded)
        document["meta"] = {**loaded.meta, **self.list_meta(self.viewer, view_kwargs, loaded.count)}
        return document_response(document)

    def load(self, query: Query, view_kwargs: Mapping[str, Any]) -> Rows:
        """The rows of the page that is asked for."""
        return self.data_layer.get_collection(query, view_kwargs)

    def post(self, **view_kwargs: Any) -> Response:
        """A new row: 201 with its address."""
        query = self.query(many=False)
        item = read_resource(self.resource_type.type_)
        data = self.resource_type.schema.load_resource(item, partial=False)
        self.data_layer.look_up(data)
        return self.answer(self.data_layer.create_object(data, view_kwargs), query)

    def answer(self, row: Any, query: Query, status: int = 201) -> Response:
        """Commit, and answer with the row and its address."""
        # The answer is made before the commit: after it another request might delete the row.
        document = self.document(row, query)
        own = document["data"].get("links", {}).get("self")
        if own:
            document["links"] = {"self": own}
        return self.data_layer.commit(document_response(document, status, {"Location": own} if own else None))


class DetailResource(Resource, ResourceDetail):
    """One row: GET, PATCH and DELETE it."""

    def get(self, **view_kwargs: Any) -> Response:
        """The row."""
        query = self.query(many=False)
        return document_response(self.document(self.data_layer.get_object(view_kwargs), query))

    def patch(self, **view_kwargs: Any) -> Response:
        """Change it: 200 with the row as it is now."""
        query = self.query(many=False)
        row = self.data_layer.get_object(view_kwargs, lock=True)
        item = read_resource(self.resource_type.type_, row.id)
        data = self.resource_type.schema.load_resource(item, partial=True)
        self.data_layer.look_up(data)
        self.data_layer.update_object(row, data, view_kwargs)
        document = self.document(row, query)
        return self.data_layer.commit(document_response(document))

    def delete(self, **view_kwargs: Any) -> Response:
        """Delete it: 204."""
        self.query(many=False)
        row = self.data_layer.get_object(view_kwargs, lock=True)
        self.data_layer.delete_object(row, view_kwargs)
        return self.data_layer.commit(empty_response())
