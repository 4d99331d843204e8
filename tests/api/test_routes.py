"""Who may do what: every route, every method, every kind of caller; and nothing beside the table."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import MapAdapter, Rule

from app.api.jsonapi.table import routes_of
from app.api.routes import ROOT, V1
from tests.support.api import MEDIA_TYPE
from tests.support.errors import errors_of
from tests.support.world import GATEWAY, VIEWERS, World

TABLE = """
# method path                                                  anon  strng speak owner organ admin
POST   /auth/session                                            400   400   400   400   400   400
POST   /v1/auth/login                                           400   400   400   400   400   400
POST   /v1/auth/verify-email                                    400   400   400   400   400   400
POST   /v1/auth/reset-password                                  200   200   200   200   200   200
PATCH  /v1/auth/reset-password                                  400   400   400   400   400   400
POST   /v1/auth/change-password                                 401   400   400   400   400   400
# The attributes are missing: whoever is told so may register.
POST   /v1/users                                                422   422   422   422   422   422
GET    /v1/users                                                401   403   403   403   403   200
GET    /v1/users/{user}                                         401   403   403   200   403   200
PATCH  /v1/users/{user}                                         401   403   403   200   403   200
GET    /v1/notifications                                        401   403   403   403   403   200
GET    /v1/users/{user}/notifications                           401   403   403   200   403   200
PATCH  /v1/users/{user}/notifications                           401   403   403   200   403   403
GET    /v1/users/{user}/notifications/count                     401   403   403   200   403   200
GET    /v1/users/{user}/notification-groups                     401   403   403   200   403   200
GET    /v1/users/{user}/notification-marker                     401   403   403   200   403   200
PATCH  /v1/users/{user}/notification-marker                     401   403   403   200   403   403
GET    /v1/notifications/{notification}                         401   404   404   200   404   200
PATCH  /v1/notifications/{notification}                         401   404   404   200   404   403
DELETE /v1/notifications/{notification}                         401   404   404   204   404   403
GET    /v1/users/{user}/preferences                             401   403   403   200   403   200
PATCH  /v1/users/{user}/preferences                             401   403   403   200   403   403
GET    /v1/notifications/{notification}/user                    401   404   404   200   404   200
GET    /v1/notifications/{notification}/relationships/user      401   404   404   200   404   200
GET    /v1/happenings                                           401   403   403   403   403   200
# Only for other programs: see tests/api/test_happenings.py.
POST   /v1/happenings                                           401   403   403   403   403   403
GET    /v1/happenings/{happening}                               401   404   404   200   404   200
# The user is missing: whoever is told so may ask.
GET    /v1/happenings/{happening}/explain                       401   403   403   403   403   400
GET    /v1/event-types                                          401   200   200   200   200   200
POST   /v1/event-types                                          401   403   403   403   403   201
GET    /v1/event-types/{event_type}                             401   200   200   200   200   200
PATCH  /v1/event-types/{event_type}                             401   403   403   403   403   200
DELETE /v1/event-types/{event_type}                             401   403   403   403   403   204
GET    /v1/users/{user}/listens                                 401   403   403   200   403   200
POST   /v1/users/{user}/listens                                 401   403   403   201   403   403
GET    /v1/listens/{listen}                                     401   404   404   200   404   200
DELETE /v1/listens/{listen}                                     401   404   404   204   404   403
GET    /v1/users/{user}/listens/{listen}                        401   404   404   200   404   200
DELETE /v1/users/{user}/listens/{listen}                        401   404   404   204   404   403
POST   /v1/realtime-tickets                                     401   201   201   201   201   201
GET    /v1/events                                               200   200   200   200   200   200
POST   /v1/events                                               401   201   201   201   201   201
GET    /v1/events/{event}                                       200   200   200   200   200   200
PATCH  /v1/events/{event}                                       401   403   403   200   200   200
DELETE /v1/events/{event}                                       401   403   403   204   204   204
GET    /v1/events/{draft}                                       404   404   404   200   200   200
PATCH  /v1/events/{draft}                                       401   404   404   200   200   200
DELETE /v1/events/{draft}                                       401   404   404   204   204   204
GET    /v1/speakers                                             200   200   200   200   200   200
POST   /v1/speakers                                             401   201   201   201   201   201
GET    /v1/events/{event}/speakers                              200   200   200   200   200   200
GET    /v1/events/{draft}/speakers                              404   404   404   200   200   200
GET    /v1/sessions/{session}/speakers                          200   200   200   200   200   200
GET    /v1/sessions/{pending}/speakers                          404   404   200   200   200   200
GET    /v1/speakers/{speaker}                                   200   200   200   200   200   200
PATCH  /v1/speakers/{speaker}                                   401   403   200   200   200   200
DELETE /v1/speakers/{speaker}                                   401   403   204   204   204   204
GET    /v1/sessions                                             200   200   200   200   200   200
POST   /v1/sessions                                             401   403   201   201   201   201
GET    /v1/events/{event}/sessions                              200   200   200   200   200   200
GET    /v1/events/{draft}/sessions                              404   404   404   200   200   200
GET    /v1/speakers/{speaker}/sessions                          200   200   200   200   200   200
GET    /v1/sessions/{session}                                   200   200   200   200   200   200
PATCH  /v1/sessions/{session}                                   401   403   200   200   200   200
DELETE /v1/sessions/{session}                                   401   403   204   204   204   204
GET    /v1/sessions/{pending}                                   404   404   200   200   200   200
PATCH  /v1/sessions/{pending}                                   401   404   200   200   200   200
DELETE /v1/sessions/{pending}                                   401   404   204   204   204   204
GET    /v1/speakers-calls                                       200   200   200   200   200   200
# The event has one already: whoever is told so may make one.
POST   /v1/speakers-calls                                       401   403   403   409   409   409
GET    /v1/events/{event}/speakers-call                         200   200   200   200   200   200
GET    /v1/events/{draft}/speakers-call                         404   404   404   200   200   200
GET    /v1/speakers-calls/{call}                                200   200   200   200   200   200
PATCH  /v1/speakers-calls/{call}                                401   403   403   200   200   200
DELETE /v1/speakers-calls/{call}                                401   403   403   204   204   204
GET    /v1/speakers-calls/{private_call}                        404   404   404   200   200   200
PATCH  /v1/speakers-calls/{private_call}                        401   404   404   200   200   200
DELETE /v1/speakers-calls/{private_call}                        401   404   404   204   204   204
GET    /v1/paper-invites                                        401   200   200   200   200   200
POST   /v1/paper-invites                                        401   403   403   201   201   201
GET    /v1/speakers-calls/{call}/paper-invites                  401   404   404   200   200   200
GET    /v1/paper-invites/{paper_invite}                         401   404   404   200   200   200
GET    /v1/tickets                                              200   200   200   200   200   200
POST   /v1/tickets                                              401   403   403   201   201   201
GET    /v1/events/{event}/tickets                               200   200   200   200   200   200
GET    /v1/events/{draft}/tickets                               404   404   404   200   200   200
GET    /v1/tickets/{ticket}                                     200   200   200   200   200   200
PATCH  /v1/tickets/{ticket}                                     401   403   403   200   200   200
DELETE /v1/tickets/{ticket}                                     401   403   403   204   204   204
# The attendee and the order are the speaker's.
GET    /v1/attendees                                            401   200   200   200   200   200
POST   /v1/attendees                                            401   201   201   201   201   201
GET    /v1/events/{event}/attendees                             401   403   403   200   200   200
GET    /v1/events/{draft}/attendees                             401   404   404   200   200   200
GET    /v1/orders/{order}/attendees                             401   404   200   200   200   200
GET    /v1/attendees/{attendee}                                 401   404   200   200   200   200
PATCH  /v1/attendees/{attendee}                                 401   404   200   200   200   200
DELETE /v1/attendees/{attendee}                                 401   404   204   204   204   204
GET    /v1/orders                                               401   200   200   200   200   200
POST   /v1/orders                                               401   201   201   201   201   201
GET    /v1/events/{event}/orders                                401   403   403   200   200   200
GET    /v1/events/{draft}/orders                                401   404   404   200   200   200
GET    /v1/orders/{order}                                       401   404   200   200   200   200
PATCH  /v1/orders/{order}                                       401   404   200   200   200   200
POST   /v1/orders/resend-email                                  401   400   400   400   400   400
GET    /v1/event-invoices                                       401   200   200   200   200   200
GET    /v1/events/{event}/event-invoices                        401   403   403   200   200   200
GET    /v1/events/{draft}/event-invoices                        401   404   404   200   200   200
GET    /v1/event-invoices/{event_invoice}                       401   404   404   200   200   200
PATCH  /v1/event-invoices/{event_invoice}                       401   403   403   403   403   200
GET    /v1/event-exports                                        401   200   200   200   200   200
POST   /v1/event-exports                                        401   403   403   201   201   201
GET    /v1/event-exports/{export}                               401   404   404   200   404   200
GET    /v1/event-exports/{export}/download                      401   404   404   200   404   200
GET    /v1/event-imports                                        401   200   200   200   200   200
POST   /v1/event-imports                                        401   201   201   201   201   201
GET    /v1/event-imports/{import}                               401   404   404   200   404   200
GET    /v1/role-invites                                         401   200   200   200   200   200
POST   /v1/role-invites                                         401   403   403   201   201   201
GET    /v1/events/{event}/role-invites                          401   404   200   200   200   200
GET    /v1/events/{draft}/role-invites                          401   404   404   200   200   200
# The speaker is invited.
GET    /v1/role-invites/{invite}                                401   404   200   200   200   200
PATCH  /v1/role-invites/{invite}                                401   404   200   403   403   403
DELETE /v1/role-invites/{invite}                                401   404   403   204   204   204
POST   /v1/role-invites/accept-invite                           400   400   400   400   400   400
# The broadcast is a draft of the event.
GET    /v1/broadcasts                                           401   200   200   200   200   200
POST   /v1/broadcasts                                           401   403   403   201   201   201
GET    /v1/events/{event}/broadcasts                            401   403   403   200   200   200
GET    /v1/events/{draft}/broadcasts                            401   404   404   200   200   200
GET    /v1/broadcasts/{broadcast}                               401   404   404   200   200   200
PATCH  /v1/broadcasts/{broadcast}                               401   404   404   200   200   200
DELETE /v1/broadcasts/{broadcast}                               401   404   404   204   204   204
# Whoever is told that there is no key to check a signature with gets as far as the signature.
POST   /v1/webhooks/sendgrid                                    503   503   503   503   503   503
# The batch is the event's, and so is the mail in it.
GET    /v1/mail-batches                                         401   200   200   200   200   200
GET    /v1/mail-batches/{mail_batch}                            401   404   404   200   200   200
GET    /v1/mail-batches/{mail_batch}/mails                      401   404   404   200   200   200
GET    /v1/events/{event}/mails                                 401   403   403   200   200   200
GET    /v1/events/{draft}/mails                                 401   404   404   200   200   200
GET    /v1/mails                                                401   403   403   403   403   200
GET    /v1/mails/{mail}                                         401   403   403   403   403   200
GET    /v1/mails/{mail}/events                                  401   403   403   403   403   200
POST   /v1/mail-retries                                         401   403   403   403   403   200
POST   /v1/mail-cancellations                                   401   403   403   403   403   200
# The mail does not wait any more, so nothing is changed.
POST   /v1/mail-settlements                                     401   403   403   403   403   200
GET    /v1/settings                                             401   403   403   403   403   200
GET    /v1/settings/1                                           401   403   403   403   403   200
PATCH  /v1/settings/1                                           401   403   403   403   403   200
GET    /v1/suppressions                                         401   403   403   403   403   200
POST   /v1/suppressions                                         401   403   403   403   403   201
GET    /v1/suppressions/{suppression}                           401   403   403   403   403   200
DELETE /v1/suppressions/{suppression}                           401   403   403   403   403   204
GET    /v1/mail-services                                        401   403   403   403   403   200
POST   /v1/mail-services                                        401   403   403   403   403   201
GET    /v1/mail-services/{service}                              401   403   403   403   403   200
PATCH  /v1/mail-services/{service}                              401   403   403   403   403   200
DELETE /v1/mail-services/{service}                              401   403   403   403   403   204
GET    /v1/channel-services                                     401   403   403   403   403   200
POST   /v1/channel-services                                     401   403   403   403   403   201
GET    /v1/channel-services/{channel_service}                   401   403   403   403   403   200
PATCH  /v1/channel-services/{channel_service}                   401   403   403   403   403   200
DELETE /v1/channel-services/{channel_service}                   401   403   403   403   403   204
GET    /v1/channel-messages                                     401   403   403   403   403   200
GET    /v1/channel-messages/{channel_message}                   401   403   403   403   403   200
GET    /v1/channel-messages/{channel_message}/events            401   403   403   403   403   200
# The recipient is missing: whoever is told so may send one.
POST   /v1/test-mail                                            401   403   403   403   403   422
GET    /v1/message-settings                                     401   403   403   403   403   200
GET    /v1/message-settings/1                                   401   403   403   403   403   200
PATCH  /v1/message-settings/1                                   401   403   403   403   403   200
GET    /v1/message-settings/1/preview                           401   403   403   403   403   200
GET    /v1/admin/statistics/mails                               401   403   403   403   403   200
GET    /v1/activities                                           401   403   403   403   403   200
GET    /v1/activities/{activity}                                401   403   403   403   403   200
GET    /health                                                  200   200   200   200   200   200
# No worker runs beside these tests.
GET    /ready                                                   503   503   503   503   503   503
GET    /metrics                                                 200   200   200   200   200   200
GET    /verify                                                  200   200   200   200   200   200
POST   /verify                                                  400   400   400   400   400   400
GET    /reset-password                                          200   200   200   200   200   200
POST   /reset-password                                          400   400   400   400   400   400
GET    /sign-up                                                 400   400   400   400   400   400
POST   /sign-up                                                 400   400   400   400   400   400
GET    /role-invites/accept                                     400   400   400   400   400   400
POST   /role-invites/accept                                     400   400   400   400   400   400
GET    /role-invites/{invite}                                   200   200   200   200   200   200
GET    /events/{identifier}                                     200   200   200   200   200   200
# Without its token the link of the mail opens nothing.
GET    /event-exports/{export}/download                         400   400   400   400   400   400
GET    /events/{identifier}/sessions/{session}                  200   200   200   200   200   200
GET    /events/{identifier}/cfs                                 200   200   200   200   200   200
GET    /events/{identifier}/cfs/new                             200   200   200   200   200   200
GET    /events/{identifier}/cfs/5d41402abc                      200   200   200   200   200   200
GET    /events/{identifier}/cfs/5d41402abc/new                  200   200   200   200   200   200
GET    /orders/{identifier}                                     200   200   200   200   200   200
GET    /tickets/{identifier}                                    200   200   200   200   200   200
GET    /event-invoices/{identifier}                             200   200   200   200   200   200
"""

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "LINK")
NOON = "2026-11-21T12:00:00Z"


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    method: str
    path: str
    expected: tuple[int, ...]

    def rule(self, adapter: MapAdapter) -> Rule:
        """The rule that answers."""
        path = self.path.replace("{identifier}", "abc").format_map(AnyId())
        rule, _ = adapter.match(path, self.method, return_rule=True)
        return rule


class AnyId(dict[str, int]):
    """Has an id for everything."""

    def __missing__(self, _name: str) -> int:
        return 1


def read_table() -> list[Row]:
    """The table above."""
    lines = [line.split() for line in TABLE.strip().splitlines() if not line.startswith("#")]
    return [Row(method, path, tuple(map(int, expected))) for method, path, *expected in lines]


ROWS = read_table()


def body_of(row: Row, world: World, viewer: str) -> Any:
    """What to send so that a caller who may do it succeeds (or at least gets as far as the contents)."""
    ids, last = world.ids, row.path.rsplit("/", 1)[1]
    if row.method == "PATCH" and last == "notifications":
        return {"meta": {"is-read": True}}
    if row.method == "PATCH" and last == "notification-marker":
        marker = {"seen-id": str(ids["notification"]), "version": 0}
        return {"data": {"type": "notification-marker", "id": str(ids["user"]), "attributes": marker}}
    if row.method == "PATCH" and last == "preferences":
        return {"data": {"type": "preferences", "id": str(ids["user"]), "attributes": {}}}
    if row.method == "PATCH" and row.path.startswith("/v1/") and "auth" not in row.path:
        kind = row.path.split("/")[2].removesuffix("s")
        return {"data": {"type": kind, "id": world.path(last), "attributes": {}}}
    event = {"data": {"type": "event", "id": str(ids["event"])}}
    call = {"data": {"type": "speakers-call", "id": str(ids["call"])}}
    window = {"starts-at": NOON, "ends-at": NOON}
    made: dict[str, Any] = {
        "/v1/auth/reset-password": {"data": {"email": f"{viewer}-unknown@example.org"}},
        "/v1/users": {"data": {"type": "user", "attributes": {}}},
        "/v1/events": {
            "data": {"type": "event", "attributes": {"name": "New", "starts-at": NOON, "ends-at": NOON}},
        },
        "/v1/happenings": {
            "data": {
                "type": "happening",
                "attributes": {"event-type": "forums.post.created", "title": "New", "message": "New"},
            },
        },
        "/v1/event-types": {
            "data": {"type": "event-type", "attributes": {"name": f"forums.{viewer}.new", "title": "New"}},
        },
        "/v1/speakers": {
            "data": {"type": "speaker", "attributes": {"name": "New"}, "relationships": {"event": event}},
        },
        "/v1/event-exports": {"data": {"type": "event-export", "relationships": {"event": event}}},
        "/v1/sessions": {
            "data": {"type": "session", "attributes": {"title": "New"}, "relationships": {"event": event}},
        },
        "/v1/speakers-calls": {
            "data": {
                "type": "speakers-call",
                "attributes": {"announcement": "Come", **window},
                "relationships": {"event": event},
            },
        },
        "/v1/paper-invites": {
            "data": {
                "type": "paper-invite",
                "attributes": {"email": f"{viewer}-asked@example.org"},
                "relationships": {"speakers-call": call},
            },
        },
        "/v1/tickets": {
            "data": {"type": "ticket", "attributes": {"name": "New"}, "relationships": {"event": event}},
        },
        "/v1/attendees": {
            "data": {"type": "attendee", "attributes": {"firstname": "New"}, "relationships": {"event": event}},
        },
        "/v1/orders": {"data": {"type": "order", "relationships": {"event": event}}},
        **{
            f"/v1/mail-{plural}": {"data": {"type": f"mail-{one}", "attributes": {"ids": [str(ids["mail"])], **more}}}
            for plural, one, more in (
                ("retries", "retry", {}),
                ("cancellations", "cancellation", {}),
                ("settlements", "settlement", {"outcome": "sent"}),
            )
        },
        "/v1/suppressions": {
            "data": {"type": "suppression", "attributes": {"address": f"{viewer}-gone@example.org"}},
        },
        "/v1/broadcasts": {
            "data": {
                "type": "broadcast",
                "attributes": {"title": "New", "message": "<p>New</p>", "audience": "speakers"},
                "relationships": {"event": event},
            },
        },
        "/v1/channel-services": {"data": {"type": "channel-service", "attributes": {"name": "new", **GATEWAY}}},
        "/v1/mail-services": {"data": {"type": "mail-service", "attributes": {"name": "new"}}},
        "/v1/role-invites": {
            "data": {
                "type": "role-invite",
                "attributes": {"email": f"{viewer}-new@example.org", "role-name": "moderator"},
                "relationships": {"event": event},
            },
        },
    }
    if row.method == "POST" and last == "listens":
        return {"data": {"type": "listen", "attributes": {"event-type": "sessions.*"}}}
    return made.get(row.path, {}) if row.method == "POST" else {}


def send(client: FlaskClient, method: str, path: str, token: str | None, body: Any = None) -> Any:
    # The one address that takes a file takes nothing else.
    content_type = "application/json" if path == "/v1/event-imports" else MEDIA_TYPE
    headers = {"Accept": MEDIA_TYPE, "Content-Type": content_type}
    if token:
        headers["Authorization"] = f"JWT {token}"
    data = json.dumps(body) if method in ("POST", "PATCH") else None
    return client.open(path, method=method, headers=headers, data=data)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.method} {row.path}")
def test_each_caller_gets_what_the_table_says(row: Row, world: World, client: FlaskClient) -> None:
    path = world.path(row.path)
    got = []
    for viewer in VIEWERS:
        token = world.clients[viewer].token
        answer = send(client, row.method, path, token, body_of(row, world, viewer))
        got.append(answer.status_code)
        if answer.status_code in (401, 403, 404):
            errors_of(answer)
        if row.method == "GET":
            head = send(client, "HEAD", path, token)
            assert head.status_code == answer.status_code
            assert head.data == b""
            assert head.headers["Content-Type"] == answer.headers["Content-Type"]
        if row.method == "DELETE":
            world.undelete()
    assert got == list(row.expected)


def test_the_table_has_every_method_of_every_route(app: Flask) -> None:
    adapter = app.url_map.bind("")
    listed = {(row.rule(adapter).rule, row.method) for row in ROWS}
    there = {(rule.rule, method) for rule in app.url_map.iter_rules() for method in declared(rule)}
    assert listed == there


def test_every_rule_has_a_permission_for_each_of_its_methods(app: Flask) -> None:
    routes = routes_of(app)
    for rule in app.url_map.iter_rules():
        assert rule.endpoint in routes, f"{rule} is in no table"
        permissions = routes[rule.endpoint].methods
        assert declared(rule) == set(permissions), rule
        assert all(callable(permission) for permission in permissions.values())
    assert {f"v1.{route.endpoint}" for route in V1} | {route.endpoint for route in ROOT} == set(routes)


def test_the_endpoints_of_notifications_are_named_as_in_the_contract(app: Flask) -> None:
    adapter = app.url_map.bind("")
    for path, endpoint in (
        ("/v1/notifications", "v1.notification_list_admin"),
        ("/v1/users/2/notifications", "v1.notification_list"),
        ("/v1/users/2/notifications/count", "v1.notification_count"),
        ("/v1/notifications/7", "v1.notification_detail"),
        ("/v1/notifications/7/relationships/user", "v1.notification_user"),
        ("/v1/notifications/7/user", "v1.notification_user"),
    ):
        assert adapter.match(path)[0] == endpoint


def declared(rule: Rule) -> set[str]:
    """A rule's methods, without the two that every route has."""
    return set(rule.methods or ()) - {"HEAD", "OPTIONS"}


