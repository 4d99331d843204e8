"""304 for an inbox that has not changed: answered from the versions in Redis, without asking the database.

Only a user's own list and count have an ETag. It stands for everything that the answer depends on: who asks and with
which generation of tokens, the versions of the inbox (see `app/inbox/versions.py`), and the address with its query.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from flask import Flask, Response, g, request

from app.api.jsonapi.negotiation import accepts
from app.api.jsonapi.query import Query
from app.api.jsonapi.response import document_response
from app.api.viewer import Viewer, current_viewer
from app.auth.login import token_in
from app.auth.tokens import TokenError, read_login_token
from app.inbox.store import Version
from app.inbox.versions import store

COUNT: Final = "v1.notification_count"
ENDPOINTS: Final = frozenset({"v1.notification_list", COUNT})
# Goes up when the same rows make another document than before.
_FORMAT: Final = 1


@dataclass(frozen=True)
class Known:
    """What is known of the inbox that this request asks for, from before the database was asked.

    Attributes:
        version: its version, with what was read at it.
        generation: that of the caller's token.
        etag: of the answer.
        learned: what this request has read, and the next one at this version need not.
    """

    version: Version
    generation: int | None
    etag: str
    learned: dict[str, int | str] = field(default_factory=dict)


def init_app(app: Flask) -> None:
    """Look at every request before anything else does: the login would ask the database."""
    app.before_request(_not_modified)


def count_once(read: Callable[[], int]) -> int:
    """How many notifications the inbox of this request has: counted once for each of its versions."""
    known: Known | None = g.get("inbox")
    if known is None:
        return read()
    if known.version.count is not None:
        return known.version.count
    count = read()
    known.learned[_count_name()] = count
    return count


def unread_once(read: Callable[[], int | str]) -> int | str:
    """How many of them are unread, as badges show it; the same way."""
    known: Known | None = g.get("inbox")
    if known is None:
        return read()
    if known.version.unread is not None:
        return _unread(known.version.unread)
    unread = read()
    known.learned["unread"] = unread
    return unread


def with_validators(response: Response, query: Query | None = None) -> Response:
    """The answer with its ETag, if what it depends on is all in the version, and with how it may be kept."""
    known: Known | None = g.get("inbox")
    if known is not None:
        _keep(known)
        if query is None or query.is_of_one_type:
            if request.if_none_match.star_tag:
                return _confirmed(known.etag)
            response.set_etag(known.etag, weak=True)
    return _private(response)


def _keep(known: Known) -> None:
    """Keep what was read for whoever asks next, also that the login was looked up; of an admin's it never is."""
    if known.version.login is None and known.generation is not None and not current_viewer().is_admin:
        known.learned["login"] = known.generation
    if known.learned:
        store().keep(known.version, **known.learned)


def _not_modified() -> Response | None:
    g.inbox = g.known_viewer = None
    is_asked = request.method in ("GET", "HEAD") and request.endpoint in ENDPOINTS
    if not is_asked or request.routing_exception is not None:
        return None
    g.inbox = _known()
    if g.inbox is not None and g.inbox.version.login == g.inbox.generation is not None:
        g.known_viewer = Viewer(known_id=g.inbox.version.user_id)
    if g.inbox is None or not accepts(request.headers.get("Accept", "")):
        return None  # the latter will be refused
    asked = request.if_none_match
    # Whoever names the ETag was given it. "*" anybody can say: only an answer that was made tells whether there is one.
    if asked.star_tag or not asked.contains_weak(g.inbox.etag):
        return _known_numbers(g.inbox.version)
    return _confirmed(g.inbox.etag)


def _confirmed(etag: str) -> Response:
    """304: the answer is the one that the client has."""
    response = Response(status=304)
    del response.headers["Content-Type"]
    response.set_etag(etag, weak=True)
    return _private(response)


def _known_numbers(version: Version) -> Response | None:
    """The answer to the most frequent question, if all of it is known: whose inbox it is, and both numbers."""
    if g.known_viewer is None or request.endpoint != COUNT or version.count is None or version.unread is None:
        return None
    return with_validators(document_response({"meta": numbers(version.count, _unread(version.unread))}))


def numbers(count: int, unread: int | str) -> dict[str, int | str]:
    """What the count of an inbox says."""
    return {"count": count, "unread-count": unread}


def _unread(text: str) -> int | str:
    return int(text) if text.isdigit() else text


def _known() -> Known | None:
    """The version, for the owner with a token that is not forged or expired; whether it was ended is the login's."""
    token = token_in(request.headers.get("Authorization", ""))
    try:
        user_id, generation = read_login_token(token) if token else (None, None)
    except TokenError:
        return None
    if user_id is None or user_id != (request.view_args or {}).get("user_id"):
        return None
    version = store().read(user_id, _count_name())
    if version is None:
        return None
    address = (request.script_root, request.path, request.query_string)
    parts = (_FORMAT, user_id, generation, version.of_all, version.own, *address)
    return Known(version, generation, hashlib.sha256(repr(parts).encode()).hexdigest()[:32])


def _count_name() -> str:
    """What the number of rows of this list is called: lists with other filters have other numbers."""
    filters = sorted((name, value) for name, value in request.args.items(multi=True) if name.startswith("filter"))
    return f"count:{hashlib.sha256(repr(filters).encode()).hexdigest()[:32]}" if filters else "count"


def _private(response: Response) -> Response:
    response.headers["Cache-Control"] = "private, no-cache"
    response.vary.update(("Accept", "Authorization"))
    return response
