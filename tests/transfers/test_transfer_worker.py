"""Exports and imports in the running Usher: by the real worker, also when it is killed in the middle."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import wait_for
from tests.support.transfers import SMALL, to_bytes
from tests.support.usher import Usher, running_usher

pytestmark = pytest.mark.slow

MANY = {**SMALL, "sessions": [{"title": f"Session {number}", "speaker-ids": ["1", "2"]} for number in range(3000)]}
BLOCK = "LOCK TABLE speakers_sessions IN SHARE MODE"


@pytest.fixture(scope="module")
def usher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Usher]:
    with running_usher(tmp_path_factory.mktemp("transfers")) as running:
        running.wait_until_sent(2)
        yield running


def send(usher: Usher, content: object) -> str:
    """Send a file; the id of its import."""
    url = f"{usher.application.url}/v1/event-imports"
    raw = content if isinstance(content, bytes) else to_bytes(content)
    answer = usher.http.post(url, data=raw, headers={"Content-Type": "application/json"}, timeout=30)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["data"]["id"])


def state(usher: Usher, import_id: str) -> dict[str, Any]:
    attributes: dict[str, Any] = usher.get(f"/v1/event-imports/{import_id}")["data"]["attributes"]
    return attributes


def wait_for_end(usher: Usher, import_id: str) -> dict[str, Any]:
    wait_for(lambda: state(usher, import_id)["state"] in ("succeeded", "failed"), "the end of the import")
    return state(usher, import_id)


def mails_of(usher: Usher, action: str) -> int:
    return len(usher.sql("SELECT 1 FROM mails WHERE action = :action", action=action))


def test_the_real_conference_is_imported_by_the_worker_at_once(usher: Usher, conference: Path) -> None:
    usher.stack.stop_part("beat")  # the hand-over alone
    try:
        import_id = send(usher, conference.read_bytes())
        assert wait_for_end(usher, import_id)["error"] is None
    finally:
        usher.application.start_beat()
    attributes = state(usher, import_id)
    assert (attributes["done"], attributes["total"], attributes["progress"]) == (422, 422, 100)
    wait_for(lambda: any("was imported" in mail["Subject"] for mail in usher.caught()), "the mail")
    assert mails_of(usher, "Event Imported") == 1


def test_an_import_whose_worker_is_killed_is_done_by_the_next_as_a_whole_and_told_once(usher: Usher) -> None:
    events, mails = usher.sql("SELECT 1 FROM events"), mails_of(usher, "Event Imported")
    with usher.engine.connect() as other:
        other.exec_driver_sql(BLOCK)
        import_id = send(usher, MANY)
        # All sessions are inserted, and seen as progress; their speakers wait for our lock.
        wait_for(lambda: state(usher, import_id)["done"] == 3003, "the middle of the import")
        assert usher.sql("SELECT 1 FROM events") == events
        usher.kill_worker()
        other.rollback()
    usher.restart_worker()
    assert wait_for_end(usher, import_id)["error"] is None
    [row] = usher.sql("SELECT attempts, event_id FROM transfers WHERE id = :id", id=import_id)
    assert row.attempts == 2
    sessions = usher.sql("SELECT 1 FROM sessions WHERE event_id = :id", id=row.event_id)
    assert len(sessions) == 3000
    assert len(usher.sql("SELECT 1 FROM events")) == len(events) + 1
    assert mails_of(usher, "Event Imported") == mails + 1


def test_with_the_broker_down_an_import_is_taken_and_done_when_it_is_back(usher: Usher) -> None:
    usher.stack.stop_part("valkey")
    try:
        import_id = send(usher, SMALL)
        assert state(usher, import_id)["state"] == "queued"
    finally:
        usher.stack.start_server("valkey")
    assert wait_for_end(usher, import_id)["state"] == "succeeded"
