"""Service accounts: other programs that use the API with a token, for what its scopes say and nothing else."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text, update

from app.auth.services import create_service, revoke_service
from app.models import ServiceToken, db
from app.models.base import utc_now
from tests.api.test_routes import ROWS, body_of, send
from tests.conftest import People
from tests.support.api import Api
from tests.support.errors import errors_of
from tests.support.rows import activities
from tests.support.world import make_world

TYPES = "/v1/event-types"
# What a service account with every scope is answered where somebody without a token gets another answer than 401.
ALLOWED = {
    ("POST", "/v1/happenings"): 201,
    ("GET", "/v1/event-types"): 200,
    ("POST", "/v1/event-types"): 201,
    ("GET", "/v1/event-types/{event_type}"): 200,
}


def make(*scopes: str, name: str = "forum", expires_at: datetime | None = None) -> str:
    token = create_service(name, scopes or ("event-types:write",), expires_at)
    db.session.commit()
    return token


def expire(name: str) -> None:
    """Let the time of a token be over."""
    gone = update(ServiceToken).where(ServiceToken.name == name).values(expires_at=utc_now() - timedelta(seconds=1))
    db.session.execute(gone)
    db.session.commit()


def declare(client: FlaskClient, token: str, name: str = "forums.post.new") -> int:
    body = {"data": {"type": "event-type", "attributes": {"name": name, "title": "New"}}}
    answer = send(client, "POST", TYPES, token, body)
    if answer.status_code >= 400:
        assert token not in str(errors_of(answer))
    return int(answer.status_code)


def only_service() -> ServiceToken:
    db.session.expire_all()
    return db.session.scalars(select(ServiceToken)).one()


def test_a_token_is_long_and_of_it_only_a_digest_is_kept(client: FlaskClient) -> None:
    token = make()
    assert token.startswith("ush_")
    assert len(token) == 4 + 43
    kept = str(list(db.session.execute(text("SELECT * FROM service_tokens"))))
    assert token not in kept
    assert token[4:] not in kept
    assert make(name="other") != token


@pytest.mark.parametrize("scheme", ["JWT", "Bearer", "bearer"])
def test_it_is_taken_in_the_header_that_people_use(client: FlaskClient, scheme: str) -> None:
    answer = client.get(TYPES, headers={"Authorization": f"{scheme} {make()}"})
    assert answer.status_code == 200


def test_one_that_has_expired_was_revoked_or_never_was_is_401(client: FlaskClient) -> None:
    soon = utc_now() + timedelta(days=1)
    expired, revoked, good = make(name="a", expires_at=soon), make(name="b"), make(name="c", expires_at=soon)
    expire("a")
    revoke_service("b")
    db.session.commit()
    for token in (expired, revoked, good[:-1], good + "x", "ush_", "ush_\udcff", f"ush_{'x' * 10_000}"):
        answer = client.get(TYPES, headers={"Authorization": f"JWT {token.encode('utf-8', 'ignore').decode()}"})
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "JWT"
        assert "revoked" in errors_of(answer)[0]["detail"]
    assert client.get(TYPES, headers={"Authorization": f"JWT {good}"}).status_code == 200


def test_a_scope_is_needed_and_named(client: FlaskClient) -> None:
    other = make("happenings:write")
    answer = send(client, "POST", TYPES, other, {})
    assert answer.status_code == 403
    assert "the scope event-types:write" in errors_of(answer)[0]["detail"]
    assert declare(client, make(name="declarer")) == 201


def test_it_may_do_only_what_its_scopes_say_at_any_address(people: People, api: Api, client: FlaskClient) -> None:
    world = make_world(people, api)
    for row in ROWS:
        path, token = world.path(row.path), world.clients["service"].token
        answer = send(client, row.method, path, token, body_of(row, world, "service"))
        as_nobody = 403 if row.expected[0] == 401 else row.expected[0]
        assert answer.status_code == ALLOWED.get((row.method, row.path), as_nobody), f"{row.method} {row.path}"
        if row.expected[0] == 401 and answer.status_code == 403:
            assert "scope" in errors_of(answer)[0]["detail"]


def test_when_it_was_last_used_is_noted_at_most_once_a_minute(client: FlaskClient) -> None:
    token = make()
    assert only_service().last_used_at is None
    client.get(TYPES, headers={"Authorization": f"JWT {token}"})
    first = only_service().last_used_at
    assert first is not None
    client.get(TYPES, headers={"Authorization": f"JWT {token}"})
    assert only_service().last_used_at == first
    only_service().last_used_at = first - timedelta(seconds=61)
    db.session.commit()
    client.get(TYPES, headers={"Authorization": f"JWT {token}"})
    noted = only_service().last_used_at
    assert noted is not None
    assert noted >= first


def test_a_request_waits_for_nobody_who_holds_the_row(app: Flask, client: FlaskClient) -> None:
    token = make()
    with db.engine.begin() as other:
        other.execute(text("SELECT id FROM service_tokens FOR UPDATE"))
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(lambda: app.test_client().get(TYPES, headers={"Authorization": f"JWT {token}"}))
            assert asked.result(timeout=10).status_code == 200
    assert only_service().last_used_at is None


def test_a_token_is_in_no_log_and_no_activity(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token = make()
    assert declare(client, token) == 201
    assert declare(client, token) == 409
    assert declare(client, token, "\x00") == 400
    assert token not in caplog.text
    assert token[4:] not in caplog.text
    assert activities() == [
        "Service account forum created: event-types:write",
        "Type of happenings forums.post.new declared",
    ]
    actors = list(db.session.scalars(text("SELECT actor FROM activities ORDER BY id")))
    assert actors == ["manage.py", "Service account forum"]
