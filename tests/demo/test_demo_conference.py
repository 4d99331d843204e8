"""Reading a conference from a file."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from app.demo.conference import ConferenceError, load_conference

SMALL: dict[str, Any] = {
    "event": {"name": "Small", "starts-at": "2027-03-17T09:00:00+08:00", "ends-at": "2027-03-18T09:00:00+08:00"},
    "speakers": [
        {"id": "1", "name": "Ana", "email": "Ana@example.org", "organisation": None},
        {"id": "2", "name": "Bo", "email": None},
    ],
    "sessions": [
        {"title": "One", "state": "accepted", "speaker-ids": ["1", "2", "1"]},
        {"title": "Two", "state": None, "starts-at": None, "speaker-ids": []},
    ],
}


def write(folder: Path, content: object) -> Path:
    path = folder / "conference.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ConferenceError) as caught:
        load_conference(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def test_nulls_and_absent_fields_are_taken_as_nothing(tmp_path: Path) -> None:
    conference = load_conference(write(tmp_path, SMALL))
    assert conference.timezone == "UTC"
    assert conference.speakers[0].country is None
    assert conference.talks[1].starts_at is None
    assert conference.talks[1].addresses == frozenset()


def test_a_speaker_named_twice_or_without_an_address_counts_once_or_not_at_all(tmp_path: Path) -> None:
    talk = load_conference(write(tmp_path, SMALL)).talks[0]
    assert [speaker.name for speaker in talk.speakers] == ["Ana", "Bo"]
    assert talk.addresses == {"ana@example.org"}


def test_white_space_in_one_line_texts_is_one_space(tmp_path: Path) -> None:
    content = copy.deepcopy(SMALL)
    content["speakers"][0] |= {"name": " Ana\tAlmeida ", "organisation": "  "}
    content["sessions"][0]["title"] = "One\r\nBcc: two@example.org"
    conference = load_conference(write(tmp_path, content))
    assert (conference.speakers[0].name, conference.speakers[0].organisation) == ("Ana Almeida", None)
    assert conference.talks[0].title == "One Bcc: two@example.org"


def test_a_byte_order_mark_is_no_hindrance(tmp_path: Path) -> None:
    assert load_conference(write(tmp_path, "\ufeff" + json.dumps(SMALL))).name == "Small"


def test_the_real_conference_is_whole(conference: Path) -> None:
    real = load_conference(conference)
    assert (len(real.speakers), len(real.talks)) == (207, 214)
    assert sum(not talk.speakers for talk in real.talks) == 1
    assert sum(talk.state == "accepted" for talk in real.talks) == 213


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "cannot be read: No such file or directory" in refusal(tmp_path / "none.json")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert "cannot be read" in refusal(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "\x00", "[" * 100_000])
def test_what_is_not_json_is_refused(tmp_path: Path, content: str) -> None:
    assert "is not JSON" in refusal(write(tmp_path, content))


def test_other_encodings_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "latin.json"
    path.write_bytes(b'{"event": "\xe9"}')
    assert "UTF-8" in refusal(path)


@pytest.mark.parametrize(
    ("where", "value", "said"),
    [
        ((), [], "the whole must be a JSON object"),
        (("event",), None, "event must be a JSON object"),
        (("event", "name"), " ", "event.name is missing or empty"),
        (("event", "starts-at"), None, "event.starts-at is missing or empty"),
        (("event", "ends-at"), "tomorrow", "event.ends-at must be a time with an offset"),
        (("event", "starts-at"), "2027-03-17T09:00:00", "event.starts-at must be a time with an offset"),
        (("speakers",), {}, "speakers must be a list"),
        (("speakers", 1), 7, "speakers[1] must be a JSON object"),
        (("speakers", 1, "id"), "1", "speakers[1].id is 1, as of a speaker before"),
        (("speakers", 0, "name"), 5, "speakers[0].name must be a text or null"),
        (("speakers", 0, "email"), "a@other.place", "speakers[0].email is 'a@other.place': the demo mails to domains"),
        (("sessions",), [], "sessions is empty"),
        (("sessions",), None, "sessions must be a list"),
        (("sessions", 0, "title"), None, "sessions[0].title is missing or empty"),
        (("sessions", 0, "state"), "maybe", "sessions[0].state is 'maybe': it must be one of pending"),
        (("sessions", 0, "speaker-ids"), None, "sessions[0].speaker-ids must be a list"),
        (("sessions", 0, "speaker-ids"), ["9"], "sessions[0].speaker-ids names '9', which is no speaker's id"),
        (("sessions", 0, "speaker-ids"), [["1"]], "sessions[0].speaker-ids names ['1'], which is no speaker's id"),
        (("sessions", 1, "ends-at"), "25:00", "sessions[1].ends-at must be a time with an offset"),
    ],
)
def test_another_shape_is_refused_with_the_place(tmp_path: Path, where: tuple[Any, ...], value: Any, said: str) -> None:
    content: Any = {"whole": copy.deepcopy(SMALL)}
    place = content
    path = ("whole", *where)
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert said in refusal(write(tmp_path, content["whole"]))
