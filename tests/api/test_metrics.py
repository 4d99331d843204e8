"""What Prometheus reads: of the mails and of the workers, all named in docs/operations.md, and cheap to count."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
import yaml
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from app.api.metrics import metrics as view
from app.delivery.retention import clean
from app.delivery.services.breaker import Breaker
from app.delivery.services.circuit import Policy
from app.delivery.services.shared_redis import SharedRedis, connect
from app.delivery.watch.heartbeat import SWEEP, SWEEPS, WORKERS, note
from app.delivery.watch.telemetry import Telemetry
from app.embedded.stack import EmbeddedStack
from app.models import Mail, db
from app.models.base import utc_now
from app.models.mail import MAIL_STATUSES
from tests.support import channels
from tests.support.plans import assert_no_table_is_read_whole, statements_about
from tests.support.processes import ROOT, free_port

Samples = dict[str, dict[tuple[str, ...], float]]


@pytest.fixture
def shared(stack: EmbeddedStack) -> SharedRedis:
    return SharedRedis(connect(stack.env["REDIS_URL"]))


def samples(client: FlaskClient) -> Samples:
    """The values by the name of the sample and its labels, sorted by their names, as Prometheus's parser reads them."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.content_type.startswith("text/plain")
    found: Samples = {}
    for family in text_string_to_metric_families(answer.text):
        for each in family.samples:
            found.setdefault(each.name, {})[tuple(value for _, value in sorted(each.labels.items()))] = each.value
    return found


def mail(status: str = "queued", due: timedelta = timedelta(), **more: Any) -> None:
    moment = utc_now() - due
    if status == "sending":
        more |= {"claim": "00000000-0000-4000-8000-000000000000", "lease_until": utc_now()}
    if status == "sent":
        more["sent_at"] = moment
    number = db.session.query(Mail).count()
    texts = dict.fromkeys(("action", "subject", "message", "text"), "Test")
    to = {"recipient": "ana@example.org", "message_id": f"{number}@example.org"}
    db.session.add(Mail(status=status, time=moment, next_attempt_at=moment, **to, **texts, **more))
    db.session.commit()


def test_mails_are_counted_by_status(client: FlaskClient) -> None:
    assert samples(client)["usher_mails"] == {(status,): 0 for status in MAIL_STATUSES}
    for status in MAIL_STATUSES:
        mail(status)
    mail("sent")
    assert samples(client)["usher_mails"] == {(status,): 1 + (status == "sent") for status in MAIL_STATUSES}


def test_mails_whose_rows_retention_has_deleted_stay_counted(client: FlaskClient) -> None:
    long_ago = utc_now() - timedelta(days=5_000)
    for status in ("sent", "failed", "failed"):
        mail(status, give_up_at=long_ago)
    mail("failed")
    before = samples(client)["usher_mails"]
    db.session.rollback()
    assert clean(db.engine)["mails"] == 3
    assert db.session.query(Mail).count() == 1
    assert samples(client)["usher_mails"] == before
    assert before["failed",] == 3


def test_the_queue_is_what_is_due_by_lane(client: FlaskClient) -> None:
    mail(due=timedelta(minutes=10), lane=1)
    mail("deferred", due=timedelta(minutes=5), lane=1)
    mail("scheduled", due=-timedelta(days=1), lane=0)
    mail("deferred", due=-timedelta(minutes=1), lane=0)
    found = samples(client)
    assert found["usher_queue_mails"] == {("transactional",): 0, ("bulk",): 2}
    assert found["usher_queue_oldest_seconds"]["transactional",] == 0
    assert 600 <= found["usher_queue_oldest_seconds"]["bulk",] < 660
    mail("scheduled", due=timedelta(seconds=30), lane=0)
    assert samples(client)["usher_queue_mails"] == {("transactional",): 1, ("bulk",): 2}


def test_what_the_workers_counted_is_shown(client: FlaskClient, shared: SharedRedis) -> None:
    telemetry = Telemetry()
    telemetry.ended("smtp", "sent")
    telemetry.ended("smtp", "sent")
    telemetry.failed("second", "throttled")
    for seconds in (0.02, 0.03, 1000.0):
        telemetry.handed_over(seconds)
    telemetry.write(shared)
    found = samples(client)
    assert found["usher_mail_sends_total"] == {("sent", "smtp"): 2}
    assert found["usher_mail_errors_total"] == {("throttled", "second"): 1}
    buckets = found["usher_mail_handover_seconds_bucket"]
    assert [buckets[limit,] for limit in ("0.01", "0.025", "0.05", "300.0", "+Inf")] == [0, 1, 2, 2, 3]
    assert found["usher_mail_handover_seconds_count"][()] == 3
    assert found["usher_mail_handover_seconds_sum"][()] == pytest.approx(1000.05)