def paths(app: Flask) -> dict[str, set[str]]:
    """An address of each rule, with all the methods that it takes."""
    adapter = app.url_map.bind("")
    taken: dict[str, set[str]] = {}
    for row in ROWS:
        path = row.path.replace("{identifier}", "abc").format_map(AnyId())
        taken.setdefault(path, set()).update(row.rule(adapter).methods or ())
    return taken


@pytest.mark.parametrize("viewer", ["anonymous", "stranger", "admin", "somebody with a broken token"])
def test_any_other_method_is_405_for_everybody(app: Flask, world: World, client: FlaskClient, viewer: str) -> None:
    known = world.clients.get(viewer)
    token = known.token if known else "not.a.token"
    headers = {"Authorization": f"JWT {token}"} if token else {}
    content_types = itertools.cycle([None, MEDIA_TYPE, "text/plain", "multipart/form-data", "x"])
    for path, taken in paths(app).items():
        for method in sorted(set(METHODS) - taken):
            answer = client.open(path, method=method, headers=headers, data=b"{", content_type=next(content_types))
            assert answer.status_code == 405, f"{method} {path}"
            assert set(answer.headers["Allow"].split(", ")) == taken
            if method != "HEAD":
                assert errors_of(answer)[0]["status"] == "405"


@pytest.mark.parametrize(
    "path",
    [
        "/v1/notifications",
        "/v1/notifications/1",
        "/v1/notifications/999999",
        "/v1/notifications/1/user",
        "/v1/notifications/1/relationships/user",
        "/v1/users/1/notifications",
        "/v1/users/1/notifications/count",
    ],
)
def test_nobody_posts_a_notification(world: World, path: str) -> None:
    body = {"data": {"type": "notification", "attributes": {"title": "Mine", "is-read": False}}}
    for viewer in VIEWERS:
        answer = world.clients[viewer].post(path, body)
        assert answer.status_code == 405
        assert "POST" not in answer.headers["Allow"]
        assert "GET" in answer.headers["Allow"]
        errors_of(answer)


