"""One page of rows and the number of all, for any conditions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, func, inspect, select

from app.api.jsonapi.access import ResourceType
from app.api.jsonapi.columns import sort_column
from app.api.jsonapi.compound import load_options
from app.api.jsonapi.exceptions import BadRequest
from app.api.jsonapi.filters import compile_filters
from app.api.jsonapi.paging import Page
from app.api.jsonapi.query import Query
from app.api.viewer import Viewer
from app.models import db

CountRows = Callable[[Select[int]], int]


def _ask(statement: Select[int]) -> int:
    return db.session.scalar(statement) or 0


@dataclass(frozen=True)
class Rows:
    """What is on a page.

    Attributes:
        rows: the rows, in the order of the list.
        count: how many rows the list has; None of a page beside a cursor, for which nothing is counted.
        has_more: whether there are further rows in the direction of the cursor.
    """

    rows: list[Any]
    count: int | None
    has_more: bool = False

    @property
    def meta(self) -> dict[str, Any]:
        """The number of rows, where it is known."""
        return {} if self.count is None else {"count": self.count}


def load_page(
    resource_type: ResourceType,
    viewer: Viewer,
    query: Query,
    conditions: Sequence[ColumnElement[bool]],
    count_rows: CountRows = _ask,
) -> Rows:
    """The rows of the query's page among those that fulfil the conditions and the query's filters.

    `count_rows` counts them all where the page does not tell; by default the database does.

    Raises:
        BadRequest: the query sorts or filters by what the caller cannot know of.
    """
    page = query.page
    where = [*conditions, *compile_filters(query.filters, resource_type, viewer)]
    statement = _rows_of(resource_type, query).where(*where)
    if page.style == "cursor":
        return _beside_cursor(resource_type, statement, page)
    ordered = statement.order_by(*_order(resource_type, viewer, query))
    rows = _read(ordered.offset(page.offset or None).limit(page.size))
    # A page that is not full tells the number of all rows without another query.
    if len(rows) < page.size and (rows or page.offset == 0):
        return Rows(rows, page.offset + len(rows))
    return Rows(rows, count_rows(select(func.count()).select_from(resource_type.model).where(*where)))


def _rows_of(resource_type: ResourceType, query: Query) -> Select[Any]:
    """The statement that reads rows: objects, or the columns alone where nobody asks more of them."""
    if not resource_type.is_plain or query.include:
        return select(resource_type.model).options(*load_options(resource_type))
    return _columns_of(resource_type)


@cache
def _columns_of(resource_type: ResourceType) -> Select[Any]:
    own = [getattr(resource_type.model, each.key) for each in inspect(resource_type.model).column_attrs]
    others = [column.label(name) for name, column in resource_type.columns.items()]
    statement: Select[Any] = select(*own, *others)
    for join in resource_type.joins:
        statement = statement.join(join)
    return statement


def _read(statement: Select[Any]) -> list[Any]:
    """The rows: objects of a statement that has one column; columns alone need no transaction of their own.

    A transaction is two more round trips. Within one that has begun its own changes are to be seen.
    """
    if len(statement.column_descriptions) == 1:
        return list(db.session.scalars(statement))
    if db.session().in_transaction():
        return list(db.session.execute(statement))
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        return list(connection.execute(statement))


def _beside_cursor(resource_type: ResourceType, statement: Select[Any], page: Page) -> Rows:
    """Rows on one side of an id, the closest ones; one more is looked for to know whether the list goes on."""
    id_ = resource_type.model.id
    goes_up = resource_type.is_story != page.is_before
    if page.cursor is not None:
        statement = statement.where(id_ > page.cursor if goes_up else id_ < page.cursor)
    found = _read(statement.order_by(id_.asc() if goes_up else id_.desc()).limit(page.size + 1))
    rows = found[: page.size]
    return Rows(rows[::-1] if page.is_before else rows, None, len(found) > page.size)


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
