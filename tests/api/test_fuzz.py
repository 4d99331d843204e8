"""Nothing that a client writes makes a 500: each write with a right document in which one thing is replaced."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.api import MEDIA_TYPE
from tests.support.errors import errors_of
from tests.support.world import GATEWAY as ADDRESS
from tests.support.world import World

NOON = "2026-11-21T12:00:00Z"
PASSWORD = "a long password"


def document(type_: str, attributes: dict[str, Any], id_: str | None = None, **related: Any) -> dict[str, Any]:
    data: dict[str, Any] = {"type": type_, "attributes": attributes}
    if id_ is not None:
        data["id"] = id_
    if related:
        data["relationships"] = {name: {"data": linkage} for name, linkage in related.items()}
    return {"data": data}


def one(type_: str) -> dict[str, str]:
    return {"type": type_, "id": f"{{{type_}}}"}


TITLES = {"title": "Knots", "short-abstract": "Long.", "starts-at": NOON, "ends-at": NOON, "state": "pending"}
SPEAKER = {"name": "Ana", "email": "ana@example.org", "organisation": "Pier", "country": "Norway"}
EVENT = {"name": "Harbour", "starts-at": NOON, "ends-at": NOON, "timezone": "UTC", "location-name": "Pier"}
SWITCHES = {"mail-status": True, "sms-status": True, "user-control-status": True, "action": "x"}
SETTINGS = {
    "app-name": "Usher",
    "frontend-url": "https://example.org",
    "email-service": "smtp",
    "email-from": "a@example.org",
    "email-from-name": "Usher",
    "sendgrid-key": "key",
    "smtp-host": "smtp.example.org",
    "smtp-port": 25,
    "smtp-username": "sam",
    "smtp-password": "key",
    "smtp-encryption": "tls",
    "mails-per-second": 5,
    "mails-per-day": 100,
    "uncertain-mails": "hold",
    "mail-body-days": 30,
    "mail-days": 60,
    "mail-problem-days": None,
    "order-expiry-time": 15,
    "service-fee": 2.5,
}
SERVICE = {
    **{name: SETTINGS[name] for name in SETTINGS if name.startswith(("smtp-", "sendgrid-"))},
    "email-service": "sendgrid",
    "position": 2,
    "is-enabled": False,
    "mails-per-second": 5,
    "mails-per-day": 100,
}
PERSON = {"first-name": "Ana", "last-name": "Bo", "language": "en", "timezone": "UTC", "new-email": None}
REACHED = {"phone": "+12025550123", "chat-address": "@ana"}
GATEWAY = {**ADDRESS, "is-enabled": False, "max-attempts": 2}
SIGNING_UP = {**PERSON, "was-registered-with-order": True, "invite-token": "x"}
MARK = {"type": "notification", "id": "{notification}", "attributes": {"is-read": True, "title": "x"}}
EMBER = {"data": {**MARK, "relationships": {"user": {"data": one("user")}}}}
OF_SPEAKER = {"event": one("event"), "user": one("user")}
TICKET = {"name": "Standard", "price": 12.5, "currency": "EUR"}
GUEST = {"firstname": "Gus", "lastname": "Bo", "email": "guest@example.org", "identifier": "x"}
OF_ATTENDEE = {"event": one("event"), "ticket": one("ticket"), "order": one("order")}
ORDER = {"status": "pending", "cancel-note": None, "amount": 1, "currency": "USD", "identifier": "x"}
OF_ORDER = {"event": one("event"), "attendees": [one("attendee")]}
PAID = {"status": "paid", "amount": 1, "month": "2026-11-01"}
CALL = {"announcement": "Come", "starts-at": NOON, "ends-at": "2030-01-01T00:00:00Z", "privacy": "public", "hash": "x"}
INVITE, OF_INVITE = {"email": "kim@example.org"}, {"speakers-call": {"type": "speakers-call", "id": "{call}"}}
ACCEPT_INVITE = "/v1/role-invites/accept-invite"
ROLE_INVITE = {"email": "new@example.org", "role-name": "moderator", "status": "pending"}
ANSWER = {"email": "speaker@example.org", "role-name": "moderator", "status": "pending"}
FAILED = [{"or": [{"name": "status", "op": "in", "val": ["failed"]}, {"name": "attempts", "op": "ge", "val": 3}]}]
BROADCAST = {"title": "Doors", "message": "<p>Ten.</p>", "link": "/x", "audience": "roles", "roles": ["owner"]}
OF_SESSION = {"event": one("event"), "speakers": [one("speaker")]}

PREFERENCES = {
    "channels": {"mail": {"mode": "unread", "minutes": 5}, "sms": None},
    "types": [{"type": "sessions.*", "channel": "mail", "mode": "daily", "minutes": None}],
    "quiet-hours": {"from": "22:00", "until": "07:00"},
    "digest": {"hour": 8, "weekday": "monday"},
    "timezone": "UTC",
}

HAPPENING = {
    "event-type": "forums.post.created",
    "title": "A new post",
    "message": "<p>Look.</p>",
    "link": "/forums/99",
    "data": {"post": [99]},
    "subject": "forums.post:99",
    "group-key": "forums.post:99",
}
OF_HAPPENING = {"event": one("event"), "session": one("session"), "actor": one("user"), "users": [one("user")]}
TYPE = {"title": "Posts", "description": "New\nones", "channels": ["mail"], "is-critical": False, "is-listenable": True}
LISTEN = {"event-type": "forums.*", "includes-own": True, "subject": "x"}

# Who sends what where. An id stands in braces.
WRITES: list[tuple[str, str, str, dict[str, Any]]] = [
    ("anonymous", "POST", "/auth/session", {"email": "a@example.org", "password": "x", "remember-me": False}),
    ("anonymous", "POST", "/v1/auth/login", {"username": "a@example.org", "password": "x"}),
    ("anonymous", "POST", "/v1/auth/verify-email", {"data": {"token": "x"}}),
    ("anonymous", "POST", "/v1/auth/reset-password", {"data": {"email": "a@example.org"}}),
    ("anonymous", "PATCH", "/v1/auth/reset-password", {"data": {"token": "x", "password": PASSWORD}}),
    ("owner", "POST", "/v1/auth/change-password", {"data": {"old-password": "x", "new-password": PASSWORD}}),
    (
        "anonymous",
        "POST",
        "/v1/users",
        document("user", {"email": "new@example.org", "password": "short", **SIGNING_UP}),
    ),
    (
        "owner",
        "PATCH",
        "/v1/users/{user}",
        document("user", {"email": "owner@example.org", **PERSON, **REACHED}, "{user}"),
    ),
    ("owner", "PATCH", "/v1/users/{user}/notifications", {"data": [MARK]}),
    ("owner", "PATCH", "/v1/users/{user}/notifications", {"meta": {"is-read": True, "received-before": NOON}}),
    ("owner", "PATCH", "/v1/notifications/{notification}", EMBER),
    ("owner", "PATCH", "/v1/users/{user}/preferences", document("preferences", PREFERENCES, "{user}")),
    ("owner", "POST", "/v1/events", document("event", EVENT)),
    ("owner", "PATCH", "/v1/events/{event}", document("event", {**EVENT, "state": "published"}, "{event}")),
    ("owner", "POST", "/v1/speakers", document("speaker", SPEAKER, **OF_SPEAKER)),
    ("owner", "PATCH", "/v1/speakers/{speaker}", document("speaker", SPEAKER, "{speaker}", **OF_SPEAKER)),
    ("owner", "POST", "/v1/sessions", document("session", TITLES, **OF_SESSION)),
    ("owner", "PATCH", "/v1/sessions/{session}", document("session", TITLES, "{session}", **OF_SESSION)),
    ("owner", "POST", "/v1/paper-invites", document("paper-invite", INVITE, **OF_INVITE)),
    ("owner", "POST", "/v1/speakers-calls", document("speakers-call", CALL, event=one("event"))),
    ("owner", "PATCH", "/v1/speakers-calls/{call}", document("speakers-call", CALL, "{call}", event=one("event"))),
    ("owner", "POST", "/v1/tickets", document("ticket", TICKET, event=one("event"))),
    ("owner", "PATCH", "/v1/tickets/{ticket}", document("ticket", TICKET, "{ticket}", event=one("event"))),
    ("owner", "PATCH", "/v1/orders/{order}", document("order", ORDER, "{order}", **OF_ORDER)),
    ("speaker", "POST", "/v1/attendees", document("attendee", GUEST, **OF_ATTENDEE)),
    ("speaker", "PATCH", "/v1/attendees/{attendee}", document("attendee", GUEST, "{attendee}", **OF_ATTENDEE)),
    ("speaker", "POST", "/v1/orders", document("order", {"status": "pending"}, event=one("event"), attendees=[])),
    ("speaker", "POST", "/v1/orders/resend-email", {"data": {"order": "{order}"}}),
    ("admin", "PATCH", "/v1/event-invoices/{event_invoice}", document("event-invoice", PAID, "{event_invoice}")),
    ("owner", "POST", "/v1/event-exports", document("event-export", {}, event=one("event"))),
    ("owner", "POST", "/v1/role-invites", document("role-invite", ROLE_INVITE, event=one("event"))),
    (
        "speaker",
        "PATCH",
        "/v1/role-invites/{invite}",
        document("role-invite", ANSWER, "{invite}", event=one("event")),
    ),
    ("anonymous", "POST", ACCEPT_INVITE, {"data": {"token": "x", "password": PASSWORD}}),
    ("owner", "POST", "/v1/broadcasts", document("broadcast", BROADCAST, event=one("event"))),
    (
        "owner",
        "PATCH",
        "/v1/broadcasts/{broadcast}",
        document("broadcast", {**BROADCAST, "state": "sending", "recipients": 1}, "{broadcast}", event=one("event")),
    ),
    ("service", "POST", "/v1/happenings", document("happening", HAPPENING, **OF_HAPPENING)),
    ("service", "POST", "/v1/happenings", document("happening", {**HAPPENING, "role": "owner"}, event=one("event"))),
    ("service", "POST", "/v1/event-types", document("event-type", {"name": "forums.post.deleted", **TYPE})),
    ("admin", "PATCH", "/v1/event-types/{event_type}", document("event-type", TYPE, "{event_type}")),
    ("owner", "POST", "/v1/users/{user}/listens", document("listen", LISTEN, event=one("event"))),
    ("admin", "POST", "/v1/mail-retries", document("mail-retry", {"ids": ["{mail}"], "reason": "Mended"})),
    ("admin", "POST", "/v1/mail-cancellations", document("mail-cancellation", {"filter": FAILED, "reason": None})),
    ("admin", "POST", "/v1/mail-settlements", document("mail-settlement", {"ids": ["{mail}"], "outcome": "sent"})),
    ("admin", "POST", "/v1/suppressions", document("suppression", {"address": "a@example.org", "text": "Gone\n."})),
    ("admin", "POST", "/v1/mail-services", document("mail-service", {"name": "second", **SERVICE})),
    ("admin", "PATCH", "/v1/mail-services/{service}", document("mail-service", SERVICE, "{service}")),
    ("admin", "POST", "/v1/channel-services", document("channel-service", {"name": "second", **GATEWAY})),
    (
        "admin",
        "PATCH",
        "/v1/channel-services/{channel_service}",
        document("channel-service", GATEWAY, "{channel_service}"),
    ),
    ("admin", "PATCH", "/v1/settings/1", document("setting", SETTINGS, "1")),
    ("admin", "PATCH", "/v1/message-settings/1", document("message-setting", SWITCHES, "1")),
]

ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    2**63,
    10**30,
    1.5,
    "",
    " ",
    "\ud800",
    "a\x00b",
    "a\r\nb",
    "x" * 600,
    [],
    [None],
    {},
    {"data": {}},
]
ODD += ["9223372036854775807", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "{0.__class__}"]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(ODD),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


def positions(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value."""
    yield here
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from positions(item, (*here, key))


