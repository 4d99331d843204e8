"""Happenings over the API: announced by other programs, told to whom it concerns, refused when they cannot be."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
import redis
from sqlalchemy import select

from app.auth.services import create_service
from app.happenings.telling import fanout
from app.happenings.telling.fanout import work_on
from app.models import Fanout, Happening, Listen, Mail, Notification, Session, User, db
from tests.support.api import Api
from tests.support.errors import errors_of, pointer_of
from tests.support.rows import activities, count, notified
from tests.support.world import SERVICE_TOKEN, World

PATH, TYPE = "/v1/happenings", "forums.post.created"
WORDS = {"event-type": TYPE, "title": "A new post", "message": "<p>Somebody wrote <em>something</em>.</p>"}


def announce(world: World, who: str = "service", **more: Any) -> Any:
    """POST one; what is a tuple, a list of those, or under the name of a relationship, is a relationship."""
    related = {name: more.pop(name) for name in ("event", "session", "actor", "users") if name in more}
    return world.clients[who].create(PATH, "happening", {**WORDS, **more}, **related)


def users_of(world: World, *names: str) -> list[tuple[str, int]]:
    return [("user", world.people[name].id) for name in names]


def addresses(*names: str) -> list[str]:
    return sorted(f"{name}@example.org" for name in names)


# --- who is told


def test_whoever_listens_is_told_in_the_app_and_by_mail(world: World) -> None:
    answer = announce(world, link="/forums/99", data={"post": 99}, subject="forums.post:99", **{"group-key": "post:99"})
    assert answer.status_code == 201
    item = answer.json["data"]
    shown = item["attributes"]
    assert {name: shown[name] for name in WORDS} == WORDS
    assert (shown["action"], shown["link"], shown["data"]) == (TYPE, "/forums/99", {"post": 99})
    assert (shown["subject"], shown["group-key"]) == ("forums.post:99", "post:99")
    assert (shown["recipients"], shown["told"], shown["state"]) == (1, 1, "told")
    assert answer.headers["Location"] == item["links"]["self"] == f"{PATH}/{item['id']}"
    assert notified(TYPE) == addresses("owner")
    [mail] = db.session.scalars(select(Mail).where(Mail.happening_id == int(item["id"])))
    assert (mail.recipient, mail.subject) == ("owner@example.org", "A new post")
    inbox = world.clients["owner"].get(world.path("/v1/users/{user}/notifications"), **{"filter[event-type]": TYPE})
    [told] = inbox.json["data"]
    assert (told["attributes"]["event-type"], told["attributes"]["action"]) == (TYPE, TYPE)


def test_those_who_are_named_are_told_instead(world: World) -> None:
    answer = announce(world, users=users_of(world, "stranger", "speaker", "stranger"))
    assert answer.json["data"]["attributes"]["recipients"] == 2
    assert notified(TYPE) == addresses("stranger", "speaker")
    nobody = announce(world, users=[])
    assert nobody.json["data"]["attributes"]["recipients"] == 0


def test_or_those_with_a_role_on_an_event(world: World) -> None:
    assert announce(world, role="organizer", event=("event", world.ids["event"])).status_code == 201
    assert notified(TYPE) == addresses("organizer")


def test_a_listener_is_not_told_of_what_he_may_not_see(world: World) -> None:
    db.session.add_all([Listen(user=world.people[name], pattern="*") for name in ("stranger", "speaker", "organizer")])
    db.session.commit()
    announce(world, event=("event", world.ids["draft"]))
    assert notified(TYPE) == addresses("owner", "organizer")
    db.session.query(Notification).delete()
    announce(world, session=("session", world.ids["pending"]))
    assert notified(TYPE) == addresses("owner", "organizer", "speaker")


def test_who_did_it_is_not_told_of_it(world: World) -> None:
    assert announce(world, actor=users_of(world, "owner")[0]).json["data"]["attributes"]["recipients"] == 0
    assert announce(world).json["data"]["attributes"]["recipients"] == 1


def test_many_are_told_afterwards_and_the_progress_can_be_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanout, "INLINE", 2)
    id_ = announce(world, users=users_of(world, "stranger", "speaker", "owner")).json["data"]["id"]
    admin = world.clients["admin"]
    progress = ("recipients", "told", "state")
    waiting = admin.get(f"{PATH}/{id_}").json["data"]["attributes"]
    assert tuple(waiting[name] for name in progress) == (3, 0, "telling")
    while work_on(int(id_), 60):
        continue
    db.session.expire_all()
    told = admin.get(f"{PATH}/{id_}").json["data"]["attributes"]
    assert tuple(told[name] for name in progress) == (3, 3, "told")
    by_state = admin.get(PATH, **{"filter[state]": "told", "sort": "-recipients"}).json
    assert [item["id"] for item in by_state["data"]] == [id_]


# --- who may read what


def test_only_those_who_were_told_read_it_and_not_how_many_others_were(world: World) -> None:
    id_ = announce(world, actor=users_of(world, "speaker")[0]).json["data"]["id"]
    path = f"{PATH}/{id_}"
    assert world.clients["stranger"].get(path).status_code == 404
    assert world.clients["service"].get(path).status_code == 403
    seen = world.clients["owner"].get(path).json["data"]
    assert seen["attributes"]["title"] == "A new post"
    assert not {"recipients", "told", "state"} & seen["attributes"].keys()
    assert "actor" not in seen["relationships"]
    whole = world.clients["admin"].get(path, include="actor").json
    assert whole["data"]["relationships"]["actor"]["data"]["id"] == str(world.people["speaker"].id)
    assert whole["included"][0]["attributes"]["email"] == "speaker@example.org"
    inbox = world.path("/v1/users/{user}/notifications")
    [happening] = world.clients["owner"].get(inbox, include="happening", **{"page[size]": 1}).json["included"]
    assert happening == seen


def test_what_was_told_to_one_at_a_time_has_no_progress(world: World) -> None:
    shown = world.clients["admin"].get(world.path(f"{PATH}/{{happening}}")).json["data"]["attributes"]
    assert (shown["recipients"], shown["told"], shown["state"], shown["event-type"]) == (None, None, None, None)


# --- repeated


def test_the_same_request_again_announces_nothing_new(world: World) -> None:
    client = world.clients["service"].client
    headers = {"Idempotency-Key": "post-99", "Authorization": f"JWT {SERVICE_TOKEN}"}
    body = {"data": {"type": "happening", "attributes": WORDS}}
    kinds = dict.fromkeys(("Accept", "Content-Type"), "application/vnd.api+json")
    first, again = (client.post(PATH, data=json.dumps(body), headers={**headers, **kinds}) for _ in range(2))
    assert (first.status_code, first.data) == (201, again.data)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(notified(TYPE)) == 1


def test_an_announcement_is_in_the_activities_without_its_token(world: World) -> None:
    id_ = announce(world).json["data"]["id"]
    assert f"{TYPE} ({id_})" in activities()[-1]
    assert not any(SERVICE_TOKEN in sentence for sentence in activities())


# --- what people write is not trusted


def test_a_message_is_cleaned(world: World) -> None:
    for given, kept in {
        "<script>alert(1)</script>Hi": "Hi",
        "<img src=x onerror=alert(1)>Hi": "Hi",
        '<a href="javascript:alert(1)">Hi</a>': '<a rel="noopener noreferrer">Hi</a>',
        "<b>Hi": "<b>Hi</b>",
        "1 < 2 & 3": "1 &lt; 2 &amp; 3",
    }.items():
        assert announce(world, message=given).json["data"]["attributes"]["message"] == kept


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


REFUSED: dict[str, tuple[Any, ...]] = {
    "event-type": (None, 7, [], "", "forums", "forums.post.unheard", "*", "x" * 300),
    "title": (None, 7, "", "   ", "a\nb", "x" * 1001, ["x"]),
    "message": (None, 7, "", "  ", "x" * 100_001, "<script></script>", "<p> </p>", "&" * 90_000),
    "link": (
        *("javascript:alert(1)", "//evil.example.org", "ftp://example.org", "a b", 7),
        *("http://", "/" + "x" * 2000, "http://[", "/a\\b", ""),
    ),
    "data": ("x" * 16_385, {"a": "é" * 8_192}, list(range(10_000))),
    "group-key": ("", "x" * 256, 7, "a\nb"),
    "subject": ("", "x" * 256, {}),
    # A role needs an event.
    "role": ("boss", 7, "owner"),
    "nothing": (1,),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused_with_its_place_and_tells_nobody(world: World, name: str) -> None:
    before = count(Happening)
    for value in REFUSED[name]:
        answer = announce(world, **{name: value})
        assert answer.status_code == 422, answer.text
        assert pointer_of(answer) == f"/data/attributes/{name}"
    assert (count(Happening), notified(TYPE)) == (before, [])


def test_the_words_are_needed(world: World) -> None:
    for name in WORDS:
        attributes = {key: value for key, value in WORDS.items() if key != name}
        answer = world.clients["service"].create(PATH, "happening", attributes)
        assert answer.status_code == 422
        assert pointer_of(answer) == f"/data/attributes/{name}"


def test_an_unknown_user_is_pointed_at(world: World) -> None:
    gone = world.people["stranger"]
    db.session.execute(User.__table__.update().where(User.id == gone.id).values(deleted_at=gone.created_at))
    db.session.commit()
    for wrong in (("user", 987654), ("user", gone.id)):
        answer = announce(world, users=[*users_of(world, "owner"), wrong])
        assert answer.status_code == 422
        assert pointer_of(answer) == "/data/relationships/users/data/1"
    assert count(Fanout) == 0


def test_relationships_that_lead_nowhere_or_contradict_are_pointed_at(world: World) -> None:
    other = Session(title="Elsewhere", event_id=world.ids["draft"])
    db.session.add(other)
    db.session.commit()
    event = ("event", world.ids["event"])
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"event": ("event", 987654)}, "relationships/event/data"),
        ({"session": ("session", 987654)}, "relationships/session/data"),
        ({"actor": ("user", 987654)}, "relationships/actor/data"),
        ({"event": event, "session": ("session", other.id)}, "relationships/session/data"),
        ({"role": "owner", "event": event, "users": []}, "attributes/role"),
    ]
    for more, pointer in wrong:
        answer = announce(world, **more)
        assert answer.status_code == 422
        assert pointer_of(answer) == f"/data/{pointer}"


def test_a_thousand_can_be_named_and_no_more(world: World) -> None:
    owner = users_of(world, "owner")
    assert announce(world, users=owner * 1000).status_code == 201
    answer = announce(world, users=owner * 1001)
    assert answer.status_code == 400
    assert "1000" in errors_of(answer)[0]["detail"]


def test_a_type_that_nobody_may_follow_is_told_to_those_who_are_named(world: World) -> None:
    private = {"event-type": "users.password.changed"}
    answer = announce(world, **private)
    assert answer.status_code == 422
    assert pointer_of(answer) == "/data/relationships/users/data"
    assert announce(world, **private, users=users_of(world, "stranger")).status_code == 201


def test_what_is_no_json_that_can_be_kept_is_400(world: World) -> None:
    headers = {"Authorization": f"Bearer {SERVICE_TOKEN}", "Content-Type": "application/vnd.api+json"}
    bodies = [
        b'{"data": {"type": "happening", "attributes": {"title": "a\\u0000b"}}}',
        b'{"data": {"type": "happening", "attributes": {"data": NaN}}}',
        b'{"data": {"type": "happening", "attributes": {"data": 1e999}}}',
        b'{"data": {"type": "happening", "attributes": {"data": "\\ud800"}}}',
        b'{"data": {"type": "happening", "attributes": {"data": ' + b"[" * 5000 + b"]" * 5000 + b"}}}",
        b'{"data": {"type": "happening", "attributes": {"data": ' + b"9" * 5000 + b"}}}",
        json.dumps({"data": {"type": "happening", "attributes": {"data": nested(31)}}}).encode(),
        b"",
        b"\xff",
    ]
    for body in bodies:
        answer = world.clients["service"].client.post(PATH, data=body, headers=headers)
        assert answer.status_code == 400
        errors_of(answer)


def test_data_is_whatever_json_can_say(world: World) -> None:
    texts = ("", "🙂", "é" * 8_000)
    for value in (0, False, 2**63, 10**400, 2.5e-8, [], {}, nested(28), {"a": {"b": [1.5, None]}}, *texts):
        answer = announce(world, data=value)
        assert answer.status_code == 201
        kept = world.clients["admin"].get(f"{PATH}/{answer.json['data']['id']}").json["data"]["attributes"]["data"]
        assert kept == value


def test_nothing_of_a_happening_is_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    announce(world, message="sixteen secret words")
    announce(world, link="javascript:secret")
    assert "secret" not in caplog.text
    assert SERVICE_TOKEN[4:] not in caplog.text


def test_one_program_announces_so_many_in_a_minute_and_stops_no_other(world: World, broker: redis.Redis) -> None:
    broker.flushdb()
    token = create_service("other", ["happenings:write"])
    db.session.commit()
    assert announce(world).status_code == 201
    for key in broker.keys("LIMIT*"):
        # As if it had sent as many as it may; the key ends when it would have.
        broker.set(key, 10_000, keepttl=True)
    refused = announce(world)
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    errors_of(refused)
    other = Api(world.clients["service"].client, token)
    assert other.create(PATH, "happening", WORDS).status_code == 201


def test_people_announce_nothing(world: World) -> None:
    for who, status in (("anonymous", 401), ("owner", 403), ("admin", 403)):
        answer = announce(world, who)
        assert answer.status_code == status
    assert "happenings:write" in errors_of(answer)[0]["detail"]
