"""`GET /v1/happenings/<id>/explain?user=<id>`: why somebody did or did not get something, channel by channel."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, text

from app.api.helpers.happenings import notify_happening
from app.api.helpers.mail import send_email_new_session, send_email_user_register
from app.api.helpers.notification import send_notif_new_session_organizer, send_notification
from app.happenings.audience import Audience, everyone, listeners, role_on
from app.happenings.declared import EVENT_PUBLISHED, SESSION_PROPOSED
from app.happenings.holding.held import release
from app.happenings.telling import fanout
from app.happenings.telling.recall import recall
from app.models import Happening, Listen, Mail, Notification, User, db
from app.models.base import utc_now
from app.models.mail import NEW_SESSION
from tests.conftest import People
from tests.support.api import Api
from tests.support.errors import errors_of
from tests.support.preferences import keep_quiet, make_held_due, prefer

LINK = "https://example.org/session"


@pytest.fixture
def ana(people: People) -> User:
    return people.user("ana@example.org")


@pytest.fixture
def admin(people: People, api: Api) -> Api:
    return api.as_(people.admin())


def asked(admin: Api, happening: Happening | int, user: User) -> dict[str, Any]:
    id_ = happening if isinstance(happening, int) else happening.id
    answer = admin.get(f"/v1/happenings/{id_}/explain", user=str(user.id))
    assert answer.status_code == 200, answer.text
    assert answer.json["data"]["type"] == "explanation"
    attributes: dict[str, Any] = answer.json["data"]["attributes"]
    return attributes


def why(admin: Api, happening: Happening | int, user: User) -> dict[str, tuple[str, str, str | None]]:
    """Outcome, reason, and what came of it, by channel."""
    channels = asked(admin, happening, user)["channels"]
    assert [each["channel"] for each in channels] == ["in-app", "mail", "sms", "chat"]
    return {
        each["channel"]: (each["outcome"], each["reason"], (each["result"] or {}).get("status")) for each in channels
    }


def belongs(admin: Api, happening: Happening | int, user: User) -> tuple[bool, str]:
    audience = asked(admin, happening, user)["audience"]
    assert audience["sentence"]
    return audience["is-in"], audience["reason"]


def announce(users: Any, event_type: str = SESSION_PROPOSED, **more: Any) -> Happening:
    happening = notify_happening(event_type, "News", "<p>News</p>", users=users, **more)
    db.session.commit()
    return happening


def propose(user: User) -> int:
    """As the API tells of an action of Open Event; returns the happening's id."""
    send_notif_new_session_organizer(user, "Harbour Conference", LINK)
    send_email_new_session(user, "Harbour Conference", LINK)
    db.session.commit()
    return db.session.scalars(select(Happening.id).order_by(Happening.id.desc())).first() or 0


# --- actions of Open Event, told one by one


def test_a_preference_that_stops_the_mail_and_not_the_notification_is_named(admin: Api, ana: User) -> None:
    prefer(ana, "mail", "off", "sessions.*")
    happening = propose(ana)
    attributes = asked(admin, happening, ana)
    assert attributes["audience"] == {
        "is-in": True,
        "reason": "named",
        "sentence": "The user was named by who announced it.",
    }
    notification = db.session.scalars(select(Notification)).one()
    assert attributes["channels"][0] == {
        "channel": "in-app",
        "outcome": "send",
        "reason": "default",
        "sentence": "Told at once: the type tells by this channel.",
        "pattern": None,
        "due-at": None,
        "result": {"type": "notification", "id": str(notification.id), "status": "unread"},
    }
    assert attributes["channels"][1] == {
        "channel": "mail",
        "outcome": "nothing",
        "reason": "user-type",
        "sentence": "Not told: the user's preference for sessions.* says so.",
        "pattern": "sessions.*",
        "due-at": None,
        "result": None,
    }
    assert attributes["channels"][2]["sentence"] == "Not told: the type does not tell by this channel."


def test_who_has_said_nothing_is_explained_too(admin: Api, ana: User, people: People) -> None:
    happening = propose(ana)
    row = db.session.scalars(select(Notification)).one()
    row.mark(is_read=True)
    db.session.commit()
    nothing = ("nothing", "default", None)
    told = {"in-app": ("send", "default", "read"), "mail": ("send", "default", "queued")}
    assert why(admin, happening, ana) == told | {"sms": nothing, "chat": nothing}
    row.deleted_at = utc_now()
    db.session.commit()
    assert why(admin, happening, ana)["in-app"] == ("send", "default", "removed")
    other = people.user()
    assert belongs(admin, happening, other) == (False, "not-named")
    assert set(why(admin, happening, other).values()) == {("nothing", "not-named", None)}


