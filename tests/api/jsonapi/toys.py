"""A small API over the real tables, with types of its own: what the JSON:API layer is tested on."""

# ruff: noqa: ARG002 - hooks have the arguments that they have

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Flask, Response, g, jsonify, request
from marshmallow import ValidationError, validates_schema
from sqlalchemy import ColumnElement, and_, false, or_, true

from app.api.jsonapi import errors
from app.api.jsonapi.access import Access, ResourceType, register_type
from app.api.jsonapi.data_layer import Changes
from app.api.jsonapi.document import read_json
from app.api.jsonapi.errors import Conflict, Forbidden, NotFound, Unauthorized
from app.api.jsonapi.fields import Choice, EmailAddress, JsonValue, Language, StrictBoolean, Text, Timestamp, Timezone
from app.api.jsonapi.relationships import RelationshipResource
from app.api.jsonapi.resources import DetailResource, ListResource
from app.api.jsonapi.schema import Schema, ToMany, ToOne
from app.api.jsonapi.table import Route, register
from app.api.viewer import ANONYMOUS, Viewer
from app.models import Event, Happening, Notification, Session, Speaker, User, db
from app.models.event import EVENT_STATES
from app.models.session import SESSION_STATES
from config import load

# --- what the hooks saw, for the tests; a test that asserts on it clears it first
SEEN: list[tuple[str, Any]] = []


class PersonSchema(Schema):
    class Meta:
        type_ = "person"
        self_view = "toy.person_detail"

    email = EmailAddress(required=True)
    password = Text(72, minimum=8, load_only=True, attribute="password_hash")
    first_name = Text(255, allow_none=True)
    last_name = Text(255, allow_none=True)
    language = Language()
    timezone = Timezone()
    is_verified = StrictBoolean(dump_only=True)
    created_at = Timestamp(dump_only=True)


class GatheringSchema(Schema):
    class Meta:
        type_ = "gathering"
        self_view = "toy.gathering_detail"

    name = Text(500, required=True, minimum=1)
    starts_at = Timestamp(required=True)
    ends_at = Timestamp(required=True)
    state = Choice(EVENT_STATES)

    @validates_schema
    def check_name(self, data: dict[str, Any], **_options: Any) -> None:
        if data.get("name") == "nowhere":
            raise ValidationError("It must be somewhere.")
        if data.get("name") == "never":
            raise ValidationError("It must be at some time.", "starts_at")

    identifier = Text(16, dump_only=True)


class VoiceSchema(Schema):
    class Meta:
        type_ = "voice"
        self_view = "toy.voice_detail"

    name = Text(500, required=True, minimum=1)
    email = EmailAddress(allow_none=True)
    organisation = Text(500, allow_none=True)
    event = ToOne("gathering", required=True, foreign_key="event_id")
    user = ToOne("person", allow_none=True, self_view="toy.voice_user", related_view="toy.voice_user")
    talks = ToMany("talk", attribute="sessions", self_view="toy.voice_talks", related_view="toy.voice_talks")


class TalkSchema(Schema):
    class Meta:
        type_ = "talk"
        self_view = "toy.talk_detail"

    title = Text(500, required=True, minimum=1)
    short_abstract = Text(5000, lines=True, allow_none=True)
    starts_at = Timestamp(allow_none=True)
    ends_at = Timestamp(allow_none=True)
    state = Choice(SESSION_STATES)
    created_at = Timestamp(dump_only=True)
    event = ToOne("gathering", required=True, foreign_key="event_id")
    speakers = ToMany("voice", self_view="toy.talk_speakers", related_view="toy.talk_speakers")


class OccurrenceSchema(Schema):
    class Meta:
        type_ = "occurrence"

    action = Text(255)
    actor = ToOne("person", foreign_key="actor_id")