def test_every_address_answers_options(app: Flask, client: FlaskClient) -> None:
    for path, taken in paths(app).items():
        answer = client.options(path)
        assert answer.status_code == 200, path
        assert set(answer.headers["Allow"].split(", ")) >= {"OPTIONS"}
        assert set(answer.headers["Allow"].split(", ")) <= taken


NOWHERE = """
/ /v1 /v1/ /v1/nothing /v1/users/ /v1/users/-1 /v1/users/x /v1/users/1/x /static/x /v1/notifications/1e1
/v1/notifications/99999999999999999999 /%00 /v1/events/%0a /v1/events/٣
"""


@pytest.mark.parametrize("path", NOWHERE.split())
def test_what_is_not_in_the_table_is_404(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert errors_of(answer)[0]["status"] == "404"


def test_a_write_in_another_media_type_is_415(world: World, client: FlaskClient) -> None:
    for row in ROWS:
        if row.method not in ("POST", "PATCH") or not row.path.startswith("/v1"):
            continue
        caller = "owner" if row.expected[-1] == 403 else "admin"
        if row.path == "/v1/happenings":
            caller = "service"
        body, headers = json.dumps(body_of(row, world, caller)), {"Authorization": f"JWT {world.clients[caller].token}"}
        # Logging in and the like take plain JSON, of whatever kind.
        is_plain = "/auth/" in row.path or row.path in (
            "/v1/test-mail",
            "/v1/webhooks/sendgrid",
            "/v1/orders/resend-email",
            "/v1/role-invites/accept-invite",
        )
        wrong = ["text/plain", None, "application/xml"] + ([] if is_plain else [f'{MEDIA_TYPE}; ext="x"'])
        for content_type in wrong:
            path = world.path(row.path)
            answer = client.open(path, method=row.method, headers=headers, data=body, content_type=content_type)
            assert answer.status_code == 415, f"{row.method} {path} {content_type}"
            errors_of(answer)


def test_an_accept_header_that_excludes_json_api_is_406(world: World, client: FlaskClient) -> None:
    for row in ROWS:
        # A download is a file, whatever is asked for.
        if row.method == "GET" and row.path.startswith("/v1") and not row.path.endswith("/download"):
            headers = {"Authorization": f"JWT {world.clients['admin'].token}", "Accept": "text/html"}
            answer = client.get(world.path(row.path), headers=headers)
            assert answer.status_code == 406, row.path
            errors_of(answer)
