"""One page of rows and the number of all, for any conditions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select

from app.api.jsonapi.access import ResourceType
from app.api.jsonapi.columns import sort_column
from app.api.jsonapi.compound import load_options
from app.api.jsonapi.exceptions import BadRequest
from app.api.jsonapi.filters import compile_filters
from app.api.jsonapi.query import Query
from app.api.viewer import Viewer
from app.models import db

CountRows = Callable[[Select[int]], int]


def _ask(statement: Select[int]) -> int:
    return db.session.scalar(statement) or 0


def load_page(
    resource_type: ResourceType,
    viewer: Viewer,
    query: Query,
    conditions: Sequence[ColumnElement[bool]],
    count_rows: CountRows = _ask,
) -> tuple[int, list[Any]]:
    """How many rows fulfil the conditions and the query's filters, and those of its page.

    `count_rows` counts them where the page does not tell; by default the database does.

    Raises:
        BadRequest: the query sorts or filters by what the caller cannot know of.
    """
    where = [*conditions, *compile_filters(query.filters, resource_type, viewer)]
    statement = (
        select(resource_type.model)
        .where(*where)
        .order_by(*_order(resource_type, viewer, query))
        .offset(query.offset or None)
        .limit(query.page_size)
        .options(*load_options(resource_type))
    )
    rows = list(db.session.scalars(statement))
    # A page that is not full tells the number of all rows without another query.
    if len(rows) < query.page_size and (rows or query.offset == 0):
        return query.offset + len(rows), rows
    return count_rows(select(func.count()).select_from(resource_type.model).where(*where)), rows


def _order(resource_type: ResourceType, viewer: Viewer, query: Query) -> list[ColumnElement[Any]]:
    """What the query says, then by age: without that, pages of rows that are equal could overlap."""
    order = []
    for key in query.sort:
        column = sort_column(resource_type, key.path, viewer)
        if column is None:
            raise BadRequest("There is no attribute of this name that can be sorted by.", parameter="sort")
        order.append(column.desc() if key.descending else column.asc())
    id_ = resource_type.model.id
    return [*order, id_.asc() if resource_type.is_story else id_.desc()]