class NoticeSchema(Schema):
    class Meta:
        type_ = "notice"
        self_view = "toy.notice_detail"

    title = Text(500, dump_only=True)
    message = Text(5000, dump_only=True)
    action = Text(255, dump_only=True)
    received_at = Timestamp(dump_only=True)
    is_read = StrictBoolean()
    read_at = Timestamp(dump_only=True)
    link = Text(500, dump_only=True)
    data = JsonValue(dump_only=True)
    user = ToOne("person", dump_only=True, self_view="toy.notice_user", related_view="toy.notice_user")
    happening = ToOne("occurrence", dump_only=True, foreign_key="happening_id")


def _own(viewer: Viewer, column: Any) -> ColumnElement[bool]:
    return true() if viewer.is_admin else column == viewer.id if viewer.id else false()


def _visible_talks(viewer: Viewer) -> ColumnElement[bool]:
    mine = Session.event_id.in_(viewer.roles)
    return and_(true() if viewer.is_admin else or_(Session.state == "accepted", mine), Session.deleted_at.is_(None))


PERSON = register_type(ResourceType("person", PersonSchema, Access(User, lambda viewer: _own(viewer, User.id))))
GATHERING = register_type(
    ResourceType(
        "gathering",
        GatheringSchema,
        Access(
            Event,
            lambda viewer: true() if viewer.is_admin else or_(Event.state == "published", Event.id.in_(viewer.roles)),
        ),
    )
)
VOICE = register_type(
    ResourceType(
        "voice",
        VoiceSchema,
        Access(
            Speaker,
            lambda _viewer: Speaker.deleted_at.is_(None),
            private=frozenset({"email", "user"}),
            reads_private=lambda viewer: _own(viewer, Speaker.user_id),
            may_read_private=lambda viewer, speaker: viewer.is_self(speaker.user_id),
        ),
    )
)
TALK = register_type(ResourceType("talk", TalkSchema, Access(Session, _visible_talks)))
OCCURRENCE = register_type(ResourceType("occurrence", OccurrenceSchema, Access(Happening, lambda _viewer: true())))
NOTICE = register_type(
    ResourceType(
        "notice",
        NoticeSchema,
        Access(Notification, lambda viewer: _own(viewer, Notification.user_id)),
        columns={name: getattr(Happening, name) for name in ("title", "message", "action", "link", "data")},
        joins=(Notification.happening,),
    )
)


class People(ListResource):
    resource_type = PERSON


class Person(DetailResource):
    resource_type = PERSON


class Gatherings(ListResource):
    resource_type = GATHERING


class Gathering(DetailResource):
    resource_type = GATHERING


class Voices(ListResource):
    resource_type = VOICE


class Voice(DetailResource):
    resource_type = VOICE


class VoiceUser(RelationshipResource):
    resource_type = VOICE
    relation = "user"


class VoiceTalks(RelationshipResource):
    resource_type = VOICE
    relation = "talks"


class Talks(ListResource):
    resource_type = TALK

    def before_create(self, data: dict[str, Any], viewer: Viewer, view_kwargs: Mapping[str, Any]) -> None:
        SEEN.append(("before_create", data["event"].id))
        if data["title"] == "refused":
            raise Forbidden("Not this one.")

    def after_create(self, obj: Session, viewer: Viewer) -> None:
        SEEN.append(("after_create", obj.id))
        if obj.title == "fails after":
            raise Conflict("Too late.")
        if obj.title == "breaks":
            raise RuntimeError("postgresql://somebody:secret@example.org/db")


class Talk(DetailResource):
    resource_type = TALK

    def before_update(self, obj: Session, data: dict[str, Any], viewer: Viewer) -> None:
        SEEN.append(("before_update", obj.state))

    def after_update(self, obj: Session, changes: Changes, viewer: Viewer) -> None:
        SEEN.append(("after_update", changes))
        if obj.title == "fails after":
            raise Conflict("Too late.")

    def after_delete(self, obj: Session, viewer: Viewer) -> None:
        SEEN.append(("after_delete", obj.id))
        if obj.title == "cannot go":
            raise Conflict("It stays.")


class TalkSpeakers(RelationshipResource):
    resource_type = TALK
    relation = "speakers"

    after_update = Talk.after_update