def test_every_service_has_a_breaker(client: FlaskClient, shared: SharedRedis) -> None:
    db.session.execute(text("INSERT INTO mail_services (name, is_enabled) VALUES ('second', true), ('off', false)"))
    db.session.commit()
    assert samples(client)["usher_breaker_state"] == {("smtp",): 0, ("second",): 0}
    breaker = Breaker(shared, Policy(failures=1))
    permit = breaker.allow("second")
    assert permit is not None
    permit.failed("connection")
    channels.service("json://gate.example.org/{to}", "gate")
    channels.service("json://gate.example.org/{to}", "off", is_enabled=False)
    assert samples(client)["usher_breaker_state"] == {("smtp",): 0, ("second",): 2, ("channel:gate",): 0}


def test_parts_and_signs_of_life(client: FlaskClient, shared: SharedRedis) -> None:
    found = samples(client)
    assert found["usher_up"] == {("database",): 1, ("broker",): 1, ("worker",): 0}
    assert "usher_sweep_heard_seconds" not in found
    note(shared, WORKERS, "worker@host")
    note(shared, SWEEPS, SWEEP)
    found = samples(client)
    assert found["usher_up"]["worker",] == 1
    assert 0 <= found["usher_worker_heard_seconds"]["worker@host",] < 30
    assert 0 <= found["usher_sweep_heard_seconds"][()] < 30


def test_suppressed_addresses_are_counted(client: FlaskClient) -> None:
    assert samples(client)["usher_suppressions"] == {(): 0}
    db.session.execute(text("INSERT INTO suppressions (address, reason) VALUES ('ana@example.org', 'manual')"))
    db.session.commit()
    assert samples(client)["usher_suppressions"] == {(): 1}


def test_without_the_broker_there_are_still_those_of_the_table(client: FlaskClient, stack: EmbeddedStack) -> None:
    stack.stop_part("valkey")
    try:
        found = samples(client)
    finally:
        stack.start_server("valkey")
    assert found["usher_up"] == {("database",): 1, ("broker",): 0}
    assert found["usher_mails"]["queued",] == 0
    assert "usher_mail_sends_total" not in found


def test_without_the_database_there_are_still_those_of_the_workers(app: Flask, shared: SharedRedis) -> None:
    lonely = Flask("lonely")
    url = f"postgresql+psycopg2://usher:hidden-password@127.0.0.1:{free_port()}/usher"
    lonely.config.update(USHER=app.config["USHER"], SQLALCHEMY_DATABASE_URI=url)
    db.init_app(lonely)
    lonely.add_url_rule("/metrics", view_func=view)
    note(shared, WORKERS, "worker@host")
    found = samples(lonely.test_client())
    assert found["usher_up"] == {("database",): 0, ("broker",): 1, ("worker",): 1}
    assert "usher_mails" not in found


_FILL = """
INSERT INTO mails (recipient, action, subject, message, text, message_id, status, sent_at)
    SELECT 'many@example.org', 'Test', 'Subject', repeat('Hello', 50), 'Hello', n || '@example.org',
        CASE WHEN n % 2 = 0 THEN 'queued' ELSE 'sent' END, now() FROM generate_series(1, 20000) AS n
"""


def test_no_table_is_read_whole_for_them(client: FlaskClient) -> None:
    # What was committed and is not on the disk yet, VACUUM does not count as seen by all.
    db.session.execute(text("SET LOCAL synchronous_commit = on"))
    db.session.execute(text(_FILL))
    db.session.commit()
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE mails"))
    with statements_about("mails") as seen:
        found = samples(client)
    assert found["usher_mails"]["queued",] == 10_000
    assert_no_table_is_read_whole(seen, "mails")


def test_the_alerts_ask_for_metrics_that_are_there() -> None:
    text_of = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    table = set(re.findall(r"^\| `(usher_[a-z_]+)` \|", text_of, re.MULTILINE))
    rules = yaml.safe_load(text_of.partition("```yaml\n")[2].partition("```")[0])["groups"][0]["rules"]
    assert len(rules) >= 8
    for rule in rules:
        named = {name.removesuffix("_bucket") for name in re.findall(r"usher_[a-z_]+", rule["expr"])}
        assert named
        assert named <= table, rule["alert"]
