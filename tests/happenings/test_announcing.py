"""What may be announced: words, data and links in bounds, of declared types, about things that are there."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from app.api.helpers.happenings import HappeningError, notify_happening
from app.happenings.audience import listeners
from app.models import Event, Happening, Session, db
from tests.conftest import People
from tests.support.announced import MESSAGE, TITLE, TYPE


def a_cycle() -> list[object]:
    cycle: list[object] = []
    cycle.append(cycle)
    return cycle


def too_deep() -> list[object]:
    deep: list[object] = []
    for _ in range(100):
        deep = [deep]
    return deep


@pytest.mark.parametrize(
    ("field", "arguments"),
    [
        ("event_type", {"event_type": "nobody.declared.this"}),
        ("event_type", {"event_type": "two.levels"}),
        ("event_type", {"event_type": "Bad Name.x.y"}),
        ("title", {"title": " \n "}),
        ("title", {"title": "x" * 1001}),
        ("message", {"message": ""}),
        ("message", {"message": "a\0b"}),
        ("link", {"link": "javascript:alert(1)"}),
        ("link", {"link": "//evil.example.org/x"}),
        ("link", {"link": "http://[::1"}),
        ("link", {"link": "/\\evil.example.org"}),
        ("subject", {"subject": ""}),
        ("group_key", {"group_key": "x" * 256}),
        ("data", {"data": "x" * 16 * 1024}),
        ("data", {"data": a_cycle()}),
        ("data", {"data": too_deep()}),
        ("data", {"data": float("nan")}),
        ("data", {"data": {"a": "\0"}}),
        ("data", {"data": {1, 2}}),
        ("data", {"data": "\ud800"}),
        ("data", {"data": {"a": "x" * (16 * 1024 - 7)}}),
        ("message", {"message": "\ud800"}),
        ("title", {"title": "half a surrogate \ud800"}),
        ("link", {"link": "http://example.org:99999/"}),
        ("users", {"users": [1, 999_999]}),
        ("users", {"users": [1, 2**70]}),
        ("users", {"users": [1, "ana@example.org"]}),
        ("users", {"users": [True]}),
        ("users", {"event_type": "users.password.changed"}),
        ("users", {"event_type": "users.password.changed", "users": listeners()}),
    ],
)
def test_what_cannot_be_announced_is_refused_with_the_arguments_name(
    database: None, people: People, field: str, arguments: dict[str, object]
) -> None:
    people.user()
    values = {"event_type": TYPE, "title": TITLE, "message": MESSAGE, **arguments}
    with pytest.raises(HappeningError) as caught:
        notify_happening(values.pop("event_type"), values.pop("title"), values.pop("message"), **values)  # type: ignore[arg-type]
    assert caught.value.field == field
    db.session.commit()
    assert db.session.scalar(select(func.count()).select_from(Happening)) == 0


def test_data_of_sixteen_kilobytes_is_kept(database: None) -> None:
    umlauts, numbers = ["ü" * ((16 * 1024 - 4) // 2)], {"a": [1] * (16 * 1024 // 2 - 7), "b": 0}
    for data in (umlauts, numbers):
        happening = notify_happening(TYPE, TITLE, MESSAGE, data=data, users=[])
        db.session.commit()
        db.session.expire_all()
        assert happening.data == data


def test_a_session_of_another_event_is_refused(database: None, people: People) -> None:
    event, other = (people.event(people.user()) for _ in range(2))
    session = Session(title="Talk", event=event)
    db.session.add(session)
    with pytest.raises(HappeningError) as caught:
        notify_happening(TYPE, TITLE, MESSAGE, event=other, session=session, users=[])
    assert caught.value.field == "session"


def test_an_event_is_needed_by_nobody(database: None, people: People) -> None:
    event: Event = people.event(people.user())
    happening = notify_happening(TYPE, TITLE, MESSAGE, event=event, users=[])
    assert happening.event_id == event.id
