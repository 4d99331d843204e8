"""Plain answers of the gateway: errors in the shape of the API's own, and what browsers ask before they ask."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Final

from starlette.responses import Response

from app.realtime.credentials import Refused

Headers = dict[str, str]

MEDIA_TYPE: Final = "application/vnd.api+json"
# What a page may send, and for how many seconds a browser need not ask again.
_ALLOWED: Final = {
    "Access-Control-Allow-Methods": "GET",
    "Access-Control-Allow-Headers": "Authorization, Last-Event-ID, Cache-Control",
    "Access-Control-Max-Age": "3600",
}


def cors(origin: str | None) -> Headers:
    """Headers that let a page which may connect read the answer."""
    return {"Vary": "Origin", **({"Access-Control-Allow-Origin": origin} if origin else {})}


def preflight(origin: str | None) -> Response:
    """The answer to a browser's question whether it may ask (Fetch, "CORS-preflight request")."""
    return Response(status_code=204, headers={**cors(origin), **_ALLOWED, "Allow": "GET, OPTIONS"})


def refusal(refused: Refused, origin: str | None = None) -> Response:
    """An error as a JSON:API document; a page that may connect can read it."""
    error = {
        "status": str(refused.status),
        "title": HTTPStatus(refused.status).phrase,
        "detail": refused.detail,
    }
    headers = {**cors(origin), "Cache-Control": "no-store"}
    if refused.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "JWT"
    if refused.status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = "GET, OPTIONS"
    if refused.retry_after is not None:
        headers["Retry-After"] = str(refused.retry_after)
    body = json.dumps({"errors": [error], "jsonapi": {"version": "1.1"}})
    return Response(body, refused.status, headers, MEDIA_TYPE)
