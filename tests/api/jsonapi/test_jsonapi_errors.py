"""Whatever goes wrong is answered with a JSON:API error document that tells nothing of the inside."""

from __future__ import annotations

import logging

import pytest
from flask import Flask, abort
from flask.testing import FlaskClient
from sqlalchemy import text
from test_jsonapi_hostile import check
from test_jsonapi_writes import resource, talk
from toybox import MEDIA_TYPE, Toys
from toys import make_app
from werkzeug.exceptions import TooManyRequests as LibraryTooManyRequests
from werkzeug.test import TestResponse

from app.api.jsonapi import database_errors
from app.api.jsonapi.document import MAX_BODY
from app.api.jsonapi.errors import (
    ApiError,
    Conflict,
    Forbidden,
    NotFound,
    PayloadTooLarge,
    SeveralErrors,
    TooManyRequests,
    Unauthorized,
    Unprocessable,
    explain,
)
from app.api.jsonapi.response import error_response
from app.api.jsonapi.table import Route, register
from app.models import User, db


def only(answer: TestResponse, status: int) -> dict[str, object]:
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == MEDIA_TYPE
    assert answer.headers["Vary"] == "Accept"
    (error,) = answer.json["errors"]
    assert error["status"] == str(status)
    return dict(error)


def test_an_unknown_address_is_404(toys: Toys) -> None:
    assert only(toys.get("/nothing"), 404)["title"] == "Not found"
    assert only(toys.client.get("/"), 404)["detail"] == "There is nothing at this address."
    for path in ("/v1/users/1/notifications/stream", "/ws/notifications"):
        assert "REALTIME_URL" in only(toys.client.get(path), 404)["detail"]


@pytest.mark.parametrize("headers", [{}, {"X-Viewer": "1"}, {"Accept": "text/html"}, {"Content-Type": "text/plain"}])
def test_a_method_that_is_not_in_the_table_is_405_before_anything_else(toys: Toys, headers: dict[str, str]) -> None:
    toys.person("a@example.org")
    answer = toys.client.post("/toy/notices", headers=headers)
    only(answer, 405)
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


def test_who_may_not_use_an_address_is_told_before_media_types_and_rows(toys: Toys) -> None:
    answer = toys.get("/notices/99")
    only(answer, 401)
    assert answer.headers["WWW-Authenticate"] == "JWT"
    only(toys.get("/notices/99", headers={"Accept": "text/html"}), 401)
    user = toys.person("a@example.org")
    only(toys.get("/notices/99", user, headers={"Accept": "text/html"}), 406)
    only(toys.get("/notices/99", user), 404)


def test_an_endpoint_that_is_in_no_table_is_refused(toys: Toys) -> None:
    only(toys.client.get("/forgotten"), 403)


def test_options_are_answered_for_everybody(toys: Toys) -> None:
    answer = toys.client.options("/toy/notices")
    assert answer.status_code == 200
    assert "GET" in answer.headers["Allow"]


def test_the_same_endpoint_twice_is_a_mistake_in_the_program(toy_app: Flask) -> None:
    with pytest.raises(ValueError, match="twice"):
        register(toy_app, None, [Route("echo", ["/again"], lambda: "", {})])


def test_an_error_nobody_expected_is_logged_and_told_without_details(
    toys: Toys, caplog: pytest.LogCaptureFixture
) -> None:
    toys.gathering()
    with caplog.at_level(logging.ERROR):
        answer = toys.send("POST", "/talks", json=talk("breaks"))
    error = only(answer, 500)
    assert error["detail"] == "Something went wrong on the server; it is in the log."
    assert "source" not in error
    assert "RuntimeError" in caplog.text
    assert "secret" not in answer.text


def test_a_database_that_is_away_is_503_with_a_time_to_come_back(caplog: pytest.LogCaptureFixture) -> None:
    away = make_app("postgresql+psycopg2://usher:hunter2@127.0.0.1:1/none")
    answer = away.test_client().get("/toy/talks")
    only(answer, 503)
    assert int(answer.headers["Retry-After"]) > 0
    for told in (answer.text, caplog.text):
        assert "hunter2" not in told
        assert "127.0.0.1" not in told


