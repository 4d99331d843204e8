"""What the operator's probes are told, also when something is away."""

from __future__ import annotations

import socket

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.api.health import health, ready
from app.delivery.services.shared_redis import SharedRedis, connect
from app.delivery.watch.heartbeat import HEARD_WITHIN, WORKERS, leave, note
from app.embedded.stack import EmbeddedStack
from app.models import db


@pytest.fixture
def shared(stack: EmbeddedStack) -> SharedRedis:
    return SharedRedis(connect(stack.env["REDIS_URL"]))


def test_the_process_answers(client: FlaskClient) -> None:
    answer = client.get("/health")
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})
    assert answer.mimetype == "application/json"


def test_ready_when_database_and_broker_answer_and_a_worker_was_heard_from(
    client: FlaskClient, shared: SharedRedis
) -> None:
    note(shared, WORKERS, "worker@host")
    answer = client.get("/ready")
    assert answer.status_code == 200
    assert answer.json == {"status": "ok", "checks": {"database": "ok", "broker": "ok", "worker": "ok"}}


def test_not_ready_without_a_worker_or_when_it_was_heard_from_too_long_ago(
    client: FlaskClient, shared: SharedRedis
) -> None:
    nobody = {"database": "ok", "broker": "ok", "worker": "not heard from"}
    answer = client.get("/ready")
    assert (answer.status_code, answer.json) == (503, {"status": "unavailable", "checks": nobody})
    shared.client.hset(WORKERS, "worker@host", shared.client.time()[0] - HEARD_WITHIN - 1)
    assert client.get("/ready").json["checks"] == nobody
    note(shared, WORKERS, "other@host")
    assert client.get("/ready").status_code == 200
    leave(shared, WORKERS, "other@host")
    assert client.get("/ready").status_code == 503
    assert client.get("/health").status_code == 200


def test_not_ready_without_the_broker_and_ready_again_after_it(
    client: FlaskClient, stack: EmbeddedStack, shared: SharedRedis
) -> None:
    stack.stop_part("valkey")
    try:
        away, alive = client.get("/ready"), client.get("/health")
    finally:
        stack.start_server("valkey")
    assert away.status_code == 503
    missing = {"database": "ok", "broker": "unreachable", "worker": "unknown"}
    assert away.json == {"status": "unavailable", "checks": missing}
    assert alive.status_code == 200
    note(shared, WORKERS, "worker@host")
    assert client.get("/ready").status_code == 200


def test_not_ready_without_the_database(app: Flask, database: None, caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    lonely = Flask("lonely")
    url = f"postgresql+psycopg2://usher:hidden-password@127.0.0.1:{port}/usher"
    lonely.config.update(USHER=app.config["USHER"], SQLALCHEMY_DATABASE_URI=url)
    db.init_app(lonely)
    lonely.add_url_rule("/ready", view_func=ready)
    lonely.add_url_rule("/health", view_func=health)
    answer = lonely.test_client().get("/ready")
    assert answer.status_code == 503
    assert answer.json["checks"] == {"database": "unreachable", "broker": "ok", "worker": "not heard from"}
    assert lonely.test_client().get("/health").status_code == 200
    assert "database does not answer" in caplog.text
    assert "hidden-password" not in caplog.text + answer.text
