"""The grouped inbox: one line for happenings that belong together, in words of the reader's language."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.bidi import ISOLATE, POP
from app.happenings.declared import SESSION_PROPOSED
from app.happenings.types import declared_types
from app.inbox import groups as groups_module
from app.inbox.group_words import GROUP_WORDS, Told, group_title
from app.models import Happening, Notification, User, db
from app.models.base import utc_now
from tests.conftest import People
from tests.support.api import Api
from tests.support.errors import errors_of
from tests.support.rows import statements

KEY = "event:1:proposals"


@pytest.fixture
def ana(people: People) -> User:
    return people.user("ana@example.org")


def tell(user: User, actor: User | None = None, key: str | None = KEY, **more: Any) -> Notification:
    title = more.pop("title", "New session proposal")
    event_type = more.pop("event_type", SESSION_PROPOSED)
    happening = Happening(action="Test", title=title, message="m", actor=actor, group_key=key, event_type=event_type)
    row = Notification(user=user, happening=happening, **more)
    db.session.add(row)
    db.session.commit()
    return row


def named(people: People, *names: str | None) -> list[User]:
    users = [people.user() for _ in names]
    for user, name in zip(users, names, strict=True):
        user.first_name = name
    db.session.commit()
    return users


def lines(answer: TestResponse) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    assert {item["type"] for item in answer.json["data"]} <= {"notification-group"}
    return [{"id": item["id"], **item["attributes"]} for item in answer.json["data"]]


def path(user: User) -> str:
    return f"/v1/users/{user.id}/notification-groups"


def test_happenings_with_one_key_are_one_line_and_others_stand_alone(api: Api, people: People, ana: User) -> None:
    bea, cem, dora = named(people, "Bea", "Cem", "Dora")
    first = tell(ana, bea, is_read=True, read_at=utc_now())
    second = tell(ana, cem)
    alone = tell(ana, dora, key=None, title="By itself")
    third = tell(ana, bea)
    tell(ana, dora, deleted_at=utc_now())
    tell(dora, dora)
    for reader in (ana, people.admin()):
        answer = api.as_(reader).get(path(ana))
        group, single = lines(answer)
        assert group == {
            "id": str(third.id),
            "group-key": KEY,
            "title": "Bea and 1 other proposed sessions",
            "event-type": SESSION_PROPOSED,
            "count": 3,
            "unread-count": 2,
            "received-at": group["received-at"],
            "notification-ids": [str(row.id) for row in (third, second, first)],
        }
        assert (single["group-key"], single["title"], single["count"]) == (None, "By itself", 1)
        assert single["notification-ids"] == [str(alone.id)]
        assert answer.json["meta"] == {"count": 2, "unread-count": 3, "is-complete": True}
    read = {"meta": {"is-read": True, "group-key": KEY}}
    assert api.as_(ana).patch(f"/v1/users/{ana.id}/notifications", read).json["meta"]["updated"] == 2
    assert lines(api.as_(ana).get(path(ana)))[0]["unread-count"] == 0


def test_the_line_is_in_the_language_of_whose_inbox_it_is(api: Api, people: People, ana: User) -> None:
    actors = named(people, *(f"Name{number}" for number in range(12)))
    for actor in actors:
        tell(ana, actor)
    mine = api.as_(ana)
    said = {}
    for language in ("en", "de-AT", "ar"):
        ana.language = language
        db.session.commit()
        said[language] = lines(mine.get(path(ana)))[0]["title"]
    assert said == {
        "en": "Name11 and 11 others proposed sessions",
        "de-AT": "Name11 und 11 weitere haben Beiträge vorgeschlagen",
        "ar": f"مقترحات جلسات من {ISOLATE}Name11{POP} و11 آخرين",
    }


@pytest.mark.parametrize("language", ["en", "de", "ar"])
@pytest.mark.parametrize("event_type", sorted(GROUP_WORDS))
def test_every_number_of_others_is_said_in_every_language(event_type: str, language: str) -> None:
    assert event_type in {each.name for each in declared_types()}
    said = {group_title(Told("News", event_type, 200, "Bea", others), language) for others in range(1, 112)}
    assert len(said) == 111
    assert all("{" not in line and "Bea" in line for line in said)
    assert group_title(Told("News", event_type, 2, "Bea"), language) not in said


def test_a_name_cannot_turn_the_line_or_add_another(people: People, ana: User, api: Api) -> None:
    for actor in named(people, "Bea", "\u202eB\nea"):
        tell(ana, actor)
    assert lines(api.as_(ana).get(path(ana)))[0]["title"] == "B ea and 1 other proposed sessions"


def test_whoever_has_no_name_is_counted_and_what_nobody_did_has_the_newest_title(
    api: Api, people: People, ana: User
) -> None:
    nameless, gone, bea = named(people, None, "Gone", "Bea")
    gone.deleted_at = utc_now()
    for actor in (bea, gone, nameless):
        tell(ana, actor)
    for title in ("First", "Second"):
        tell(ana, key="system", title=title)
    for actor in (bea, nameless):
        tell(ana, actor, key="of no words", event_type=None, title="Some")
    titles = [line["title"] for line in lines(api.as_(ana).get(path(ana)))]
    assert titles == ["Some (+1)", "Second (+1)", "Bea and 2 others proposed sessions"]


def test_pages_and_bounds(api: Api, people: People, ana: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups_module, "MOST", 30)
    for number in range(6):
        tell(ana, key=None, title=str(number))
    for _ in range(26):
        tell(ana)
    mine = api.as_(ana)
    answer = mine.get(path(ana), **{"page[size]": 2})
    big, single = lines(answer)
    assert (big["count"], len(big["notification-ids"])) == (26, groups_module.MAX_IDS)
    assert single["title"] == "5"
    assert answer.json["meta"] == {"count": 5, "unread-count": 32, "is-complete": False}
    assert set(answer.json["links"]) == {"self", "first", "last", "next"}
    assert [line["title"] for line in lines(mine.get(path(ana), limit=2, offset=3))] == ["3", "2"]
    for query in ({"page[after]": ""}, {"sort": "title"}, {"page[size]": 0}, {"limit": 1, "page[size]": 1}):
        refused = mine.get(path(ana), **query)
        assert refused.status_code == 400
        errors_of(refused)
    assert api.as_(people.admin()).get("/v1/users/999/notification-groups").status_code == 404


def test_many_lines_take_as_many_statements_as_one(api: Api, people: People, ana: User) -> None:
    mine, taken = api.as_(ana), []
    actors = named(people, "Bea", "Cem")
    for number in (1, 30):
        for each in range(number):
            tell(ana, actors[each % 2], key=f"key {number}.{each // 2}")
        with statements() as seen:
            mine.get(path(ana))
        taken.append(len(seen))
    assert taken[0] == taken[1]