class Notices(ListResource):
    resource_type = NOTICE

    def scope(self, viewer: Viewer, view_kwargs: Mapping[str, Any]) -> ColumnElement[bool] | None:
        if "user_id" not in view_kwargs:
            return None
        if db.session.get(User, view_kwargs["user_id"]) is None:
            raise NotFound("There is no such person.")
        return Notification.user_id == view_kwargs["user_id"]

    def list_meta(self, viewer: Viewer, view_kwargs: Mapping[str, Any], count: int | None) -> dict[str, Any]:
        return {"twice": (count or 0) * 2}


class Notice(DetailResource):
    resource_type = NOTICE

    def before_update(self, obj: Notification, data: dict[str, Any], viewer: Viewer) -> None:
        if "is_read" in data:
            obj.mark(is_read=data.pop("is_read"))

    def after_update(self, obj: Notification, changes: Changes, viewer: Viewer) -> None:
        SEEN.append(("after_update", changes))


class NoticeUser(RelationshipResource):
    resource_type = NOTICE
    relation = "user"


def anyone(_viewer: Viewer, _names: Mapping[str, Any]) -> None:
    """Everybody."""


def logged_in(viewer: Viewer, _names: Mapping[str, Any]) -> None:
    if viewer.user is None:
        raise Unauthorized("Log in.")


def echo() -> Response:
    return jsonify(read_json())


EVERYTHING = {"GET": anyone, "PATCH": anyone, "DELETE": anyone}
RELATION = {"GET": anyone, "PATCH": anyone, "POST": anyone, "DELETE": anyone}
LIST = {"GET": anyone, "POST": anyone}
ROUTES = (
    Route("person_list", ["/people"], People, LIST),
    Route("person_detail", ["/people/<int:id>"], Person, EVERYTHING),
    Route("gathering_list", ["/gatherings"], Gatherings, LIST),
    Route("gathering_detail", ["/gatherings/<int:id>"], Gathering, EVERYTHING),
    Route("voice_list", ["/voices"], Voices, LIST),
    Route("voice_detail", ["/voices/<int:id>"], Voice, EVERYTHING),
    Route("voice_user", ["/voices/<int:id>/relationships/user", "/voices/<int:id>/user"], VoiceUser, RELATION),
    Route("voice_talks", ["/voices/<int:id>/relationships/talks", "/voices/<int:id>/talks"], VoiceTalks, RELATION),
    Route("talk_list", ["/talks"], Talks, LIST),
    Route("talk_detail", ["/talks/<int:id>"], Talk, EVERYTHING),
    Route(
        "talk_speakers", ["/talks/<int:id>/relationships/speakers", "/talks/<int:id>/speakers"], TalkSpeakers, RELATION
    ),
    Route("notice_list", ["/people/<int:user_id>/notices", "/notices"], Notices, {"GET": logged_in}),
    Route("notice_detail", ["/notices/<int:id>"], Notice, {"GET": logged_in, "PATCH": logged_in}),
    Route(
        "notice_user",
        ["/notices/<int:id>/relationships/user", "/notices/<int:id>/user"],
        NoticeUser,
        {"GET": logged_in},
    ),
)


def make_app(database_url: str) -> Flask:
    """The application; a header names who is asking, since logging in is another layer's business."""
    app = Flask("toys", static_folder=None)
    app.config.update(SQLALCHEMY_DATABASE_URI=database_url, MAX_CONTENT_LENGTH=1024 * 1024, TESTING=True)
    # The session is the application's, and so is what follows from its commits.
    app.config["USHER"] = load()
    db.init_app(app)
    errors.init_app(app)
    app.before_request(_set_viewer)
    register(app, Blueprint("toy", __name__, url_prefix="/toy"), ROUTES)
    register(app, None, [Route("echo", ["/echo"], echo, {"POST": anyone})])
    app.add_url_rule("/forgotten", "forgotten", lambda: "never seen")
    return app


def _set_viewer() -> None:
    number = request.headers.get("X-Viewer")
    user = db.session.get(User, int(number)) if number else None
    g.viewer = Viewer(user) if user else ANONYMOUS
