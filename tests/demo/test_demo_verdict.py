"""The last checks notice everything that may go wrong with telling people once."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from app.demo.checks import Check
from app.demo.client import Client, Wire
from app.demo.inbox import DECISION, NEW_SESSION
from app.demo.mailbox import Mailbox
from app.demo.people import Login, Person
from app.demo.verdict import Proposal, organizer_told, sent_and_arrived, speakers_told

OLIVIA, ANA, BO = "olivia@example.org", "ana@example.org", "bo@example.org"
PROPOSALS = [
    Proposal("11", frozenset({ANA, BO}), decided=True),
    Proposal("1", frozenset({ANA})),
    Proposal("7", frozenset()),
]


def mail(recipient: str, action: str, session: str) -> dict[str, Any]:
    link = f"http://127.0.0.1:5000/events/abc/sessions/{session}"
    return {"recipient": recipient, "action": action, "subject": f"{action} 🎤", "message": f"<a href='{link}'>x</a>"}


def right_log() -> list[dict[str, Any]]:
    proposed = [(OLIVIA, "11"), ("Ana@example.org", "11"), (BO, "11"), (OLIVIA, "1"), (ANA, "1"), (OLIVIA, "7")]
    log = [mail(to, NEW_SESSION, session) for to, session in proposed]
    log += [mail(to, DECISION, "11") for to in (ANA, BO)]
    return [*log, mail(ANA, "User Registration", "")]


@pytest.fixture
def client(httpserver: HTTPServer) -> Client:
    return Client(Wire(httpserver.url_for("").rstrip("/"), lambda: None))


@pytest.fixture
def organizer(client: Client) -> Person:
    return Person("Olivia", Login(OLIVIA, "x"), "2", client)


def failed(checks: list[Check]) -> list[str]:
    return [check.what for check in checks if not check.ok]


def test_the_right_mails_pass_whatever_the_case_of_an_address(organizer: Person) -> None:
    assert failed(list(speakers_told(organizer, PROPOSALS, right_log()))) == []


@pytest.mark.parametrize(
    "surplus",
    [
        mail(BO, NEW_SESSION, "11"),
        mail(BO, NEW_SESSION, "1"),
        mail("stranger@example.org", NEW_SESSION, "1"),
        mail(BO, NEW_SESSION, ""),
    ],
)
def test_a_proposal_told_too_often_or_to_somebody_else_is_noticed(organizer: Person, surplus: dict[str, Any]) -> None:
    checks = list(speakers_told(organizer, PROPOSALS, [*right_log(), surplus]))
    assert failed(checks) == ["speakers: one mail a session and address"]


@pytest.mark.parametrize("surplus", [mail(ANA, DECISION, "1"), mail(BO, DECISION, "11"), mail(OLIVIA, DECISION, "7")])
def test_a_decision_told_too_often_or_never_taken_is_noticed(organizer: Person, surplus: dict[str, Any]) -> None:
    checks = list(speakers_told(organizer, PROPOSALS, [*right_log(), surplus]))
    assert failed(checks) == ["speakers: one mail a decision and address"]


def test_each_missing_mail_is_noticed(httpserver: HTTPServer, organizer: Person) -> None:
    answer_with_notifications(httpserver, ["11", "1", "7"])
    log = right_log()
    for missing in range(len(log) - 1):
        rest = log[:missing] + log[missing + 1 :]
        checks = [*organizer_told(organizer, PROPOSALS, rest), *speakers_told(organizer, PROPOSALS, rest)]
        assert len(failed(checks)) == 1, log[missing]


def answer_with_notifications(httpserver: HTTPServer, sessions: list[str]) -> None:
    told = [
        {"attributes": {"action": NEW_SESSION, "link": f"http://x.test/events/abc/sessions/{session}"}}
        for session in sessions
    ]
    other = {"attributes": {"action": "Change Password", "link": None}}
    httpserver.expect_request("/v1/users/2/notifications").respond_with_json({"data": [*told, other]})


@pytest.mark.parametrize("sessions", [["11", "1"], ["11", "1", "7", "7"], ["11", "1", "8"]])
def test_a_notification_too_few_too_many_or_of_another_session_is_noticed(
    httpserver: HTTPServer, organizer: Person, sessions: list[str]
) -> None:
    answer_with_notifications(httpserver, sessions)
    checks = list(organizer_told(organizer, PROPOSALS, right_log()))
    assert failed(checks) == ["organizer: one notification a session"]


def keep(folder: Path, number: int, mail: dict[str, Any]) -> None:
    message = EmailMessage()
    message["Subject"] = mail["subject"]
    message.set_content("Hello")
    envelope = f"X-RcptTo: {mail['recipient']}\r\n".encode()
    (folder / f"{number}.eml").write_bytes(envelope + message.as_bytes())


@pytest.mark.parametrize(
    ("sent", "kept", "wrong"),
    [
        (2, [0, 1], []),
        (1, [0], ["every mail of the log was sent", "each mail of the log arrived, and no other"]),
        (2, [0, 1, 1], ["as many .eml files as mails sent", "each mail of the log arrived, and no other"]),
        (2, [0, 0], ["each mail of the log arrived, and no other"]),
    ],
)
def test_what_was_sent_is_compared_with_what_arrived(
    httpserver: HTTPServer, client: Client, tmp_path: Path, *, sent: int, kept: list[int], wrong: list[str]
) -> None:
    log = [mail(ANA, NEW_SESSION, "1"), mail(BO, DECISION, "11")]
    httpserver.expect_request("/v1/mails").respond_with_json({"data": [], "meta": {"count": sent}})
    for number, index in enumerate(kept):
        keep(tmp_path, number, log[index])
    assert failed(list(sent_and_arrived(client, Mailbox(tmp_path), log))) == wrong
