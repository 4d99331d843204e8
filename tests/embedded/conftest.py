"""Fixtures of the embedded stack's tests."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.embedded.stack import EmbeddedStack


@pytest.fixture(autouse=True)
def _own_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The servers of the whole run's stack are not these tests'."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)


@pytest.fixture(scope="session")
def long_spaced_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data dir whose path has spaces and is too long for a Unix socket."""
    parent = tmp_path_factory.mktemp("a parent")
    return parent / ("deep and " * 12).strip() / ("deeper and " * 8).strip() / "data dir"


@pytest.fixture(scope="session")
def stack(long_spaced_dir: Path) -> Iterator[EmbeddedStack]:
    """A stack for every test that leaves it running."""
    with EmbeddedStack(long_spaced_dir, durable=False, environ=own_environment()) as running:
        yield running


@pytest.fixture(scope="session")
def made_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data dir with a cluster in it and nothing running on it, so that a start takes no second."""
    data_dir = tmp_path_factory.mktemp("made") / "data"
    with EmbeddedStack(data_dir, durable=False, environ=own_environment()):
        pass
    return data_dir


@pytest.fixture
def nobodys_dir() -> Iterator[Path]:
    """A folder that others can reach, and that belongs to the user `nobody`; only root can make one."""
    folder = Path(tempfile.mkdtemp())
    entry = pwd.getpwnam("nobody")
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    yield folder
    shutil.rmtree(folder)


def own_environment() -> dict[str, str]:
    """The environment without servers of somebody else's."""
    return {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
