"""The links of a list: this page, its neighbours and the ends, with the rest of the query kept."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlencode

from flask import request

from app.api.jsonapi.pages import Rows
from app.api.jsonapi.paging import AFTER, BEFORE, NUMBER, OFFSET, Page, to_cursor


def self_link() -> str:
    """The address of this request, query included, without the host: no `Host` header gets into a document."""
    return _address(request.args.items(multi=True))


def page_links(page: Page, loaded: Rows) -> dict[str, str | None]:
    """`self`, and how to go on from these rows in the way that the query has begun."""
    if loaded.count is None:
        return {"self": self_link(), **_beside(page, loaded)}
    by_number = page.style == "number"
    links = _by_number(page, loaded.count) if by_number else _by_offset(page, loaded.count)
    return {"self": self_link(), **{name: _at(NUMBER if by_number else OFFSET, place) for name, place in links.items()}}


def _by_number(page: Page, count: int) -> dict[str, int]:
    """The ends, and `prev` and `next` where there are such pages, by their numbers."""
    last = max(1, -(-count // page.size))
    links = {"first": 1, "last": last}
    if page.number > 1:
        links["prev"] = min(page.number - 1, last)
    if page.number < last:
        links["next"] = page.number + 1
    return links


def _by_offset(page: Page, count: int) -> dict[str, int]:
    """The same by how many rows come before; `prev` never reaches past the end."""
    last = max(0, count - 1) // page.size * page.size
    links = {"first": 0, "last": last}
    if page.offset > 0:
        links["prev"] = max(0, min(page.offset - page.size, last))
    if page.offset + page.size < count:
        links["next"] = page.offset + page.size
    return links


def _beside(page: Page, loaded: Rows) -> dict[str, str | None]:
    """As the profile has it: both are there, null where there is nothing; the one behind may lead to no rows."""
    before = after = None
    if loaded.rows:
        has_before = loaded.has_more if page.is_before else page.cursor is not None
        has_after = page.is_before or loaded.has_more
        before = _at(BEFORE, to_cursor(loaded.rows[0].id)) if has_before else None
        after = _at(AFTER, to_cursor(loaded.rows[-1].id)) if has_after else None
    return {"first": _at(AFTER, ""), "prev": before, "next": after}


def _at(name: str, value: int | str) -> str:
    """This address with another page."""
    rest = [pair for pair in request.args.items(multi=True) if pair[0] not in (NUMBER, OFFSET, AFTER, BEFORE)]
    return _address([*rest, (name, str(value))])


def _address(pairs: Iterable[tuple[str, str]]) -> str:
    query = urlencode(list(pairs))
    path = request.script_root + request.path
    return f"{path}?{query}" if query else path
