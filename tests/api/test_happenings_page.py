"""The page docs/happenings.md: its code and its requests work as they stand there."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.api.helpers.sanitising import TAGS
from app.happenings import types
from app.happenings.types import find_type
from app.models import Listen, Session, db
from tests.support.rows import notified
from tests.support.world import SERVICE_TOKEN, World

PAGE = (Path(__file__).resolve().parents[2] / "docs/happenings.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
CURL = re.compile(r"^curl .*?(?=^(?:curl|```|#))", re.DOTALL | re.MULTILINE)


def block(beginning: str) -> dict[str, Any]:
    """The names that a block of code of the page makes."""
    [code] = [each for each in PYTHON if beginning in each]
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - the page's own code is what is tested
    return names


def requests() -> list[list[str]]:
    """The commands of the page, in words."""
    found = [shlex.split(each.replace("\\\n", " ")) for each in CURL.findall(PAGE)]
    assert len(found) >= 3
    return found


def run(world: World, words: list[str]) -> TestResponse:
    """What `curl` would do with these words."""
    known = {"$API": "", "$SERVICE_TOKEN": SERVICE_TOKEN, "$JSONAPI": "Content-Type: application/vnd.api+json"}
    for name, value in known.items():
        words = [word.replace(name, value) for word in words]
    headers = dict(words[index + 1].split(": ", 1) for index, word in enumerate(words) if word == "-H")
    assert json.loads(words[words.index("-d") + 1])
    return world.clients["service"].client.post(words[1], data=words[words.index("-d") + 1], headers=headers)


def test_a_type_is_declared_as_the_page_shows_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(types, "_types", dict(types._types))  # noqa: SLF001 - what is declared here is forgotten again
    declared = block("POST_CREATED = declare")["POST_CREATED"]
    assert find_type("forums.post.created") is declared


def test_every_request_of_the_page_does_what_it_says(world: World) -> None:
    world.clients["admin"].delete(world.path("/v1/event-types/{event_type}"))
    for words in requests():
        answer = run(world, words)
        assert answer.status_code == 201, answer.text
    # The owner follows forums.*, and is the user that the last one names.
    assert notified("forums.post.created") == ["owner@example.org"] * 2


def test_users_follow_on_behalf_of_others_as_the_page_shows_it(world: World) -> None:
    names = block("def posted(")
    names["posted"](world.people["owner"], 99)
    names["posted"](world.people["speaker"], 99)
    db.session.commit()
    of_post = select(Listen.user_id).where(Listen.subject == "forums.post:99")
    assert len(db.session.scalars(of_post).all()) == 2
    names["post_deleted"](99)
    assert db.session.scalars(of_post).all() == []


def test_happenings_are_announced_as_the_page_shows_it(world: World) -> None:
    names = block("def moved(")
    session = db.session.get_one(Session, world.ids["session"])
    db.session.add(Listen(user=world.people["stranger"], pattern="sessions.*", session=session))
    names["moved"](session, world.people["owner"])
    names["tell_the_team"](session.event)
    db.session.commit()
    assert notified("sessions.session.rescheduled") == ["stranger@example.org"]
    assert notified("events.event.over") == ["organizer@example.org"]


def test_the_page_names_the_tags_that_are_kept() -> None:
    [sentence] = re.findall(r"these tags are kept(.*?)No\s+pictures", PAGE, re.DOTALL)
    named = set(re.findall(r"`([a-z]+[0-9]?)`", sentence)) - {"href", "title"}
    assert named | {f"h{number}" for number in range(1, 7)} == TAGS
