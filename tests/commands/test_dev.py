"""`manage.py dev`: it says when it serves, and however it ends, it leaves nothing running."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from app.embedded.runtime import read_runtime
from tests.support.dev import Dev, belonging_to, find_part, manage, running_dev, start
from tests.support.processes import free_port, runs, wait_for

pytestmark = pytest.mark.slow

PASSWORD = "a long password of the admin"
PARTS = {
    "web": ("manage:app",),
    "worker": ("celery_worker.celery", "worker"),
    "beat": ("celery_worker.celery", "beat"),
    "realtime": ("app.realtime",),
}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One data dir for all, so that the cluster is made and migrated once; each test ends what it runs on it."""
    return tmp_path_factory.mktemp("dev") / "data dir"


@pytest.fixture
def dev(data_dir: Path) -> Iterator[Dev]:
    with running_dev(data_dir) as running:
        yield running


def assert_nothing_is_left(dev: Dev) -> None:
    wait_for(lambda: not any(runs(process) for process in dev.family), "the end of every process")
    assert belonging_to(dev.data_dir) == []


def test_it_serves_with_commands_beside_it_until_sigterm_ends_every_process(dev: Dev) -> None:
    folder = ("--data-dir", str(dev.data_dir))
    code, _, errors = manage("db", "upgrade", *folder)
    assert code == 0, errors
    code, output, errors = manage("create-admin", "boss@example.org", *folder, USHER_ADMIN_PASSWORD=PASSWORD)
    assert (code, output) == (0, "boss@example.org is now an admin (user 1).\n"), errors
    with requests.Session() as session:
        session.trust_env = False  # the environment may name a proxy
        login = {"email": "boss@example.org", "password": PASSWORD}
        assert session.post(f"{dev.url}/auth/session", json=login, timeout=10).status_code == 200
        assert session.get(f"http://127.0.0.1:{dev.port + 1}/ready", timeout=10).json()["status"] == "ok"

    # Beside it, commands make links that lead to it.
    gateway = f"http://127.0.0.1:{dev.port + 1}"
    assert read_runtime(dev.data_dir).addresses == {"FRONTEND_URL": dev.url, "REALTIME_URL": gateway}

    code, _, errors = manage("dev", "--port", str(free_port()), *folder)
    assert code == 1
    assert errors.count("\n") == 1
    assert f"{dev.data_dir} is in use by the process {dev.popen.pid}" in errors

    dev.popen.send_signal(signal.SIGTERM)
    assert dev.end() == (0, "")
    assert_nothing_is_left(dev)


def test_a_port_in_use_is_named_in_one_line(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, errors = manage("dev", "--port", str(port), "--data-dir", str(data_dir))
    assert code == 1
    assert errors == f"Error: port {port} is in use: stop what listens there, or choose another with --port\n"
    assert belonging_to(data_dir) == []


def test_the_crash_of_a_part_ends_all_and_is_named(dev: Dev) -> None:
    worker = find_part(dev.popen, *PARTS["worker"])
    assert worker is not None
    worker.kill()
    code, errors = dev.end()
    assert code == 1
    assert errors.startswith("worker was ended by SIGKILL")
    assert_nothing_is_left(dev)


@pytest.mark.parametrize("name", ["web", "beat"])
def test_the_crash_of_a_part_during_the_start_ends_all_and_is_named(data_dir: Path, name: str) -> None:
    popen = start(data_dir, free_port())
    wait_for(lambda: find_part(popen, *PARTS[name]) is not None, f"the start of {name}")
    part = find_part(popen, *PARTS[name])
    assert part is not None
    part.kill()
    _, errors = popen.communicate(timeout=60)
    assert popen.returncode == 1
    # In the middle of the start it is the command's own error; afterwards the end of what it watches.
    assert errors.removeprefix("Error: ").startswith(f"{name} was ended by SIGKILL")
    assert belonging_to(data_dir) == []


def test_a_killed_dev_leaves_nothing(dev: Dev) -> None:
    dev.popen.kill()
    assert dev.end()[0] == -signal.SIGKILL
    assert_nothing_is_left(dev)
