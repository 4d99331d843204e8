"""Answers: JSON:API documents with their media type and headers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from flask import Response

from app.api.jsonapi.exceptions import ApiError

MEDIA_TYPE: Final = "application/vnd.api+json"
VERSION: Final = {"version": "1.1"}


def document_response(
    document: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """An answer with a document; the member `jsonapi` is added."""
    text = json.dumps({**document, "jsonapi": VERSION}, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    response = Response(text, status, content_type=MEDIA_TYPE)
    response.vary.add("Accept")
    for name, value in (headers or {}).items():
        response.headers[name] = value
    return response


def empty_response() -> Response:
    """204: it is done, and there is nothing to say."""
    response = Response(status=204)
    del response.headers["Content-Type"]
    response.vary.add("Accept")
    return response


def error_response(errors: Iterable[ApiError]) -> Response:
    """An answer with errors; its status is the one they share, 400 where they differ (JSON:API 1.1, "Errors")."""
    errors = tuple(errors)
    statuses = {int(error.status) for error in errors}
    headers = {name: value for error in errors for name, value in error.headers.items()}
    status = statuses.pop() if len(statuses) == 1 else 400
    return document_response({"errors": [error.to_dict() for error in errors]}, status, headers)
