"""The types of happenings: the program's own, and those that admins and other programs declare."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from app.happenings.declared import SESSION_PROPOSED
from app.happenings.types import declared_types, find_type
from app.models import EventTypeRow, Happening, Listen, MessageSettings, db
from app.models.mail import NEW_SESSION
from tests.support.api import Api
from tests.support.errors import errors_of, pointer_of
from tests.support.rows import activities
from tests.support.world import World

PATH = "/v1/event-types"
NEW = {"name": "forums.post.comment.new", "title": "A new comment", "channels": ["in-app", "sms"]}


def declare(who: Api, **attributes: Any) -> Any:
    return who.create(PATH, "event-type", {**NEW, **attributes})


def switches(action: str) -> MessageSettings | None:
    return db.session.scalar(select(MessageSettings).where(MessageSettings.action == action))


def test_the_types_of_the_program_are_listed(world: World) -> None:
    answer = world.clients["stranger"].get(PATH, **{"page[size]": 100, "filter[origin]": "code"})
    shown = {item["attributes"]["name"]: item["attributes"] for item in answer.json["data"]}
    assert set(shown) == {each.name for each in declared_types()}
    proposed = shown[SESSION_PROPOSED]
    assert sorted(proposed["channels"]) == ["in-app", "mail"]
    assert (proposed["is-listenable"], proposed["is-critical"], proposed["origin"]) == (True, False, "code")


@pytest.mark.parametrize("who", ["admin", "service"])
def test_one_is_declared_with_its_switches(world: World, who: str) -> None:
    answer = declare(world.clients[who])
    assert answer.status_code == 201
    shown = answer.json["data"]["attributes"]
    assert {name: shown[name] for name in NEW} == NEW
    assert (shown["origin"], shown["is-critical"], shown["is-listenable"]) == ("api", False, True)
    assert find_type("forums.post.comment.new").channels == {"in-app", "sms"}
    assert switches("forums.post.comment.new") is not None
    again = declare(world.clients[who])
    assert again.status_code == 409
    assert pointer_of(again) == "/data/attributes/name"
    assert declare(world.clients[who], name=SESSION_PROPOSED).status_code == 409


def test_only_an_admin_declares_what_nobody_can_switch_off(world: World) -> None:
    refused = declare(world.clients["service"], **{"is-critical": True})
    assert refused.status_code == 403
    assert pointer_of(refused) == "/data/attributes/is-critical"
    assert declare(world.clients["admin"], **{"is-critical": True}).status_code == 201
    setting = switches("forums.post.comment.new")
    assert setting is not None
    path, admin = f"/v1/message-settings/{setting.id}", world.clients["admin"]
    off = admin.update(path, "message-setting", setting.id, sms_status=False)
    assert off.status_code == 422
    assert pointer_of(off) == "/data/attributes/sms-status"
    same = admin.update(path, "message-setting", setting.id, mail_status=False)
    assert same.status_code == 200
    shown = same.json["data"]["attributes"]
    assert (shown["critical"], shown["event-type"]) == (True, "forums.post.comment.new")


def test_the_switches_of_a_type_have_no_texts_and_no_preview(world: World) -> None:
    declare(world.clients["admin"])
    setting, admin = switches("forums.post.comment.new"), world.clients["admin"]
    assert setting is not None
    shown = admin.get(f"/v1/message-settings/{setting.id}").json["data"]["attributes"]
    assert {name: value for name, value in shown.items() if value is None}.keys() == {
        *("recipient", "email-subject", "email-message", "notification-title", "notification-message")
    }
    preview = admin.get(f"/v1/message-settings/{setting.id}/preview")
    assert preview.status_code == 404
    assert "no texts of its own" in errors_of(preview)[0]["detail"]
    of_action = switches(NEW_SESSION)
    assert of_action is not None
    shown = admin.get(f"/v1/message-settings/{of_action.id}").json["data"]["attributes"]
    assert shown["event-type"] == SESSION_PROPOSED


REFUSED: dict[str, tuple[Any, ...]] = {
    "name": (
        *(None, 7, "", "forums.post", "Forums.post.new", "a.b.c ", "a..b", "a.b.*"),
        *("a.b." + "c" * 300, "é.b.c", "a.b.c\n", ".a.b.c"),
    ),
    "title": (None, "", " ", "x" * 256, 5, "a\nb"),
    "description": ("x" * 2001, 5),
    "channels": (None, "mail", ["fax"], [["mail"]], [None], {"mail": 1}),
    "is-critical": (None, "true", 1),
    "is-listenable": (None, 0),
    "nothing": (1,),
}


def test_what_cannot_be_is_refused_with_its_place(world: World) -> None:
    for name, values in REFUSED.items():
        for value in values:
            answer = declare(world.clients["admin"], **{name: value})
            assert answer.status_code == 422
            assert pointer_of(answer) == f"/data/attributes/{name}"


def test_a_channel_that_is_named_twice_is_there_once(world: World) -> None:
    answer = declare(world.clients["admin"], channels=["mail", "mail"])
    assert answer.json["data"]["attributes"]["channels"] == ["mail"]


def test_it_is_changed_by_admins_except_its_name(world: World) -> None:
    admin, path = world.clients["admin"], world.path(PATH + "/{event_type}")
    id_ = world.ids["event_type"]
    item = admin.get(path).json["data"]
    item["attributes"] |= {"title": "Posts", "is-listenable": False, "origin": "code"}
    answer = admin.patch(path, {"data": item})
    assert answer.status_code == 200
    assert answer.json["data"]["attributes"]["title"] == "Posts"
    assert answer.json["data"]["attributes"]["origin"] == "api"
    renamed = admin.update(path, "event-type", id_, name="forums.post.renamed")
    assert renamed.status_code == 422
    assert pointer_of(renamed) == "/data/attributes/name"
    assert activities()[-1] == "Type of happenings forums.post.created changed: is_listenable, title"


def test_those_of_the_program_are_neither_changed_nor_deleted(world: World) -> None:
    id_ = db.session.scalar(select(EventTypeRow.id).where(EventTypeRow.name == SESSION_PROPOSED))
    admin = world.clients["admin"]
    for answer in (
        admin.update(f"{PATH}/{id_}", "event-type", id_ or 0, title="x"),
        admin.delete(f"{PATH}/{id_}"),
    ):
        assert answer.status_code == 403
        assert "in the program" in errors_of(answer)[0]["detail"]


def test_one_that_is_deleted_leaves_happenings_and_listens_as_they_are(world: World) -> None:
    declare(world.clients["admin"])
    name = "forums.post.comment.new"
    id_ = db.session.scalar(select(EventTypeRow.id).where(EventTypeRow.name == name))
    happening = Happening(action=name, event_type=name, title="New", message="New")
    db.session.add_all([happening, Listen(user_id=world.ids["user"], pattern=name)])
    db.session.commit()
    assert world.clients["admin"].delete(f"{PATH}/{id_}").status_code == 204
    assert world.clients["admin"].get(f"{PATH}/{id_}").status_code == 404
    assert switches(name) is None
    db.session.refresh(happening)
    assert happening.event_type == name
    assert db.session.scalar(select(Listen.id).where(Listen.pattern == name)) is not None
    assert declare(world.clients["service"]).status_code == 201