def put(value: Any, where: tuple[Any, ...], new: Any) -> Any:
    """A copy with something else in one place."""
    if not where:
        return new
    copy = json.loads(json.dumps(value))
    target = copy
    for step in where[:-1]:
        target = target[step]
    target[where[-1]] = new
    return copy


def fill(value: Any, world: World) -> Any:
    """A copy with the ids of this world."""
    text = json.dumps(value)
    for name, id_ in world.ids.items():
        text = text.replace(f"{{{name}}}", str(id_))
    return json.loads(text)


def send(world: World, write: tuple[str, str, str, Any], body: Any) -> int:
    caller, method, path, _ = write
    token = world.clients[caller].token
    headers = {"Accept": MEDIA_TYPE, **({"Authorization": f"JWT {token}"} if token else {})}
    answer = world.clients[caller].client.open(
        world.path(path), method=method, headers=headers, data=json.dumps(body), content_type=MEDIA_TYPE
    )
    assert answer.status_code < 500, (method, path, body, answer.text)
    if answer.status_code >= 400:
        errors_of(answer)
    return answer.status_code


def test_the_documents_are_right_before_something_is_replaced(world: World) -> None:
    # What is wrong with the others is a password, a token or that the event has a call already, not the document.
    others = ("/v1/users", "/v1/orders/resend-email", "/v1/speakers-calls", ACCEPT_INVITE)
    for write in WRITES:
        status = send(world, write, fill(write[3], world))
        assert status < 300 or "/auth/" in write[2] or write[2] in others, write


