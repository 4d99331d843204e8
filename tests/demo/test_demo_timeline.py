"""Reading the log of mails for one recipient, and showing the timeline of one mail."""

from __future__ import annotations

import io

import pytest
from pytest_httpserver import HTTPServer

from app.demo.client import Client, Wire
from app.demo.inbox import mails_to
from app.demo.screen import Screen
from app.demo.tables import show_timeline


@pytest.fixture
def admin(httpserver: HTTPServer) -> Client:
    return Client(Wire(httpserver.url_for("").rstrip("/"), lambda: None))


def entry(event: str, provider: str | None = None, code: int | None = None, text: str | None = None) -> object:
    time = "2026-11-21T19:21:12.345678+00:00"
    return {"attributes": {"time": time, "event": event, "provider": provider, "code": code, "text": text, "raw": None}}


def test_each_entry_is_shown_with_who_said_what_as_far_as_somebody_did(httpserver: HTTPServer, admin: Client) -> None:
    told = [entry("queued"), entry("bounced", "simulator", 550, "[b]No[/b] such mailbox")]
    answer = {"data": told, "meta": {"count": 2}}
    httpserver.expect_request("/v1/mails/7/events", query_string="sort=id").respond_with_json(answer)
    output = io.StringIO()
    entries = show_timeline(Screen(output), admin, "7")
    assert [one["event"] for one in entries] == ["queued", "bounced"]
    shown = [" ".join(line.split()) for line in output.getvalue().splitlines()]
    assert "19:21:12 queued" in shown
    assert "19:21:12 bounced simulator 550 [b]No[/b] such mailbox" in shown


def test_an_address_is_asked_for_as_it_is_whatever_signs_it_has(httpserver: HTTPServer, admin: Client) -> None:
    mail = {"type": "mail", "id": "7"}
    query = {"filter[recipient]": "ana+o'hara&co@example.org", "sort": "-id"}
    httpserver.expect_request("/v1/mails", query_string=query).respond_with_json({"data": [mail]})
    assert mails_to(admin, "ana+o'hara&co@example.org") == [mail]
