"""Reading the conference of the large play; what a file may have is tested with `app.transfers.reading`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.demo.conference import ConferenceError, load_conference
from tests.support.transfers import SMALL, changed


def write(folder: Path, content: object) -> Path:
    path = folder / "conference.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ConferenceError) as caught:
        load_conference(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def test_a_file_is_taken_as_it_is_with_the_addresses_of_its_speakers(tmp_path: Path) -> None:
    path = write(tmp_path, SMALL)
    conference = load_conference(path)
    assert (conference.filename, conference.file) == ("conference.json", path.read_bytes())
    assert conference.addresses == {"ana@example.org"}
    assert conference.content.name == "Small"


def test_the_real_conference_is_whole(conference: Path) -> None:
    real = load_conference(conference)
    assert (len(real.content.speakers), len(real.content.sessions)) == (207, 214)
    assert sum(not session.speakers for session in real.content.sessions) == 1
    assert sum(session.state == "accepted" for session in real.content.sessions) == 213


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "cannot be read: No such file or directory" in refusal(tmp_path / "none.json")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert "cannot be read" in refusal(tmp_path)


def test_a_file_that_could_not_be_imported_is_refused_with_the_place(tmp_path: Path) -> None:
    assert "sessions[0].title is missing or empty" in refusal(write(tmp_path, changed(("sessions", 0, "title"), None)))


def test_addresses_of_real_people_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, changed(("speakers", 0, "email"), "a@other.place"))
    assert "speakers[0].email is 'a@other.place': the demo mails to domains" in refusal(path)


def test_without_sessions_there_is_nothing_to_play(tmp_path: Path) -> None:
    assert "sessions is empty" in refusal(write(tmp_path, changed(("sessions",), [])))
