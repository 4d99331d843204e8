"""`manage.py dev`: it says when it serves, and however it ends, it leaves nothing running."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support.dev import Dev, belonging_to, running_dev, start
from tests.support.processes import free_port, runs, wait_for

pytestmark = pytest.mark.slow

PARTS = {
    "web": ("manage:app",),
    "worker": ("celery_worker.celery", "worker"),
    "beat": ("celery_worker.celery", "beat"),
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


def test_it_serves_alone_on_its_folder_and_its_port_until_sigterm_ends_every_process(dev: Dev, tmp_path: Path) -> None:
    with requests.Session() as session:
        session.trust_env = False
        assert session.get(f"{dev.url}/ready", timeout=10).status_code == 200
    for words in PARTS.values():
        assert runs(dev.part(*words))

    second = start(dev.data_dir, free_port())
    _, errors = second.communicate(timeout=60)
    assert second.returncode == 1
    assert errors.count("\n") == 1
    assert f"{dev.data_dir} is in use by the process {dev.popen.pid}" in errors

    dev.popen.send_signal(signal.SIGTERM)
    assert dev.end() == (0, "")
    assert_nothing_is_left(dev)


def test_a_port_in_use_is_named_in_one_line(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        popen = start(data_dir, port)
        _, errors = popen.communicate(timeout=60)
    assert popen.returncode == 1
    assert errors == f"Error: port {port} is in use: stop what listens there, or choose another with --port\n"
    assert belonging_to(data_dir) == []


@pytest.mark.parametrize("name", PARTS)
def test_the_crash_of_a_part_ends_all_and_is_named(dev: Dev, name: str) -> None:
    dev.part(*PARTS[name]).kill()
    code, errors = dev.end()
    assert code == 1
    assert errors.startswith(f"{name} was ended by SIGKILL")
    assert_nothing_is_left(dev)


def test_a_killed_dev_leaves_nothing(dev: Dev) -> None:
    dev.popen.kill()
    assert dev.end()[0] == -signal.SIGKILL
    assert_nothing_is_left(dev)
