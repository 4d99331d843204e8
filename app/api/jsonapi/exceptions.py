"""The errors that an API answers with, one class per status; `app.api.jsonapi.errors` is where to import them from."""

# ruff: noqa: N818 - they are named as HTTP names their statuses

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask_rest_jsonapi_next.exceptions import JsonApiException


class ApiError(JsonApiException):
    """An error that is the answer to a request: a JSON:API error object and its HTTP status.

    Args:
        detail: what was wrong and what to do, for a person; never a secret, never another person's data.
        pointer: where in the request's document (RFC 6901), for example `/data/attributes/title`.
        parameter: which parameter of the query, for example `page[size]`.
        header: which header of the request.
        headers: headers of the answer, for example `Retry-After`.
    """

    status = "500"
    title = "Internal server error"

    def __init__(
        self,
        detail: str,
        *,
        pointer: str | None = None,
        parameter: str | None = None,
        header: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        named = {"pointer": pointer, "parameter": parameter, "header": header}
        super().__init__(detail, source={name: value for name, value in named.items() if value is not None} or None)
        self.args = (detail,)
        self.headers = dict(headers or {})


class BadRequest(ApiError):
    """400: the request cannot be understood."""

    status, title = "400", "Bad request"


class Unauthorized(ApiError):
    """401: who is asking is not known; names the scheme to log in with (RFC 9110, 11.6.1)."""

    status, title = "401", "Unauthorized"

    def __init__(self, detail: str, **options: Any) -> None:
        super().__init__(detail, **options)
        self.headers.setdefault("WWW-Authenticate", "JWT")


class Forbidden(ApiError):
    """403: who is asking may not do this."""

    status, title = "403", "Forbidden"


class NotFound(ApiError):
    """404: there is no such thing, or none that the caller may know of."""

    status, title = "404", "Not found"


class MethodNotAllowed(ApiError):
    """405: not with this method; give the methods that there are as the header `Allow`."""

    status, title = "405", "Method not allowed"


class NotAcceptable(ApiError):
    """406: the `Accept` header excludes what this server sends."""

    status, title = "406", "Not acceptable"


class Conflict(ApiError):
    """409: it contradicts what is stored."""

    status, title = "409", "Conflict"


class Gone(ApiError):
    """410: it was there, and will not be again."""

    status, title = "410", "Gone"


class PayloadTooLarge(ApiError):
    """413: the body is larger than this server reads."""

    status, title = "413", "Payload too large"


class UnsupportedMediaType(ApiError):
    """415: the body is not of the media type that is needed."""

    status, title = "415", "Unsupported media type"


class Unprocessable(ApiError):
    """422: understood, but a value cannot be."""

    status, title = "422", "Unprocessable entity"


class TooManyRequests(ApiError):
    """429: too often; give the seconds to wait as the header `Retry-After`."""

    status, title = "429", "Too many requests"


class BadGateway(ApiError):
    """502: a server that this one asked on the caller's behalf refused, or did not answer."""

    status, title = "502", "Bad gateway"


class ServiceUnavailable(ApiError):
    """503: something that this server needs does not answer; the same request may succeed later."""

    status, title = "503", "Service unavailable"

    def __init__(self, detail: str, **options: Any) -> None:
        super().__init__(detail, **options)
        self.headers.setdefault("Retry-After", "5")


class SeveralErrors(Exception):
    """More than one thing was wrong with a request, and the caller is told of all."""

    def __init__(self, errors: Sequence[ApiError]) -> None:
        super().__init__("; ".join(error.detail for error in errors))
        self.errors = tuple(errors)


def raise_all(errors: Sequence[ApiError]) -> None:
    """Raise what was collected, if anything was.

    Raises:
        ApiError: there is one error.
        SeveralErrors: there are more.
    """
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise SeveralErrors(errors)
