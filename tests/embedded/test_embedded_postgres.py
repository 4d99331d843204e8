"""The PostgreSQL cluster survives what happens to data dirs: crashes, other versions, foreign files."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from conftest import own_environment

from app.embedded.errors import StackError
from app.embedded.stack import EmbeddedStack


@pytest.fixture
def sleeper(made_dir: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another program, of the user PostgreSQL runs as."""
    owner = (made_dir / "postgres").stat()
    account = {"user": owner.st_uid, "group": owner.st_gid} if os.geteuid() == 0 else {}
    popen = subprocess.Popen(["sleep", "600"], **account)
    yield popen
    popen.kill()
    popen.wait()


def leave_pid_file(data_dir: Path, pid: int) -> Path:
    """Leave the postmaster.pid that a crashed PostgreSQL of that pid leaves."""
    path = data_dir / "postgres" / "postmaster.pid"
    with EmbeddedStack(data_dir, durable=False, environ=own_environment()):
        content = path.read_text().partition("\n")[2]
        owner = path.stat()
    path.write_text(f"{pid}\n{content}")
    path.chmod(0o600)
    os.chown(path, owner.st_uid, owner.st_gid)
    return path


def test_a_pid_file_left_by_a_crash_stops_no_start_though_another_program_has_the_pid(
    made_dir: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    leave_pid_file(made_dir, sleeper.pid)
    with EmbeddedStack(made_dir, durable=False, environ=own_environment()) as stack:
        assert stack.env["DATABASE_URL"]
    assert sleeper.poll() is None


def test_a_postgresql_that_still_runs_on_the_cluster_is_named(made_dir: Path) -> None:
    with subprocess.Popen(["sleep", "600"], cwd=made_dir / "postgres") as survivor:
        path = leave_pid_file(made_dir, survivor.pid)
        with (
            pytest.raises(StackError, match=f"kill -INT {survivor.pid}"),
            EmbeddedStack(made_dir, durable=False, environ=own_environment()),
        ):
            pass
        assert path.read_text().startswith(f"{survivor.pid}\n")
        survivor.kill()
    path.unlink()


def test_a_killed_postgresql_recovers_what_was_committed(tmp_path: Path) -> None:
    with EmbeddedStack(tmp_path / "data", environ=own_environment()) as stack:
        psutil.Process(stack.pid("postgres")).kill()
        assert stack.wait() == 1
    assert (tmp_path / "data" / "postgres" / "postmaster.pid").exists()
    with EmbeddedStack(tmp_path / "data", environ=own_environment()) as stack:
        assert stack.env["DATABASE_URL"]


def test_a_cluster_of_another_version_is_refused_with_both_versions(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("17\n")
    with pytest.raises(StackError, match="made by PostgreSQL 17, and this is 18"), EmbeddedStack(tmp_path):
        pass


def test_a_folder_that_is_no_cluster_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "thesis.txt").write_text("the only copy")
    with (
        pytest.raises(StackError, match=r"cannot make .*postgres: .*remove what is there"),
        EmbeddedStack(tmp_path, durable=False, environ=own_environment()),
    ):
        pass
    assert (tmp_path / "postgres" / "thesis.txt").read_text() == "the only copy"


def test_a_key_file_of_another_data_dir_is_said_not_to_fit(made_dir: Path, tmp_path: Path) -> None:
    keys = (made_dir / "keys.json").read_text()
    with EmbeddedStack(tmp_path / "data", durable=False, environ=own_environment()):
        pass
    (tmp_path / "data" / "keys.json").write_text(keys)
    with (
        pytest.raises(StackError, match=r"does not let us in with the password of .*keys\.json"),
        EmbeddedStack(tmp_path / "data", durable=False, environ=own_environment()),
    ):
        pass


def test_variables_meant_for_other_databases_do_not_matter(made_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PGSSLMODE": "require", "PGHOST": "db.example.org", "PGOPTIONS": "-c nonsense=1"}.items():
        monkeypatch.setenv(name, value)
    with EmbeddedStack(made_dir, durable=False, environ=own_environment()) as stack:
        assert stack.env["DATABASE_URL"]
