"""What changes on the platform is told to whoever follows it, in his language, once, if he may see it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, text

from app.api.helpers.listens import create_user_notification
from app.happenings.telling import fanout
from app.happenings.telling.fanout import some_listening, work_on
from app.models import EventRole, Happening, Mail, MessageSettings, Notification, Session, User, db
from app.models.notification import EVENT_PUBLISH, NEW_SESSION, SESSION_ACCEPT_REJECT, SESSION_SCHEDULE
from tests.conftest import People
from tests.support.api import Api
from tests.support.plans import assert_no_table_is_read_whole, statements_about
from tests.support.rows import count, mailed, notified, statements
from tests.support.world import World, make_world

NOON = "2030-05-01T12:00:00Z"


@pytest.fixture
def world(people: People, api: Api) -> World:
    return make_world(people, api)


@pytest.fixture
def fan(people: People) -> User:
    """Follows everything, in English."""
    return follower(people, "fan")


def follower(people: People, name: str, language: str = "en", pattern: str = "*", **more: Any) -> User:
    user = people.user(f"{name}@example.org")
    user.language = language
    create_user_notification(user, pattern, **more)
    db.session.commit()
    return user


def change(world: World, who: str = "owner", session: str = "session", **attributes: Any) -> None:
    id_ = world.ids[session]
    answer = world.clients[who].update(f"/v1/sessions/{id_}", "session", id_, **attributes)
    assert answer.status_code == 200, answer.text


def propose(world: World, who: str = "speaker") -> int:
    event = ("event", world.ids["event"])
    answer = world.clients[who].create("/v1/sessions", "session", {"title": "New"}, event=event)
    assert answer.status_code == 201
    return int(answer.json["data"]["id"])


def told(user: User) -> list[Happening]:
    """What a user was told of, the first thing first."""
    has = Happening.id == Notification.happening_id
    of_user = select(Happening).join(Notification, has).where(Notification.user_id == user.id).order_by(Happening.id)
    return list(db.session.scalars(of_user))


def titles(user: User) -> list[str]:
    return [happening.title for happening in told(user)]


# --- what is told


def test_another_time_is_told_in_the_app_and_by_mail(world: World, fan: User) -> None:
    change(world, starts_at=NOON)
    [happening] = told(fan)
    assert happening.title == "The time of accepted has changed"
    assert (happening.action, happening.event_type) == (SESSION_SCHEDULE, "sessions.session.rescheduled")
    assert (happening.event_id, happening.session_id) == (world.ids["event"], world.ids["session"])
    assert happening.actor_id == world.people["owner"].id
    assert happening.data == {
        "event-id": str(world.ids["event"]),
        "session-id": str(world.ids["session"]),
        "state": "accepted",
    }
    assert happening.group_key == f"sessions.session.rescheduled:session:{world.ids['session']}"
    [mail] = db.session.scalars(select(Mail).where(Mail.recipient == fan.email))
    assert (mail.subject, mail.happening_id) == (happening.title, happening.id)
    assert mail.message.count(happening.link or "-") == 1


@pytest.mark.parametrize(
    ("session", "state", "expected"),
    [
        ("pending", "accepted", ["pending was accepted"]),
        ("session", "confirmed", ["accepted was confirmed"]),
        # Whoever is not of the team cannot see it any more.
        ("session", "rejected", []),
        ("session", "withdrawn", []),
        ("session", "pending", []),
    ],
)
def test_a_state_is_told_to_whoever_may_see_it(
    world: World, fan: User, session: str, state: str, expected: list[str]
) -> None:
    change(world, session=session, state=state)
    assert titles(fan) == expected
    if expected:
        assert "Your session" not in told(fan)[0].message


def test_a_proposal_is_told_to_the_team_only(world: World, fan: User) -> None:
    moderator, event_id = world.people["stranger"], world.ids["event"]
    for user in (moderator, world.people["organizer"]):
        create_user_notification(user, "sessions.session.proposed")
    db.session.commit()
    before = count(Happening)
    propose(world)
    # The organizer by name already, and therefore once; nobody else may see it, so that there is no other happening.
    assert notified(NEW_SESSION) == ["organizer@example.org", "owner@example.org"]
    assert (titles(fan), titles(moderator), count(Happening)) == ([], [], before + 1)
    db.session.add(EventRole(user_id=moderator.id, event_id=event_id, role="moderator"))
    db.session.commit()
    propose(world)
    assert titles(moderator) == ["New session proposal for Harbour"]


def test_a_published_event_is_told_to_everybody_who_follows_it(world: World, people: People, fan: User) -> None:
    id_ = world.ids["draft"]
    other = follower(people, "other", pattern="events.*")
    world.clients["owner"].update(f"/v1/events/{id_}", "event", id_, state="published")
    assert titles(fan) == titles(other) == ["Secret Draft is published"]
    names = ("fan", "organizer", "other", "owner")
    assert notified(EVENT_PUBLISH) == [f"{name}@example.org" for name in names]


# --- in which words


def test_each_is_told_in_his_language_and_for_each_there_is_one_happening(world: World, people: People) -> None:
    readers = {name: follower(people, name, name) for name in ("de-AT", "ar", "pt-BR", "en", "de")}
    change(world, session="pending", state="accepted")
    found = {name: told(user) for name, user in readers.items()}
    assert [row.title for row in found["de-AT"]] == ["„pending“ wurde angenommen"]
    assert "wurde <strong>" in found["de-AT"][0].message
    assert [row.title for row in found["pt-BR"]] == ["pending was accepted"]
    assert "الجلسة" in found["ar"][0].title
    assert found["de"] == found["de-AT"]
    assert found["en"] == found["pt-BR"]
    listened = select(Happening.id).where(Happening.plan["audience"]["kind"].astext == "listeners")
    assert len(db.session.scalars(listened).all()) == 3
    mails = db.session.scalars(select(Mail).where(Mail.recipient.in_([user.email for user in readers.values()])))
    written = {mail.recipient.removesuffix("@example.org"): mail.language for mail in mails}
    assert written == {"de-AT": "de", "de": "de", "ar": "ar", "pt-BR": "en", "en": "en"}


# --- who is told, and who is not


def test_one_listens_to_one_session_or_one_event(world: World, people: People) -> None:
    session = db.session.get_one(Session, world.ids["session"])
    pending = db.session.get_one(Session, world.ids["pending"])
    of_session = follower(people, "a", pattern="sessions.*", session=session)
    of_event = follower(people, "b", pattern="sessions.*", event=session.event)
    of_other = follower(people, "c", pattern="sessions.*", session=pending)
    change(world, starts_at=NOON)
    assert len(titles(of_session)) == len(titles(of_event)) == 1
    assert titles(of_other) == []


def test_whoever_is_told_by_name_is_not_told_twice(world: World) -> None:
    for name in ("speaker", "organizer", "owner"):
        create_user_notification(world.people[name], "*", includes_own=True)
    db.session.commit()
    change(world, starts_at=NOON)
    assert notified(SESSION_SCHEDULE) == ["organizer@example.org", "owner@example.org", "speaker@example.org"]
    assert len(mailed(SESSION_SCHEDULE)) == 3
    change(world, session="pending", state="accepted")
    # The team is not told of its decisions by name.
    assert notified(SESSION_ACCEPT_REJECT) == ["organizer@example.org", "owner@example.org", "speaker@example.org"]


def test_who_did_it_is_told_only_if_he_asked_for_that(world: World) -> None:
    owner = world.people["owner"]
    create_user_notification(owner, "sessions.*")
    db.session.commit()
    change(world, session="pending", state="accepted")
    assert notified(SESSION_ACCEPT_REJECT) == ["speaker@example.org"]
    create_user_notification(owner, "sessions.*", includes_own=True)
    db.session.commit()
    change(world, session="pending", state="confirmed")
    assert notified(SESSION_ACCEPT_REJECT) == ["owner@example.org", "speaker@example.org"]


def test_what_the_admins_have_switched_off_is_told_to_no_listener(world: World, fan: User) -> None:
    setting = db.session.scalars(select(MessageSettings).where(MessageSettings.action == SESSION_SCHEDULE)).one()
    setting.mail_status = False
    db.session.commit()
    change(world, starts_at=NOON)
    assert len(titles(fan)) == 1
    assert mailed(SESSION_SCHEDULE) == []


def test_a_change_that_is_refused_tells_nobody(world: World, fan: User) -> None:
    id_ = world.ids["session"]
    times = {"starts_at": NOON, "ends_at": "2029-01-01T00:00:00Z"}
    assert world.clients["owner"].update(f"/v1/sessions/{id_}", "session", id_, **times).status_code == 422
    assert titles(fan) == []


def test_many_are_told_after_the_commit(world: World, people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    fans = [follower(people, f"fan{number}", language) for number, language in enumerate(("en", "de", "ar", "en"))]
    monkeypatch.setattr(fanout, "INLINE", 2)
    change(world, starts_at=NOON)
    assert [titles(user) for user in fans] == [[], [], [], []]
    for id_ in db.session.scalars(select(Happening.id).where(Happening.fanout.has())).all():
        while work_on(id_, 60):
            continue
    assert [len(titles(user)) for user in fans] == [1, 1, 1, 1]


# --- what it costs


def test_it_takes_one_statement_where_nobody_listens(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    propose(world)
    with statements() as seen:
        propose(world)
    assert len([each for each in seen if "listens" in each]) == 1
    asked = len(seen)
    monkeypatch.setattr("app.api.helpers.session_messages.tell_listeners", lambda *_: [])
    with statements() as seen:
        propose(world)
    assert len(seen) == asked - 1


def test_nobody_else_s_listens_are_read_for_it(world: World) -> None:
    many = """
        INSERT INTO listens (user_id, pattern, event_id, subject)
        SELECT :user, 'sessions.*', NULL, 'thing:' || number FROM generate_series(1, 20000) AS number
        UNION ALL SELECT id, 'sessions.*', :draft, NULL FROM users
    """
    db.session.execute(text(many), {"user": world.people["stranger"].id, "draft": world.ids["draft"]})
    db.session.commit()
    db.session.execute(text("ANALYZE listens"))
    with statements_about("listens") as seen:
        assert some_listening(Happening(event_type="sessions.session.proposed", event_id=world.ids["event"])) == []
    db.session.commit()
    assert_no_table_is_read_whole(seen, "listens")
    db.session.execute(text("DELETE FROM listens"))
    db.session.execute(text("ANALYZE listens"))
    db.session.commit()


# --- keys of groups, and who did it


def test_the_proposals_of_an_event_have_one_key_and_their_proposer(world: World) -> None:
    propose(world)
    propose(world)
    rows = db.session.scalars(select(Happening).where(Happening.action == NEW_SESSION)).all()
    assert {row.group_key for row in rows} == {f"sessions.session.proposed:event:{world.ids['event']}"}
    assert {row.actor_id for row in rows} == {world.people["speaker"].id}
    assert None not in {row.session_id for row in rows}