@pytest.mark.parametrize("write", WRITES, ids=lambda write: f"{write[1]} {write[2]}")
def test_an_odd_value_in_any_place_is_no_servers_error(
    world: World, broker: redis.Redis, write: tuple[str, str, str, Any]
) -> None:
    right = fill(write[3], world)
    for turn, where in enumerate(positions(right)):
        broker.flushdb()  # before the tries are too many for the account
        for odd in (ODD[turn % len(ODD)], ODD[(turn + 7) % len(ODD)], ODD[(turn + 14) % len(ODD)]):
            send(world, write, put(right, where, odd))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(write=st.sampled_from(WRITES), value=json_values, data=st.data())
def test_no_document_at_all_is_a_servers_error(
    world: World, broker: redis.Redis, write: tuple[str, str, str, Any], value: Any, data: st.DataObject
) -> None:
    broker.flushdb()
    right = fill(write[3], world)
    where = data.draw(st.sampled_from(list(positions(right))))
    send(world, write, put(right, where, value))


@pytest.mark.parametrize("body", [b"", b"{", b"null", b"[]", b"NaN", b"\xff\xfe", b"[" * 5000, b'{"data": 1e999}'])
def test_what_is_no_document_is_no_servers_error(world: World, body: bytes) -> None:
    for caller, method, path, _ in WRITES:
        token = world.clients[caller].token
        headers = {"Authorization": f"JWT {token}"} if token else {}
        answer = world.clients[caller].client.open(
            world.path(path), method=method, headers=headers, data=body, content_type=MEDIA_TYPE
        )
        assert answer.status_code == 400, (path, answer.text)
        errors_of(answer)