def test_what_the_admins_have_switched_off_and_who_gets_no_mail_of_an_action(admin: Api, ana: User) -> None:
    send_notif_new_session_organizer(ana, "Harbour Conference", LINK)
    db.session.commit()
    first = db.session.scalars(select(Happening.id)).one()
    assert why(admin, first, ana)["mail"] == ("nothing", "not-told", None)
    db.session.execute(
        text("UPDATE message_settings SET mail_status = false WHERE action = :name"), {"name": NEW_SESSION}
    )
    db.session.commit()
    assert why(admin, propose(ana), ana)["mail"] == ("nothing", "admin", None)


def test_wishes_that_the_admins_do_not_let_count_are_said_not_to_count(admin: Api, ana: User) -> None:
    prefer(ana, "mail", "off")
    db.session.execute(text("UPDATE message_settings SET user_control_status = false"))
    db.session.commit()
    happening = propose(ana)
    mail = asked(admin, happening, ana)["channels"][1]
    assert (mail["outcome"], mail["reason"], mail["result"]["status"]) == ("send", "default", "queued")
    assert mail["sentence"].endswith("the admins do not let users decide on it.")


def test_a_digest_is_held_then_sent_or_not_needed(admin: Api, ana: User) -> None:
    prefer(ana, "mail", "daily", "sessions.*")
    first, second = propose(ana), propose(ana)
    held = asked(admin, first, ana)["channels"][1]
    assert (held["outcome"], held["reason"], held["pattern"]) == ("digest", "user-type", "sessions.*")
    assert held["result"]["type"] == "held-mail"
    assert held["due-at"].endswith("Z")
    db.session.scalars(select(Notification).where(Notification.happening_id == second)).one().mark(is_read=True)
    make_held_due()
    assert sum(release(utc_now())) == 1
    mail = db.session.scalars(select(Mail)).one()
    assert asked(admin, first, ana)["channels"][1]["result"] == {"type": "mail", "id": str(mail.id), "status": "queued"}
    assert why(admin, second, ana)["mail"] == ("nothing", "read", None)


def test_quiet_hours_and_waiting_for_a_reader(admin: Api, ana: User, people: People) -> None:
    ends = keep_quiet(ana)
    mail = asked(admin, propose(ana), ana)["channels"][1]
    assert (mail["outcome"], mail["due-at"], mail["result"]["status"]) == (
        "later",
        f"{ends:%FT%T.000000Z}",
        "scheduled",
    )
    ben = people.user("ben@example.org")
    prefer(ben, "mail", "unread", minutes=30)
    assert why(admin, propose(ben), ben)["mail"] == ("unless-read", "user-channel", "unread")


def test_a_mail_without_a_notification_is_explained_where_a_preference_stopped_it(admin: Api, ana: User) -> None:
    prefer(ana, "mail", "off")
    send_email_user_register(ana)
    db.session.commit()
    happening = db.session.scalars(select(Happening)).one()
    assert why(admin, happening, ana)["mail"] == ("nothing", "user-channel", None)


def test_an_action_of_somebodys_own_is_just_told(admin: Api, ana: User) -> None:
    send_notification(ana, "Test", "News", "<p>News</p>")
    db.session.commit()
    happening = db.session.scalars(select(Happening)).one()
    assert asked(admin, happening, ana)["event-type"] is None
    assert why(admin, happening, ana)["in-app"] == ("send", "default", "unread")
    assert why(admin, happening, ana)["mail"] == ("nothing", "default", None)


# --- happenings that many are told of


def test_listeners_and_why_others_are_none(admin: Api, ana: User, people: People) -> None:
    actor, stranger, late = people.user("actor@example.org"), people.user(), people.user()
    draft = people.event(people.user("owner@example.org"), state="draft")
    for user in (ana, actor):
        db.session.add(Listen(user_id=user.id, pattern="events.*"))
    db.session.commit()
    published = announce(listeners(), EVENT_PUBLISHED, actor=actor)
    hidden = announce(None, EVENT_PUBLISHED, actor=actor, event=draft)
    db.session.add(Listen(user_id=late.id, pattern="events.*"))
    db.session.commit()
    assert belongs(admin, published, ana) == (True, "listeners")
    assert why(admin, published, ana)["mail"] == ("send", "default", "queued")
    assert belongs(admin, published, actor) == (False, "actor")
    assert belongs(admin, published, stranger) == (False, "not-listening")
    assert belongs(admin, published, late) == (False, "not-listening")
    assert belongs(admin, hidden, ana) == (False, "cannot-see")
    assert why(admin, hidden, ana)["in-app"] == ("nothing", "cannot-see", None)


