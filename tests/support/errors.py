"""What every answer that is an error must be."""

from __future__ import annotations

import json
from typing import Any

from werkzeug.test import TestResponse

from tests.support.api import MEDIA_TYPE

INSIDES = ("Traceback", "psycopg", "sqlalchemy", "SELECT ", "INSERT ", "UPDATE ", "password_hash", "token_version")


def errors_of(response: TestResponse) -> list[dict[str, Any]]:
    """The error objects of an answer, which must be a JSON:API error document without anything of the inside."""
    assert response.status_code >= 400, response.text
    assert response.headers["Content-Type"] == MEDIA_TYPE
    document = json.loads(response.data)
    assert set(document) == {"errors", "jsonapi"}
    assert document["errors"]
    for error in document["errors"]:
        assert set(error) <= {"status", "title", "detail", "source", "links", "meta"}
        assert error["title"]
        assert error["detail"]
        assert isinstance(error["status"], str)
    statuses = {error["status"] for error in document["errors"]}
    assert response.status_code == (int(statuses.pop()) if len(statuses) == 1 else 400)
    for inside in INSIDES:
        assert inside not in response.text
    errors: list[dict[str, Any]] = document["errors"]
    return errors


def pointer_of(response: TestResponse) -> str:
    """Where in the document the one error is."""
    [error] = errors_of(response)
    pointer: str = error["source"]["pointer"]
    return pointer
