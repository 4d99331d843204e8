"""Who is told: users, a query, those who have a role on an event, and whoever listens."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from app.api.helpers.happenings import notify_happening
from app.happenings.audience import Audience, AudienceError, everyone, role_on, speakers_of, ticket_holders_of
from app.happenings.telling import fanout
from app.models import (
    Attendee,
    Event,
    EventRole,
    Listen,
    Order,
    Session,
    Ticket,
    User,
    db,
)
from app.models.base import utc_now
from tests.conftest import People
from tests.support.announced import MESSAGE, TITLE, TYPE, finish, ids_of, mailed, told


def test_a_select_of_users_or_of_ids_is_an_audience(database: None, crowd: list[User]) -> None:
    wanted = User.email.in_(["crowd1@example.org", "crowd2@example.org"])
    for statement in (select(User.id).where(wanted), select(User).where(wanted).order_by(User.email)):
        happening = notify_happening(TYPE, TITLE, MESSAGE, users=statement)
        db.session.commit()
        assert told(happening) == ids_of(crowd[1:3])


def test_a_select_of_the_first_few_is_told_to_these(database: None, crowd: list[User]) -> None:
    latest = select(User).order_by(User.id.desc()).limit(2)
    happening = notify_happening(TYPE, TITLE, MESSAGE, users=latest)
    db.session.commit()
    assert told(happening) == ids_of(crowd[-2:])


def test_a_role_the_speakers_and_the_ticket_holders_of_an_event_are_audiences(database: None, people: People) -> None:
    owner, moderator, speaker, buyer, guest = (people.user(f"{name}@example.org") for name in "omsbg")
    event = people.event(owner, moderator=moderator)
    people.speaker(event, user=None, email="S@example.org")
    people.speaker(event, user=owner, email="nobody@example.org")
    ticket = Ticket(name="Seat", event=event)
    order = Order(user=buyer, event=event, status="completed", completed_at=utc_now())
    open_order = Order(user=owner, event=event)
    db.session.add_all(
        [
            Attendee(firstname="G", email="g@example.org", event=event, ticket=ticket, order=order),
            Attendee(firstname="X", email="unknown@example.org", event=event, ticket=ticket, order=order),
            Attendee(firstname="M", email="m@example.org", event=event, ticket=ticket, order=open_order),
        ]
    )
    db.session.commit()
    expected: list[tuple[Audience, list[User]]] = [
        (role_on(event, "owner"), [owner]),
        (role_on(event), [owner, moderator]),
        (speakers_of(event), [speaker]),
        (ticket_holders_of(event), [buyer, guest]),
    ]
    for audience, users in expected:
        happening = notify_happening(TYPE, TITLE, MESSAGE, event=event, users=audience)
        db.session.commit()
        assert told(happening) == ids_of(users), audience.kind
    event.deleted_at = utc_now()
    db.session.commit()
    for audience, _ in expected:
        assert told(notify_happening(TYPE, TITLE, MESSAGE, users=audience)) == [], audience.kind


def test_an_audience_of_an_event_that_was_only_just_added_is_found(database: None, people: People) -> None:
    ana = people.user()
    event = Event(name="New", starts_at=utc_now(), ends_at=utc_now())
    db.session.add_all([event, EventRole(event=event, user=ana, role="owner")])
    assert told(notify_happening(TYPE, TITLE, MESSAGE, event=event, users=role_on(event, "owner"))) == [ana.id]


def test_a_role_that_is_none_and_an_event_that_is_nowhere_are_no_audience(database: None, people: People) -> None:
    with pytest.raises(AudienceError, match="owner, organizer"):
        role_on(people.event(people.user()), "organiser")
    for make in (role_on, speakers_of, ticket_holders_of):
        with pytest.raises(AudienceError, match="not in the database"):
            make(Event(name="Nowhere"))


@pytest.mark.parametrize(
    ("pattern", "hears"),
    [
        (TYPE, True),
        ("sessions.*", True),
        ("sessions.session.*", True),
        ("*", True),
        ("sessions.session.proposed", False),
        ("session.*", False),
        ("events.*", False),
        ("sessions.sess.*", False),
    ],
)
def test_whoever_listens_to_the_type_or_a_prefix_is_told(
    database: None, people: People, pattern: str, hears: bool
) -> None:
    ana = people.user()
    db.session.add(Listen(user_id=ana.id, pattern=pattern))
    db.session.commit()
    assert told(notify_happening(TYPE, TITLE, MESSAGE)) == ([ana.id] if hears else [])


def test_all_are_told_who_follow_it_by_several_listens(
    database: None, crowd: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    """More listens than people who are told with the commit, though they are not so many people."""
    monkeypatch.setattr(fanout, "INLINE", 30)
    eager = [Listen(user=user, pattern=pattern) for user in crowd[:15] for pattern in (TYPE, "sessions.*", "*")]
    db.session.add_all([*eager, *(Listen(user=user, pattern=TYPE) for user in crowd[15:])])
    db.session.commit()
    happening = notify_happening(TYPE, TITLE, MESSAGE)
    db.session.commit()
    finish(happening)
    assert told(happening) == ids_of(crowd)
    assert len(mailed(happening)) == len(crowd)


def test_a_listen_on_one_thing_hears_of_this_thing_only(database: None, people: People) -> None:
    owner, ana, ben, cleo = (people.user() for _ in range(4))
    event, other = people.event(owner), people.event(owner)
    session = Session(title="Talk", event=event, state="accepted")
    db.session.add(session)
    db.session.flush()
    db.session.add_all(
        [
            Listen(user_id=ana.id, pattern="sessions.*", event_id=event.id),
            Listen(user_id=ben.id, pattern="sessions.*", session_id=session.id),
            Listen(user_id=cleo.id, pattern="*", subject="forums.post:9"),
        ]
    )
    db.session.commit()
    assert told(notify_happening(TYPE, TITLE, MESSAGE, session=session)) == [ana.id, ben.id]
    assert told(notify_happening(TYPE, TITLE, MESSAGE, event=event)) == [ana.id]
    assert told(notify_happening(TYPE, TITLE, MESSAGE, event=other)) == []
    assert told(notify_happening(TYPE, TITLE, MESSAGE)) == []
    assert told(notify_happening(TYPE, TITLE, MESSAGE, subject="forums.post:9")) == [cleo.id]


def test_a_listener_hears_only_of_what_he_may_see(database: None, people: People) -> None:
    owner, speaker, stranger, admin = people.user(), people.user(), people.user(), people.admin()
    event = people.event(owner)
    session = Session(title="Talk", event=event, speakers=[people.speaker(event, speaker)])
    db.session.add(session)
    db.session.add_all([Listen(user=user, pattern="*") for user in (owner, speaker, stranger, admin)])
    db.session.commit()
    everybody = ids_of([owner, speaker, stranger, admin])
    assert told(notify_happening(TYPE, TITLE, MESSAGE, session=session)) == ids_of([owner, speaker, admin])
    session.state = "accepted"
    assert told(notify_happening(TYPE, TITLE, MESSAGE, session=session)) == everybody
    event.state = "draft"
    assert told(notify_happening(TYPE, TITLE, MESSAGE, event=event)) == ids_of([owner, admin])
    event.deleted_at = utc_now()
    assert told(notify_happening(TYPE, TITLE, MESSAGE, event=event)) == []


def test_the_actor_is_told_of_his_own_deed_only_if_he_asked(database: None, crowd: list[User]) -> None:
    ana, ben = crowd[:2]
    db.session.add_all([Listen(user=user, pattern="sessions.*") for user in (ana, ben)])
    db.session.commit()
    assert told(notify_happening(TYPE, TITLE, MESSAGE, actor=ana)) == [ben.id]
    assert told(notify_happening(TYPE, TITLE, MESSAGE, actor=ana, users=[ana, ben])) == [ben.id]
    db.session.execute(update(Listen).where(Listen.user_id == ana.id).values(includes_own=True))
    assert told(notify_happening(TYPE, TITLE, MESSAGE, actor=ana)) == [ana.id, ben.id]


def test_who_is_told_in_other_words_is_not_told_again(database: None, crowd: list[User]) -> None:
    assert told(notify_happening(TYPE, TITLE, MESSAGE, users=everyone(), besides=crowd[2:])) == ids_of(crowd[:2])
