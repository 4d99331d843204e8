"""Errors: what resources raise, and the handlers that make a JSON:API document of whatever goes wrong.

Import the classes from here.
"""

from __future__ import annotations

import logging
from http import HTTPStatus

from flask import Flask, Response, request
from flask_rest_jsonapi_next.exceptions import JsonApiException
from marshmallow import ValidationError
from werkzeug.exceptions import HTTPException

from app.api.helpers.addresses import AddressError
from app.api.helpers.sending_errors import SendingError
from app.api.jsonapi.database_errors import DATABASE_ERRORS, explain, from_database
from app.api.jsonapi.exceptions import (
    ApiError,
    BadGateway,
    BadRequest,
    Conflict,
    Forbidden,
    Gone,
    MethodNotAllowed,
    NotAcceptable,
    NotFound,
    PayloadTooLarge,
    SeveralErrors,
    TooManyRequests,
    Unauthorized,
    Unprocessable,
    UnsupportedMediaType,
    raise_all,
)
from app.api.jsonapi.response import error_response
from app.models import db

__all__ = [
    "ApiError",
    "BadGateway",
    "BadRequest",
    "Conflict",
    "Forbidden",
    "Gone",
    "MethodNotAllowed",
    "NotAcceptable",
    "NotFound",
    "PayloadTooLarge",
    "SeveralErrors",
    "TooManyRequests",
    "Unauthorized",
    "Unprocessable",
    "UnsupportedMediaType",
    "explain",
    "init_app",
    "raise_all",
]

log = logging.getLogger(__name__)

_DETAILS = {
    400: "The request cannot be understood.",
    404: "There is nothing at this address.",
    405: "This address does not take this method: see the header Allow.",
    413: "The body is larger than this server reads.",
}
_REALTIME = ("/notifications/stream", "/ws/notifications")
_GATEWAY = "Not the web server but the realtime gateway has this address: see REALTIME_URL."


def init_app(app: Flask) -> None:
    """Answer every error of every route of the application with a JSON:API document."""
    app.register_error_handler(JsonApiException, _on_api_error)
    app.register_error_handler(SeveralErrors, _on_several)
    app.register_error_handler(ValidationError, _on_validation_error)
    app.register_error_handler(HTTPException, _on_http_exception)
    for refused in (AddressError, SendingError):
        app.register_error_handler(refused, _on_refused_mail)
    for kind in DATABASE_ERRORS:
        app.register_error_handler(kind, _on_database_error)
    app.register_error_handler(Exception, _on_anything_else)


def _on_api_error(error: JsonApiException) -> Response:
    return _answer(error if isinstance(error, ApiError) else _from_library(error))


def _on_several(error: SeveralErrors) -> Response:
    return _answer(*error.errors)


def _on_validation_error(error: ValidationError) -> Response:
    """Schemas of ours raise ApiErrors; this is for a resource that loads one by hand."""
    messages = error.messages
    given = messages.get("errors", []) if isinstance(messages, dict) else []
    errors = [
        Unprocessable(str(item.get("detail", "")), pointer=item.get("source", {}).get("pointer"))
        for item in given
        if isinstance(item, dict)
    ]
    return _answer(*(errors or [Unprocessable("A value is not valid.", pointer="/data")]))


def _on_refused_mail(error: Exception) -> Response:
    """A mail cannot go as the caller's values would have it: no such address, a key of another message, no file."""
    return _answer(Unprocessable(str(error), pointer="/data"))


def _on_http_exception(error: HTTPException) -> Response:
    """Flask's and Werkzeug's own, and those of extensions (Flask-Limiter's 429)."""
    status = HTTPStatus(error.code or 500)
    answer = ApiError(_DETAILS.get(status, error.description or status.phrase))
    answer.status, answer.title = str(status.value), status.phrase.capitalize()
    if status is HTTPStatus.NOT_FOUND and request.path.endswith(_REALTIME):
        answer.detail = _GATEWAY
    answer.headers = {
        name: value
        for name, value in error.get_headers(request.environ)
        if name.lower() not in ("content-type", "content-length")
    }
    if status is HTTPStatus.UNAUTHORIZED:
        answer.headers.setdefault("WWW-Authenticate", "JWT")
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        answer.detail = _INTERNAL
    return _answer(answer)


def _on_database_error(error: Exception) -> Response:
    answer = from_database(error)
    # The message of the driver has values in it: only the class and the answer belong into the log.
    code = getattr(getattr(error, "orig", None), "pgcode", None)
    log.warning("The database refused: %s, SQLSTATE %s, answered with %s.", type(error).__name__, code, answer.status)
    return _answer(answer)


_INTERNAL = "Something went wrong on the server; it is in the log."


def _on_anything_else(error: Exception) -> Response:
    log.error("An error that nothing handled, on %s %s.", request.method, request.path, exc_info=error)
    return _answer(ApiError(_INTERNAL))


def _from_library(error: JsonApiException) -> ApiError:
    """What flask-rest-jsonapi-next raises; its details name classes, so only the status is kept."""
    status = HTTPStatus(int(error.status))
    answer = ApiError(_DETAILS.get(status, status.phrase))
    answer.status, answer.title = str(status.value), status.phrase
    return answer


def _answer(*errors: ApiError) -> Response:
    db.session.rollback()
    return error_response(errors)
