"""A small JSON:API client over Flask's test client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.auth.tokens import login_token
from app.models import User

MEDIA_TYPE = "application/vnd.api+json"


@dataclass(frozen=True)
class Api:
    """Requests with the right headers, in somebody's name."""

    client: FlaskClient
    token: str | None = None

    def as_(self, user: User) -> Api:
        """The same client, logged in."""
        return Api(self.client, login_token(user))

    def get(self, path: str, **query: Any) -> TestResponse:
        named = {name.replace("__", "-"): value for name, value in query.items()}
        return self._open("GET", path, query_string=named or None)

    def get_if_new(self, path: str, etag: str, accept: str = MEDIA_TYPE) -> TestResponse:
        """GET what the client does not have yet, as it is known by its ETag."""
        return self._open("GET", path, more={"If-None-Match": etag, "Accept": accept})

    def post(self, path: str, body: Any) -> TestResponse:
        return self._open("POST", path, json=body)

    def patch(self, path: str, body: Any, **headers: str) -> TestResponse:
        """PATCH; further headers have underscores for dashes."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._open("PATCH", path, json=body, more=more)

    def delete(self, path: str) -> TestResponse:
        return self._open("DELETE", path)

    def create(self, path: str, type_: str, attributes: dict[str, Any], **relationships: Any) -> TestResponse:
        """POST a resource; a relationship is `(type, id)`, a list of those, or None."""
        data: dict[str, Any] = {"type": type_, "attributes": attributes}
        if relationships:
            data["relationships"] = {name: {"data": _linkage(value)} for name, value in relationships.items()}
        return self.post(path, {"data": data})

    def update(self, path: str, type_: str, id_: int | str, **attributes: Any) -> TestResponse:
        """PATCH attributes of a resource; underscores become dashes."""
        named = {name.replace("_", "-"): value for name, value in attributes.items()}
        return self.patch(path, {"data": {"type": type_, "id": str(id_), "attributes": named}})

    def _open(self, method: str, path: str, **options: Any) -> TestResponse:
        headers = {"Accept": MEDIA_TYPE, **options.pop("more", {})}
        if self.token:
            headers["Authorization"] = f"JWT {self.token}"
        if "json" in options:
            headers["Content-Type"] = MEDIA_TYPE
        return self.client.open(path, method=method, headers=headers, **options)


def _linkage(value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, list):
        return [_linkage(item) for item in value]
    type_, id_ = value
    return {"type": type_, "id": str(id_)}
