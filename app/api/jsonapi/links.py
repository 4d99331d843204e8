"""The links of a list: this page, its neighbours and the ends, with the rest of the query kept."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlencode

from flask import request

from app.api.jsonapi.query import Query


def self_link() -> str:
    """The address of this request, query included, without the host: no `Host` header gets into a document."""
    return _address(request.args.items(multi=True))


def page_links(query: Query, count: int) -> dict[str, str]:
    """`self`, `first` and `last`, and `prev` and `next` where there are such pages."""
    last = max(1, -(-count // query.page_size))
    links = {"self": self_link(), "first": _page(1), "last": _page(last)}
    if query.page_number > 1:
        links["prev"] = _page(min(query.page_number - 1, last))
    if query.page_number < last:
        links["next"] = _page(query.page_number + 1)
    return links


def _page(number: int) -> str:
    rest = [(name, value) for name, value in request.args.items(multi=True) if name != "page[number]"]
    return _address([*rest, ("page[number]", str(number))])


def _address(pairs: Iterable[tuple[str, str]]) -> str:
    query = urlencode(list(pairs))
    path = request.script_root + request.path
    return f"{path}?{query}" if query else path
