"""The header `Idempotency-Key`: the same request again gets the same answer, and is not carried out again.

As in draft-ietf-httpapi-idempotency-key-header: a client that does not know whether a request arrived repeats it with
its key. The answer is kept in the transaction of the change, so that both are there or neither. A lock that ends with
that transaction tells of a request that is still being carried out. Errors are not kept: they have changed nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from flask import Flask, Response, current_app, g, request
from sqlalchemy import func, select

from app.api.jsonapi.exceptions import BadRequest, Conflict, Unprocessable
from app.api.jsonapi.table import routes_of
from app.api.viewer import Viewer, current_viewer
from app.models import IdempotencyKey, db
from app.models.base import utc_now
from config import Config

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
# How long an answer counts; after it the key is a new one, and retention deletes the row.
EXPIRES_AFTER: Final = timedelta(hours=24)
MAX_KEY: Final = 255
# Seconds after which a request that is being carried out may be asked for again.
_RETRY_AFTER: Final = "1"

# A string of RFC 8941 (3.3.3), or the same without quotes, as many clients send it.
_QUOTED: Final = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')
_BARE: Final = re.compile(r"[!#-+\--:<-\[\]-~]+")


@dataclass(frozen=True)
class Pending:
    """The key of this request, which nobody else is using now."""

    scope: str
    key: str
    digest: str


def init_app(app: Flask) -> None:
    """Look at the header of every request; after the permissions, which must hold for a kept answer too."""
    app.before_request(_begin)


def commit_with(response: Response) -> Response:
    """Commit the change and, if the request has a key, the answer to it."""
    pending: Pending | None = g.get("idempotency")
    if pending is not None:
        db.session.add(
            IdempotencyKey(
                scope=pending.scope,
                key=pending.key,
                digest=pending.digest,
                status=response.status_code,
                body={"text": response.get_data(as_text=True), "type": response.headers.get("Content-Type")},
                location=response.headers.get("Location"),
            )
        )
    db.session.commit()
    return response


def read_key(header: str) -> str:
    """The key in the header.

    Raises:
        BadRequest: it is empty, too long, or has other characters than printable ASCII.
    """
    value = header.strip()
    quoted = _QUOTED.fullmatch(value)
    key = re.sub(r'\\(["\\])', r"\1", quoted[1]) if quoted else value if _BARE.fullmatch(value) else ""
    if not 0 < len(key) <= MAX_KEY:
        raise BadRequest(
            f'{HEADER} must be 1 to {MAX_KEY} printable ASCII characters in quotes, for example "{_EXAMPLE}".',
            header=HEADER,
        )
    return key


_EXAMPLE: Final = "8e03978e-40d5-43e8-bc93-6894a57f9324"


def _begin() -> Response | None:
    g.idempotency = None
    if HEADER not in request.headers or request.method not in ("POST", "PATCH"):
        return None
    route = routes_of(current_app).get(request.endpoint or "")
    if route is None or not route.has_keys:
        return None
    key, viewer = read_key(request.headers[HEADER]), current_viewer()
    scope = _scope_of(viewer)
    pending = Pending(scope, key, _digest_of_request())
    _lock(pending)
    known = db.session.scalar(select(IdempotencyKey).where(IdempotencyKey.scope == scope, IdempotencyKey.key == key))
    if known is not None and known.created_at < utc_now() - EXPIRES_AFTER:
        db.session.delete(known)
        db.session.flush()
        known = None
    if known is not None:
        return _replay(known, pending)
    g.idempotency = pending
    return None


def _scope_of(viewer: Viewer) -> str:
    """Whose key it is."""
    if viewer.service is not None:
        return f"service:{viewer.service.id}"
    return "anonymous" if viewer.id is None else f"user:{viewer.id}"


def _lock(pending: Pending) -> None:
    """Hold the key until the end of this transaction.

    Raises:
        Conflict: another request with it is being carried out.
    """
    name = f"usher.idempotency.{pending.scope}.{pending.key}"
    if not db.session.scalar(select(func.pg_try_advisory_xact_lock(func.hashtextextended(name, 0)))):
        raise Conflict(
            f"A request with this {HEADER} is being carried out: ask again to get its answer.",
            header=HEADER,
            headers={"Retry-After": _RETRY_AFTER},
        )


def _replay(known: IdempotencyKey, pending: Pending) -> Response:
    """The answer that was given.

    Raises:
        Unprocessable: it was given to another request.
    """
    if not hmac.compare_digest(known.digest, pending.digest):
        raise Unprocessable(
            f"This {HEADER} was used for another request: take a new one for each request.", header=HEADER
        )
    response = Response(known.body["text"], known.status)
    del response.headers["Content-Type"]
    for name, value in (("Content-Type", known.body["type"]), ("Location", known.location)):
        if value is not None:
            response.headers[name] = value
    response.headers[REPLAYED] = "true"
    response.vary.add("Accept")
    db.session.rollback()
    return response


def _digest_of_request() -> str:
    """What makes two requests the same: HMAC-SHA256 under SECRET_KEY, since a body may hold a password."""
    config: Config = current_app.config["USHER"]
    content = b"\n".join((request.method.encode(), request.full_path.encode(), request.get_data()))
    return hmac.new(config.secret_key.encode(), content, hashlib.sha256).hexdigest()