def test_a_taken_value_is_409_without_sql_and_a_rule_of_the_database_422(
    toys: Toys, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What the application's resources explain, where a test before this one has imported them.
    monkeypatch.setattr(database_errors, "_explained", {})
    admin = toys.person("Ana@example.org", admin=True)
    answer = toys.send("POST", "/people", admin, json=resource("person", email="ana@EXAMPLE.org"))
    assert only(answer, 409)["detail"] == "This value is already taken."
    check(answer)
    assert "ana@" not in caplog.text
    times = {"starts_at": "2026-01-02T00:00:00Z", "ends_at": "2026-01-01T00:00:00Z"}
    answer = toys.send("POST", "/gatherings", json=resource("gathering", name="x", **times))
    assert only(answer, 422)["source"] == {"pointer": "/data"}
    explain("ck_events_ends_after_start", "It cannot end before it starts.", "/data/attributes/ends-at")
    answer = toys.send("POST", "/gatherings", json=resource("gathering", name="x", **times))
    assert only(answer, 422)["detail"] == "It cannot end before it starts."
    assert only(answer, 422)["source"] == {"pointer": "/data/attributes/ends-at"}


def test_a_missing_value_that_the_database_needs_is_422_and_one_too_long_too(toys: Toys) -> None:
    toys.gathering()
    answer = toys.send("PATCH", "/gatherings/1", json=resource("gathering", 1, name="x" * 501))
    assert only(answer, 422)["source"] == {"pointer": "/data/attributes/name"}
    assert only(toys.send("PATCH", "/gatherings/1", json=resource("gathering", 1, name=None)), 422)["source"] == {
        "pointer": "/data/attributes/name"
    }


@pytest.fixture
def own() -> FlaskClient:
    """An application of its own, whose views raise."""
    app = make_app("postgresql+psycopg2://usher@127.0.0.1:1/none")

    def limited() -> None:
        raise LibraryTooManyRequests(description="10 per 1 minute", retry_after=7)

    def several() -> None:
        raise SeveralErrors([Unprocessable("a", pointer="/data/attributes/a"), Conflict("b")])

    views = {
        "limited": limited,
        "several": several,
        "aborted": lambda: abort(500, "postgresql://somebody:secret@example.org"),
        "unauthorized": lambda: abort(401),
        "broken": lambda: {}["secret"],
    }
    register(
        app,
        None,
        [Route(name, [f"/{name}"], view, {"GET": lambda _viewer, _names: None}) for name, view in views.items()],
    )
    return app.test_client()


def test_too_many_requests_keep_the_time_to_wait(own: FlaskClient) -> None:
    answer = own.get("/limited")
    assert only(answer, 429)["detail"] == "10 per 1 minute"
    assert answer.headers["Retry-After"] == "7"
    with own.application.test_request_context():
        ours = error_response([TooManyRequests("Later.", headers={"Retry-After": "9"})])
    assert ours.headers["Retry-After"] == "9"


def test_errors_of_plain_routes_are_documents_too(own: FlaskClient) -> None:
    assert "secret" not in own.get("/aborted").text
    only(own.get("/aborted"), 500)
    only(own.get("/broken"), 500)
    answer = own.get("/unauthorized")
    only(answer, 401)
    assert answer.headers["WWW-Authenticate"] == "JWT"


def test_several_errors_of_different_statuses_are_400(own: FlaskClient) -> None:
    answer = own.get("/several")
    assert answer.status_code == 400
    assert [error["status"] for error in answer.json["errors"]] == ["422", "409"]


@pytest.mark.parametrize("kind", [NotFound, Forbidden, Unauthorized, PayloadTooLarge])
def test_an_error_says_what_was_wrong_where(kind: type[ApiError]) -> None:
    error = kind("Wrong.", pointer="/data")
    assert str(error) == error.detail == "Wrong."
    assert error.to_dict() == {
        "status": kind.status,
        "source": {"pointer": "/data"},
        "title": kind.title,
        "detail": "Wrong.",
    }


def test_a_body_larger_than_one_mebibyte_is_413(toys: Toys) -> None:
    only(toys.send("POST", "/talks", data=b" " * (MAX_BODY + 1)), 413)
    toys.app.config["MAX_CONTENT_LENGTH"] = None
    try:
        only(toys.send("POST", "/talks", data=b" " * (MAX_BODY + 1)), 413)
    finally:
        toys.app.config["MAX_CONTENT_LENGTH"] = MAX_BODY


def test_plain_json_needs_its_media_type_and_an_object(toys: Toys) -> None:
    assert toys.client.post("/echo", json={"a": 1}).json == {"a": 1}
    only(toys.client.post("/echo", data="{}", content_type="text/plain"), 415)
    for body in ("[]", "1", "", "null", "{", '{"a": "\\u0000"}'):
        only(toys.client.post("/echo", data=body, content_type="application/json"), 400)
    deep = toys.client.post("/echo", data="[" * 100_000, content_type="application/json")
    only(deep, 400)


@pytest.mark.usefixtures("toys")
def test_after_an_error_nothing_of_the_request_is_left_in_the_session(toy_app: Flask) -> None:
    with toy_app.test_request_context():
        db.session.add(User(email="left@example.org"))
        db.session.flush()
        toy_app.handle_user_exception(NotFound("x"))
        assert db.session.scalar(text("SELECT count(*) FROM users")) == 0
