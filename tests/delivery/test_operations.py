"""What an operator sees of a running Usher in production: signs of life, metrics, and a log that keeps to itself."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
import requests
from prometheus_client.parser import text_string_to_metric_families

from app.delivery.watch.heartbeat import WORKERS
from tests.servers.smtp import ScriptedSmtp
from tests.support.processes import ROOT, runs, wait_for
from tests.support.usher import OWNER, PASSWORD, Usher, running_usher

pytestmark = pytest.mark.slow

SMTP_PASSWORD = "sw0rdfish-of-the-mail-server"


@pytest.fixture(scope="module")
def usher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Usher]:
    env = {"APP_ENVIRONMENT": "production", "LOG_LEVEL": "debug"}
    with running_usher(tmp_path_factory.mktemp("operations"), **env) as running:
        yield running


def ready(usher: Usher) -> tuple[int, str]:
    answer = requests.get(f"{usher.application.url}/ready", timeout=30)
    return answer.status_code, answer.json()["checks"]["worker"]


def samples(usher: Usher) -> dict[tuple[str, ...], float]:
    answer = requests.get(f"{usher.application.url}/metrics", timeout=30)
    assert answer.status_code == 200
    return {
        (each.name, *(value for _, value in sorted(each.labels.items()))): each.value
        for family in text_string_to_metric_families(answer.text)
        for each in family.samples
    }


def log_of(usher: Usher, name: str) -> str:
    return (Path(usher.stack.data_dir) / "log" / f"{name}.log").read_text(encoding="utf-8")


def lines_of(usher: Usher, name: str) -> list[dict[str, Any]]:
    """The lines of JSON; besides there is only what Celery prints when it starts and ends."""
    return [json.loads(line) for line in log_of(usher, name).splitlines() if line.startswith("{")]


def test_a_worker_is_heard_from_while_it_runs_and_not_once_it_has_ended(usher: Usher) -> None:
    wait_for(lambda: ready(usher) == (200, "ok"), "a sign of life")
    wait_for(lambda: samples(usher).get(("usher_up", "worker")) == 1, "the metric of it")
    wait_for(lambda: ("usher_sweep_heard_seconds",) in samples(usher), "a sweep")
    worker = psutil.Process(usher.stack.pid("worker"))
    os.kill(worker.pid, signal.SIGTERM)
    wait_for(lambda: not runs(worker), "the end of the worker")
    with redis.Redis.from_url(usher.stack.env["REDIS_URL"]) as client:
        assert client.hkeys(WORKERS) == []
    assert ready(usher) == (503, "not heard from")
    usher.restart_worker()
    wait_for(lambda: ready(usher) == (200, "ok"), "a sign of life of the next")


def test_metrics_of_a_mail_that_was_sent_have_the_time_until_its_hand_over(usher: Usher) -> None:
    usher.begin_anew()
    before = samples(usher)
    usher.propose(1)
    usher.wait_until_sent(1)
    name = ("usher_mail_sends_total", "sent", "smtp")
    wait_for(lambda: samples(usher).get(name, 0) > before.get(name, 0), "the count of the mail")
    after = samples(usher)
    count = ("usher_mail_handover_seconds_count",)
    assert after[count] == before.get(count, 0) + 1
    assert after["usher_mails", "sent"] == 1


def test_every_metric_is_documented_and_there_is_no_other(usher: Usher) -> None:
    usher.begin_anew()
    usher.stack.stop_part("mailcatcher")
    try:
        usher.propose(1)
        wait_for(lambda: usher.statuses() == {"deferred": 1}, "a failure")
        wait_for(lambda: any(key[0] == "usher_mail_errors_total" for key in samples(usher)), "the count of it")
    finally:
        usher.stack.start_server("mailcatcher")
    usher.wait_until_sent(1)
    section = (ROOT / "docs/operations.md").read_text(encoding="utf-8").partition("## Metrics")[2].partition("## ")[0]
    table = dict(re.findall(r"^\| `(usher_[a-z_]+)` \| ([^|]*)\|", section, re.MULTILINE))
    shown: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(requests.get(f"{usher.application.url}/metrics", timeout=30).text):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        shown[name] = {label for each in family.samples for label in each.labels}
    documented = {name: set(re.findall(r"`([a-z_]+)`", labels.partition(":")[0])) for name, labels in table.items()}
    for name, labels in table.items():
        if ":" not in labels:
            documented[name] = set(re.findall(r"`([a-z_]+)`", labels))
    assert shown == documented


def test_no_line_of_a_log_in_production_has_an_address_a_token_or_a_password(usher: Usher) -> None:
    usher.begin_anew()
    refusal = "550 5.1.1 <olivia@example.org>: no such user, password=hunter2-of-the-server"
    with ScriptedSmtp("AUTH PLAIN", rcpt=[refusal, "250 OK"], auth="235 2.7.0 Yes") as server:
        usher.set({"smtp-port": server.port, "smtp-username": "usher", "smtp-password": SMTP_PASSWORD})
        usher.propose(1)
        usher.wait_until(failed=1)
        usher.http.post(f"{usher.application.url}/auth/session", json={"email": OWNER, "password": "wrong"}, timeout=30)
        usher.register("somebody-else@example.org")
        usher.wait_until(failed=1, sent=2)
        usher.stack.stop_part("worker")  # the server waits for its connection
    tokens = re.findall(rb"token=3D([^\s&]{4,12})|token=([^\s&=]{8,12})", b"".join(server.messages))
    assert tokens
    usher.application.start_worker()
    logs = {name: log_of(usher, name) for name in ("web", "worker", "beat")}
    secrets = [PASSWORD, SMTP_PASSWORD, "hunter2", *(usher.stack.env[name] for name in ("SECRET_KEY", "SETTINGS_KEY"))]
    secrets += [(first or second).decode() for first, second in tokens]
    for name, log in logs.items():
        assert "@example.org" not in log, name
        for secret in secrets:
            assert secret not in log, name
    lines = [line for line in lines_of(usher, "worker") if line.get("status") == "failed"]
    assert [(line["action"], line["attempt"], line["code"], line["level"]) for line in lines] == [
        ("New Session Proposal", 1, 550, "warning")
    ]
    assert "<address>" in lines[0]["message"]
    assert [line["attempt"] for line in lines_of(usher, "worker") if line.get("status") == "sent"]
    assert all(line["time"].endswith("Z") for name in logs for line in lines_of(usher, name))


def test_with_the_broker_restarted_the_worker_is_heard_again_and_celery_tells_of_it_in_our_format(usher: Usher) -> None:
    wait_for(lambda: ready(usher)[0] == 200, "a sign of life")
    usher.stack.stop_part("valkey")
    try:
        assert ready(usher) == (503, "unknown")
    finally:
        usher.stack.start_server("valkey")
    wait_for(lambda: ready(usher) == (200, "ok"), "a sign of life after it")
    loggers = {line["logger"] for line in lines_of(usher, "worker") if line["level"] in ("warning", "error")}
    assert any(name.startswith("celery.") for name in loggers), loggers
    assert "Traceback" not in re.sub(r"^\{.*$", "", log_of(usher, "worker"), flags=re.MULTILINE)
