"""How a user wants to be told: what is read, what takes whose place, and every shape that is refused."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, select

from app.models import DeliveryHours, EventTypeRow, Happening, Preference, User, db
from app.models.mail import NEW_SESSION
from tests.conftest import People
from tests.support.api import Api
from tests.support.errors import pointer_of
from tests.support.rows import mailed, notified
from tests.support.world import World

NOTHING_SAID = {
    "channels": {},
    "types": [],
    "quiet-hours": None,
    "digest": {"hour": 8, "weekday": "monday"},
    "timezone": "UTC",
    "available-channels": ["in-app", "mail", "sms", "chat"],
}
ATTRIBUTES = "/data/attributes"


@pytest.fixture
def ana(people: People) -> User:
    return people.user("ana@example.org")


def path(user: User) -> str:
    return f"/v1/users/{user.id}/preferences"


def change(api: Api, user: User, **attributes: Any) -> Any:
    return api.as_(user).update(path(user), "preferences", user.id, **attributes)


def said(api: Api, user: User) -> dict[str, Any]:
    answer = api.as_(user).get(path(user))
    assert answer.status_code == 200, answer.text
    attributes: dict[str, Any] = answer.json["data"]["attributes"]
    return attributes


def has_preferences(user: User) -> bool:
    db.session.refresh(user)
    return user.has_preferences


def test_who_has_said_nothing_reads_what_holds_for_everybody(api: Api, ana: User) -> None:
    answer = api.as_(ana).get(path(ana))
    assert answer.json["data"] == {"type": "preferences", "id": str(ana.id), "attributes": NOTHING_SAID}
    assert answer.json["links"] == {"self": path(ana)}
    assert not has_preferences(ana)


def test_what_is_said_is_kept_and_read_back_by_the_user_and_by_admins(api: Api, ana: User, people: People) -> None:
    wishes = {
        "channels": {"mail": {"mode": "unread", "minutes": 30}, "sms": {"mode": "off", "minutes": None}},
        "types": [
            {"type": "sessions.*", "channel": "mail", "mode": "daily", "minutes": None},
            {"type": "sessions.session.decided", "channel": "in-app", "mode": "off", "minutes": None},
        ],
        "quiet-hours": {"from": "22:00", "until": "07:00"},
        "digest": {"hour": 17, "weekday": "friday"},
    }
    answer = change(api, ana, **wishes)
    assert answer.status_code == 200, answer.text
    assert answer.json["data"]["attributes"] == NOTHING_SAID | wishes
    assert said(api, ana) == NOTHING_SAID | wishes
    assert api.as_(people.admin()).get(path(ana)).json["data"]["attributes"] == NOTHING_SAID | wishes
    assert has_preferences(ana)
    # What was read can be sent back as it is.
    assert change(api, ana, **said(api, ana)).status_code == 200


def test_an_attribute_that_is_given_takes_the_place_of_what_it_was_and_others_stay(api: Api, ana: User) -> None:
    change(
        api, ana, channels={"mail": {"mode": "off"}, "chat": {"mode": "on"}}, digest={"hour": 6, "weekday": "sunday"}
    )
    wish = {"type": "orders.*", "channel": "mail", "mode": "on", "minutes": None}
    change(api, ana, types=[wish])
    change(api, ana, channels={"mail": {"mode": "weekly"}, "sms": None}, digest={"hour": 7})
    attributes = said(api, ana)
    assert attributes["channels"] == {"mail": {"mode": "weekly", "minutes": None}}
    assert attributes["types"] == [wish]
    assert attributes["digest"] == {"hour": 7, "weekday": "monday"}


def test_who_takes_all_back_has_said_nothing(api: Api, ana: User) -> None:
    change(api, ana, channels={"mail": {"mode": "off"}}, quiet_hours={"from": "22:00", "until": "07:00"})
    change(api, ana, channels={}, quiet_hours=None, digest={})
    assert said(api, ana) == NOTHING_SAID
    assert not has_preferences(ana)
    assert db.session.scalars(select(DeliveryHours)).all() == []


def test_quiet_hours_alone_are_something_said(api: Api, ana: User) -> None:
    change(api, ana, quiet_hours={"from": "22:00", "until": "07:00"})
    assert has_preferences(ana)


def test_an_admin_reads_and_does_not_write_and_nobody_else_does_either(api: Api, ana: User, people: People) -> None:
    admin, ben = people.admin(), people.user()
    body = {"data": {"type": "preferences", "id": str(ana.id), "attributes": {"channels": {}}}}
    assert api.as_(admin).patch(path(ana), body).status_code == 403
    assert api.as_(ben).patch(path(ana), body).status_code == 403
    assert api.as_(ben).get(path(ana)).status_code == 403
    assert api.as_(admin).get("/v1/users/999/preferences").status_code == 404
    assert api.as_(ana).post(path(ana), body).status_code == 405
    assert api.as_(ana).get(path(ana), filter="[]").status_code == 400


def test_a_type_declared_over_the_api_can_be_named_and_stays_when_it_is_gone(api: Api, ana: User) -> None:
    wish = {"type": "forums.post.*", "channel": "mail", "mode": "off", "minutes": None}
    assert pointer_of(change(api, ana, types=[wish])) == f"{ATTRIBUTES}/types/0/type"
    db.session.add(EventTypeRow(name="forums.post.comment.new", title="A comment"))
    db.session.commit()
    assert change(api, ana, types=[wish]).status_code == 200
    db.session.execute(delete(EventTypeRow).where(EventTypeRow.name == "forums.post.comment.new"))
    db.session.commit()
    assert change(api, ana, types=said(api, ana)["types"]).status_code == 200


def wish(**values: Any) -> list[dict[str, Any]]:
    return [{"type": "sessions.*", "channel": "mail", "mode": "off", **values}]


@pytest.mark.parametrize(
    ("attributes", "pointer"),
    [
        ({"channels": None}, "channels"),
        ({"channels": []}, "channels"),
        ({"channels": {"pigeon": {"mode": "on"}}}, "channels/pigeon"),
        ({"channels": {"mail": "on"}}, "channels/mail"),
        ({"channels": {"mail": {}}}, "channels/mail/mode"),
        ({"channels": {"mail": {"mode": "never"}}}, "channels/mail/mode"),
        ({"channels": {"mail": {"mode": ["on"]}}}, "channels/mail/mode"),
        ({"channels": {"sms": {"mode": "daily"}}}, "channels/sms/mode"),
        ({"channels": {"in-app": {"mode": "unread", "minutes": 5}}}, "channels/in-app/mode"),
        ({"channels": {"mail": {"mode": "unread"}}}, "channels/mail/minutes"),
        ({"channels": {"mail": {"mode": "unread", "minutes": 0}}}, "channels/mail/minutes"),
        ({"channels": {"mail": {"mode": "unread", "minutes": 10**30}}}, "channels/mail/minutes"),
        ({"channels": {"mail": {"mode": "unread", "minutes": True}}}, "channels/mail/minutes"),
        ({"channels": {"mail": {"mode": "unread", "minutes": "5"}}}, "channels/mail/minutes"),
        ({"channels": {"mail": {"mode": "on", "minutes": 5}}}, "channels/mail/minutes"),
        ({"channels": {"mail": {"mode": "on", "a/b": 5}}}, "channels/mail/a~1b"),
        ({"types": {}}, "types"),
        ({"types": wish() * 201}, "types"),
        ({"types": [None]}, "types/0"),
        ({"types": wish() + wish(mode="on")}, "types/1"),
        ({"types": wish(type=None)}, "types/0/type"),
        ({"types": wish(type="*")}, "types/0/type"),
        ({"types": wish(type="sesions.*")}, "types/0/type"),
        ({"types": wish(type="sessions.session.decided ")}, "types/0/type"),
        ({"types": wish(channel=None)}, "types/0/channel"),
        ({"types": wish(channel={})}, "types/0/channel"),
        ({"types": wish(channel="sms", mode="weekly")}, "types/0/mode"),
        ({"types": wish(pattern="*")}, "types/0/pattern"),
        ({"quiet-hours": "22:00"}, "quiet-hours"),
        ({"quiet-hours": {"from": "22:00"}}, "quiet-hours/until"),
        ({"quiet-hours": {"from": "24:00", "until": "07:00"}}, "quiet-hours/from"),
        ({"quiet-hours": {"from": "22:00", "until": "7:00"}}, "quiet-hours/until"),
        ({"quiet-hours": {"from": "٢٢:00", "until": "07:00"}}, "quiet-hours/from"),
        ({"quiet-hours": {"from": "22:00", "until": "22:00"}}, "quiet-hours/until"),
        ({"digest": None}, "digest"),
        ({"digest": {"hour": 24}}, "digest/hour"),
        ({"digest": {"hour": 8.0}}, "digest/hour"),
        ({"digest": {"hour": None}}, "digest/hour"),
        ({"digest": {"weekday": 0}}, "digest/weekday"),
        ({"digest": {"minute": 0}}, "digest/minute"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_whatever_cannot_be_is_refused_where_it_is_and_changes_nothing(
    api: Api, ana: User, attributes: dict[str, Any], pointer: str
) -> None:
    answer = change(api, ana, **attributes)
    assert answer.status_code == 422
    assert pointer_of(answer) == f"{ATTRIBUTES}/{pointer}"
    assert db.session.scalars(select(Preference)).all() == []
    assert not has_preferences(ana)


def test_two_changes_at_once_leave_what_one_of_them_said_and_never_half_of_each(
    app: Flask, api: Api, ana: User
) -> None:
    url, id_, owner = path(ana), ana.id, api.as_(ana)
    barrier, codes = threading.Barrier(4), []

    def say(mode: str) -> None:
        body = {
            "data": {
                "type": "preferences",
                "id": str(id_),
                "attributes": {"channels": {name: {"mode": mode} for name in ("in-app", "mail", "sms", "chat")}},
            }
        }
        with app.app_context():
            barrier.wait()
            codes.append(Api(app.test_client(), owner.token).patch(url, body).status_code)

    threads = [threading.Thread(target=say, args=(mode,)) for mode in ("on", "off", "on", "off")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [200] * 4
    modes = {wish["mode"] for wish in said(api, ana)["channels"].values()}
    assert len(modes) == 1


def test_a_preference_stops_the_mail_of_a_proposal_and_not_the_notification_and_an_admin_reads_why(
    world: World,
) -> None:
    organizer = world.clients["organizer"]
    user_id = db.session.scalars(select(User.id).where(User.email == "organizer@example.org")).one()
    wishes = [{"type": "sessions.*", "channel": "mail", "mode": "off"}]
    path = f"/v1/users/{user_id}/preferences"
    assert organizer.update(path, "preferences", user_id, types=wishes).status_code == 200
    event = ("event", world.ids["event"])
    answer = world.clients["owner"].create("/v1/sessions", "session", {"title": "Knots"}, event=event)
    assert answer.status_code == 201, answer.text
    assert mailed(NEW_SESSION) == ["owner@example.org"]
    assert notified(NEW_SESSION) == ["organizer@example.org", "owner@example.org"]
    happening = db.session.scalars(select(Happening.id).order_by(Happening.id.desc())).first()
    explained = world.clients["admin"].get(f"/v1/happenings/{happening}/explain", user=str(user_id)).json
    found = {each["channel"]: (each["outcome"], each["reason"]) for each in explained["data"]["attributes"]["channels"]}
    assert found["in-app"] == ("send", "default")
    assert found["mail"] == ("nothing", "user-type")
