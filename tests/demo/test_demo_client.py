"""The demo's HTTP client, against a real server that answers as it is told."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from app.demo.client import Client, Wire, document
from app.demo.failure import DemoFailure


@pytest.fixture
def client(httpserver: HTTPServer) -> Client:
    return Client(Wire(httpserver.url_for("").rstrip("/"), lambda: None), token="secret-token")


def test_an_unexpected_status_says_what_was_asked_and_what_came(httpserver: HTTPServer, client: Client) -> None:
    error = {"status": "422", "title": "Unprocessable", "detail": "Too long.", "source": {"pointer": "/data/title"}}
    httpserver.expect_request("/v1/sessions").respond_with_json({"errors": [error]}, status=422)
    with pytest.raises(DemoFailure) as caught:
        client.post("/v1/sessions", {})
    assert str(caught.value) == "POST /v1/sessions: expected 201; came: 422 Too long. (/data/title)"


def test_a_failure_names_no_token(httpserver: HTTPServer, client: Client) -> None:
    httpserver.expect_request("/verify").respond_with_data("no", status=400)
    with pytest.raises(DemoFailure) as caught:
        client.get("/verify?token=single-use")
    assert "single-use" not in str(caught.value)
    assert "secret-token" not in repr(client)


def test_no_answer_is_a_failure_too() -> None:
    lost = Client(Wire("http://127.0.0.1:1", lambda: None))
    with pytest.raises(DemoFailure, match="expected an answer; came: ConnectionError"):
        lost.get("/ready")


def test_a_proxy_of_the_environment_is_not_asked(
    httpserver: HTTPServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    httpserver.expect_request("/ready").respond_with_json({})
    assert client.get("/ready").status == 200


def test_whoever_looks_is_asked_before_each_request(httpserver: HTTPServer) -> None:
    class Stop(Exception):  # noqa: N818 - stands for a signal
        pass

    def look() -> None:
        raise Stop

    wire = Wire(httpserver.url_for(""), look)
    with pytest.raises(Stop):
        Client(wire).get("/")
    assert wire.sent == 0


def pages_of(total: int) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        size, number = int(request.args["page[size]"]), int(request.args.get("page[number]", "1"))
        ids = range(total)[(number - 1) * size : number * size]
        body = {"data": [{"type": "mail", "id": str(id_)} for id_ in ids], "meta": {"count": total}}
        return Response(json.dumps(body), content_type="application/vnd.api+json")

    return answer


@pytest.mark.parametrize("total", [0, 1, 99, 100, 101, 250])
def test_every_page_of_a_list_is_read_and_counted(httpserver: HTTPServer, client: Client, total: int) -> None:
    httpserver.expect_request("/v1/mails").respond_with_handler(pages_of(total))
    assert [one["id"] for one in client.pages("/v1/mails?fields[mail]=status")] == [str(id_) for id_ in range(total)]
    assert client.count("/v1/mails") == total


def test_what_is_taken_away_leaves_no_answer_to_read(httpserver: HTTPServer, client: Client) -> None:
    httpserver.expect_request("/v1/suppressions/7", method="DELETE").respond_with_data("", status=204)
    assert client.delete("/v1/suppressions/7").body == {}


def test_a_document_links_to_one_to_several_and_to_nothing() -> None:
    made = document(
        "session", {"title": "One"}, {"event": ("event", "1"), "user": None, "speakers": [("speaker", "2")]}
    )
    assert made["data"]["relationships"] == {
        "event": {"data": {"type": "event", "id": "1"}},
        "user": {"data": None},
        "speakers": {"data": [{"type": "speaker", "id": "2"}]},
    }