def test_named_roles_everyone_and_those_told_in_other_words(admin: Api, ana: User, people: People) -> None:
    owner, ben = people.user("owner@example.org"), people.user("ben@example.org")
    event = people.event(owner)
    named = announce([ana])
    assert (belongs(admin, named, ana), belongs(admin, named, ben)) == ((True, "named"), (False, "not-named"))
    team = announce(role_on(event, "owner"))
    assert (belongs(admin, team, owner), belongs(admin, team, ben)) == ((True, "roles"), (False, "not-named"))
    everybody = announce(everyone(), besides=[ben], actor=ana)
    assert belongs(admin, everybody, owner) == (True, "everyone")
    assert belongs(admin, everybody, ben) == (False, "other-words")
    assert belongs(admin, everybody, ana) == (False, "actor")
    german = announce(Audience("everyone", language="de"))
    assert belongs(admin, german, ana) == (False, "other-language")
    newcomer = people.user()
    assert belongs(admin, everybody, newcomer) == (False, "not-named")


def test_an_address_that_is_not_confirmed_gets_no_mail(admin: Api, people: People) -> None:
    user = people.user(verified=False)
    happening = announce([user])
    assert why(admin, happening, user)["mail"] == ("nothing", "unreachable", None)
    prefer(user, "mail", "on", "sessions.*")
    assert why(admin, announce([user]), user)["mail"] == ("nothing", "unreachable", None)


def test_whose_turn_has_not_come_waits_and_what_was_taken_back_says_so(
    admin: Api, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fanout, "INLINE", 1)
    users = [people.user() for _ in range(3)]
    stranger = people.user()
    named, everybody = announce(users), announce(everyone())
    for happening in (named, everybody):
        assert belongs(admin, happening, users[0]) == (False, "waiting")
        assert set(why(admin, happening, users[0]).values()) == {("waiting", "waiting", None)}
    assert belongs(admin, named, stranger) == (False, "not-named")
    while fanout.work_on(named.id, 5):
        pass
    assert belongs(admin, named, users[0]) == (True, "named")
    db.session.execute(text("UPDATE fanouts SET state = 'recalled', finished_at = now()"))
    db.session.execute(text("UPDATE notifications SET deleted_at = now()"))
    db.session.commit()
    assert belongs(admin, named, users[0]) == (False, "recalled")
    assert why(admin, named, users[0])["in-app"] == ("send", "default", "removed")
    assert why(admin, everybody, users[0])["in-app"] == ("nothing", "recalled", None)


def test_a_mail_that_a_recall_has_stopped_was_sent_to_nobody(admin: Api, people: People) -> None:
    asleep, awake = people.user(), people.user()
    keep_quiet(asleep)
    happening = announce([asleep, awake])
    recall(happening.id)
    db.session.commit()
    for user in (asleep, awake):
        assert why(admin, happening, user)["in-app"] == ("send", "default", "removed")
        assert why(admin, happening, user)["mail"] == ("nothing", "recalled", "cancelled")
    shown = asked(admin, happening, asleep)["channels"][1]
    assert (shown["sentence"], shown["due-at"]) == ("Not told: it was taken back.", None)


def test_who_was_named_and_told_by_no_channel_is_told_why(admin: Api, people: People) -> None:
    users = [people.user(), people.user(verified=False), people.user()]
    prefer(users[2], "mail", "off")
    stranger = people.user()
    for column in ("mail_status", "notification_status"):
        db.session.execute(text(f"UPDATE message_settings SET {column} = false"))
        happening = announce(users)
        assert [belongs(admin, happening, user) for user in users] == [(True, "named")] * 3
        assert belongs(admin, happening, stranger) == (False, "not-named")
        if column == "notification_status":
            nothing = ("nothing", "admin", None)
            for user in users:
                assert why(admin, happening, user)["in-app"] == why(admin, happening, user)["mail"] == nothing


def test_who_signed_up_afterwards_was_not_told_by_mail_alone_either(admin: Api, ana: User, people: People) -> None:
    db.session.execute(text("UPDATE message_settings SET notification_status = false"))
    happening = announce(everyone())
    assert why(admin, happening, ana)["mail"] == ("send", "default", "queued")
    late = people.user()
    assert belongs(admin, happening, late) == (False, "not-named")
    assert why(admin, happening, late)["mail"] == ("nothing", "not-named", None)


# --- who may ask, and what


def test_only_admins_ask_and_only_of_what_is_there(admin: Api, api: Api, ana: User, people: People) -> None:
    happening = propose(ana)
    path = f"/v1/happenings/{happening}/explain"
    assert api.get(path, user=str(ana.id)).status_code == 401
    assert api.as_(ana).get(path, user=str(ana.id)).status_code == 403
    gone = people.user()
    gone.deleted_at = utc_now()
    db.session.commit()
    for query, status in (
        ({}, 400),
        ({"user": ""}, 400),
        ({"user": "ana"}, 400),
        ({"user": "-1"}, 400),
        ({"user": "9" * 30}, 400),
        ({"user": "999"}, 404),
        ({"user": str(gone.id)}, 404),
        ({"user": "1", "channel": "mail"}, 400),
    ):
        answer = admin.get(path, **query)
        assert answer.status_code == status, query
        assert errors_of(answer)
    assert admin.get("/v1/happenings/999/explain", user=str(ana.id)).status_code == 404
    assert admin.post(path, {}).status_code == 405
