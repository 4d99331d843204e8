"""The checks of the large play notice what may go wrong with an import and with telling people of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from app.demo.checks import Check
from app.demo.client import Client, Wire
from app.demo.conference import Conference
from app.demo.conference_checks import (
    PUBLISHED,
    Imported,
    publishing_told_each_once,
    told_of_import_alone,
    whole_event_is_there,
)
from app.demo.people import Login, Person
from app.demo.transfers import IMPORTED
from app.transfers.reading import read_event
from tests.support.transfers import SMALL, to_bytes

OLIVIA, ANA = "olivia@example.org", "ana@example.org"
SPEAKERS = [{"attributes": {"name": name}} for name in ("Ana", "Bo")]


def session(title: str, state: str, speakers: int) -> dict[str, Any]:
    data = [{"type": "speaker", "id": str(number)} for number in range(speakers)]
    return {"attributes": {"title": title, "state": state}, "relationships": {"speakers": {"data": data}}}


SESSIONS = [session("Two", "pending", 0), session("One", "accepted", 2)]


def mails(action: str, *recipients: str) -> list[dict[str, Any]]:
    return [{"recipient": recipient, "action": action} for recipient in recipients]


@pytest.fixture
def imported(httpserver: HTTPServer) -> Imported:
    client = Client(Wire(httpserver.url_for("").rstrip("/"), lambda: None))
    content = to_bytes(SMALL)
    conference = Conference("small.json", content, read_event(content))
    return Imported(conference, Person("Olivia", Login(OLIVIA, "x"), "2", client), "5")


def serve(httpserver: HTTPServer, path: str, rows: object) -> None:
    httpserver.expect_request(path).respond_with_data(json.dumps({"data": rows}), content_type="application/json")


def serve_inbox(httpserver: HTTPServer, *actions: str) -> None:
    serve(httpserver, "/v1/users/2/notifications", [{"attributes": {"action": action}} for action in actions])


def failed(checks: Iterable[Check]) -> list[str]:
    return [check.what for check in checks if not check.ok]


def test_a_whole_event_passes(httpserver: HTTPServer, imported: Imported) -> None:
    serve(httpserver, "/v1/events/5/speakers", SPEAKERS)
    serve(httpserver, "/v1/events/5/sessions", SESSIONS)
    assert failed(whole_event_is_there(imported)) == []


@pytest.mark.parametrize(
    ("speakers", "sessions"),
    [
        (SPEAKERS[1:], SESSIONS),
        ([*SPEAKERS, *SPEAKERS], SESSIONS),
        (SPEAKERS, SESSIONS[:1]),
        (SPEAKERS, [*SESSIONS[:1], session("One", "pending", 2)]),
        (SPEAKERS, [*SESSIONS[:1], session("One", "accepted", 1)]),
    ],
)
def test_anything_lost_doubled_or_changed_fails(
    httpserver: HTTPServer, imported: Imported, speakers: object, sessions: object
) -> None:
    serve(httpserver, "/v1/events/5/speakers", speakers)
    serve(httpserver, "/v1/events/5/sessions", sessions)
    assert len(failed(whole_event_is_there(imported))) == 1


REGISTERING = mails("User Registration", OLIVIA, OLIVIA)


@pytest.mark.parametrize(
    ("actions", "log", "failures"),
    [
        ([IMPORTED], [*REGISTERING, *mails(IMPORTED, OLIVIA)], 0),
        ([IMPORTED, IMPORTED], [*REGISTERING, *mails(IMPORTED, OLIVIA)], 1),
        ([], [*REGISTERING, *mails(IMPORTED, OLIVIA)], 1),
        ([IMPORTED], REGISTERING, 2),
        ([IMPORTED], [*REGISTERING, *mails(IMPORTED, OLIVIA, ANA)], 2),
        ([IMPORTED], [*REGISTERING, *mails(IMPORTED, OLIVIA), *mails("New Session Proposal", ANA)], 1),
    ],
)
def test_the_importer_alone_is_told_once(
    httpserver: HTTPServer, imported: Imported, actions: list[str], log: list[dict[str, Any]], failures: int
) -> None:
    serve_inbox(httpserver, *actions)
    assert len(failed(told_of_import_alone(imported, log))) == failures


@pytest.mark.parametrize(
    ("recipients", "failures"),
    [((OLIVIA, "Ana@example.org"), 0), ((ANA,), 1), ((OLIVIA,), 1), ((OLIVIA, ANA, "ANA@example.org"), 1)],
)
def test_publishing_tells_each_address_once(
    httpserver: HTTPServer, imported: Imported, recipients: tuple[str, ...], failures: int
) -> None:
    serve_inbox(httpserver, PUBLISHED)
    assert len(failed(publishing_told_each_once(imported, mails(PUBLISHED, *recipients)))) == failures
