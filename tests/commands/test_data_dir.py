"""What a command takes over from the `manage.py dev` that runs on a folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.commands.data_dir import use_servers
from app.embedded.lock import DataDirLock
from app.embedded.runtime import Runtime

ADDRESSES = {"FRONTEND_URL": "http://127.0.0.1:5470", "REALTIME_URL": "http://127.0.0.1:5471"}


def test_servers_are_the_folders_and_addresses_too_unless_the_environment_names_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere.example.org/usher")
    monkeypatch.setenv("FRONTEND_URL", "https://front.example.org")
    monkeypatch.setenv("REALTIME_URL", "")
    lock = DataDirLock(tmp_path)
    lock.acquire()
    try:
        env = {"DATABASE_URL": "postgresql://127.0.0.1/usher"}
        Runtime(os.getpid(), str(tmp_path / "mail"), {}, env, ADDRESSES).write(tmp_path)
        use_servers(tmp_path)
    finally:
        lock.release()
    assert os.environ["DATABASE_URL"] == "postgresql://127.0.0.1/usher"
    assert os.environ["FRONTEND_URL"] == "https://front.example.org"
    assert os.environ["REALTIME_URL"] == ADDRESSES["REALTIME_URL"]
