"""What the operator's probes are told, also when something is away."""

from __future__ import annotations

import socket

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from app.api.health import health, ready
from app.api.helpers.mail import send_email
from app.embedded.stack import EmbeddedStack
from app.models import db
from app.models.base import utc_now


def metrics(client: FlaskClient) -> dict[str, dict[str, float]]:
    """The samples by name and status, as Prometheus's own parser reads them."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.text)
    return {family.name: {each.labels["status"]: each.value for each in family.samples} for family in families}


def test_the_process_answers(client: FlaskClient) -> None:
    answer = client.get("/health")
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})
    assert answer.mimetype == "application/json"


def test_ready_when_database_and_broker_answer(client: FlaskClient) -> None:
    answer = client.get("/ready")
    assert answer.status_code == 200
    assert answer.json == {"status": "ok", "checks": {"database": "ok", "broker": "ok"}}


def test_not_ready_without_the_broker_and_ready_again_after_it(client: FlaskClient, stack: EmbeddedStack) -> None:
    stack.stop_part("valkey")
    try:
        away, alive = client.get("/ready"), client.get("/health")
    finally:
        stack.start_server("valkey")
    assert away.status_code == 503
    assert away.json == {"status": "unavailable", "checks": {"database": "ok", "broker": "unreachable"}}
    assert alive.status_code == 200
    assert client.get("/ready").status_code == 200


def test_not_ready_without_the_database(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
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
    assert answer.json["checks"] == {"database": "unreachable", "broker": "ok"}
    assert lonely.test_client().get("/health").status_code == 200
    assert "database does not answer" in caplog.text
    assert "hidden-password" not in caplog.text + answer.text


def test_metrics_count_the_queue_by_status(client: FlaskClient) -> None:
    empty = metrics(client)
    none = dict.fromkeys(("scheduled", "queued", "sending", "deferred", "failed", "uncertain"), 0)
    assert empty["usher_mails"] == none
    for number in range(3):
        mail = send_email(f"user{number}@example.org", "Test", "Hi", "Hi")
    assert mail is not None
    mail.status, mail.time = "deferred", utc_now().replace(year=2020)
    db.session.commit()
    now = metrics(client)
    assert now["usher_mails"] == {**none, "queued": 2, "deferred": 1}
    assert now["usher_mails_oldest_seconds"]["deferred"] > 365 * 24 * 3600
    assert now["usher_mails_oldest_seconds"]["failed"] == 0
