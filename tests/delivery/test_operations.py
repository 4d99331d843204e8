"""What an operator sees of a running Usher in production: signs of life, metrics, and a log that keeps to itself."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
import requests
from prometheus_client.parser import text_string_to_metric_families

from app.delivery.heartbeat import WORKERS
from tests.support.processes import runs, wait_for
from tests.support.usher import Usher, running_usher

pytestmark = pytest.mark.slow


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
