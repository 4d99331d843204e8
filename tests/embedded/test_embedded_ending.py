"""However the supervisor ends, nothing it started outlives it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from conftest import own_environment
from embedded_helpers import (
    all_ended,
    assert_nothing_is_left,
    end,
    family,
    named,
    needs_root,
    others_can_enter,
    owners_and_modes,
    processes_of,
    supervisor,
    wait_for,
    wait_until_ready,
)

from app.embedded.errors import StackError
from app.embedded.lock import DataDirLock
from app.embedded.runtime import read_runtime
from app.embedded.stack import EmbeddedStack


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_signal_ends_every_process_with_exit_code_0(made_dir: Path, number: signal.Signals) -> None:
    with supervisor(made_dir) as popen:
        wait_until_ready(popen)
        started = family(popen)
        assert end(popen, number) == (0, "")
        assert all_ended(started)
        assert not processes_of(made_dir)
        assert not (made_dir / "runtime.json").exists()


def test_a_second_signal_hurries_a_part_that_ignores_the_first(made_dir: Path) -> None:
    with supervisor(made_dir, "stubborn") as popen:
        wait_until_ready(popen)
        started = family(popen)
        popen.send_signal(signal.SIGINT)
        log = made_dir / "log" / "part.log"
        wait_for(lambda: "will not end" in log.read_text(), "the part to be asked to end")
        assert end(popen, signal.SIGINT)[0] == 0
        assert all_ended(started)
        assert not processes_of(made_dir)


def test_a_killed_supervisor_leaves_nothing_behind(made_dir: Path) -> None:
    with supervisor(made_dir) as popen:
        wait_until_ready(popen)
        started = family(popen)
        popen.kill()
        popen.wait()
        assert_nothing_is_left(started, made_dir)
        with pytest.raises(StackError, match=r"no `manage\.py dev` runs"):
            read_runtime(made_dir)


def test_a_start_after_a_kill_waits_until_the_folder_is_free(made_dir: Path) -> None:
    with supervisor(made_dir, "stubborn") as popen:
        wait_until_ready(popen)
        part = named(family(popen), "signal.pause")
        popen.kill()
        popen.wait()
        with EmbeddedStack(made_dir, durable=False, environ=own_environment()) as stack:
            assert all_ended([part])
            assert read_runtime(made_dir).pid == os.getpid()
            assert stack.env["DATABASE_URL"]


def test_without_setpriv_the_guard_alone_ends_what_a_killed_supervisor_leaves(nobodys_or_own_dir: Path) -> None:
    if os.geteuid() == 0 and not others_can_enter(Path(sys.prefix)):
        pytest.skip("other users cannot enter the folder of this Python")
    with supervisor(nobodys_or_own_dir, path="/nonexistent") as popen:
        wait_until_ready(popen)
        started = family(popen)
        popen.kill()
        popen.wait()
        assert_nothing_is_left(started, nobodys_or_own_dir)


@pytest.fixture
def nobodys_or_own_dir(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A data dir that the account PostgreSQL runs as can reach without any power."""
    if os.geteuid() != 0:
        return tmp_path / "data"
    folder: Path = request.getfixturevalue("nobodys_dir")
    data_dir = folder / "data"
    folder.chmod(0o755)
    data_dir.mkdir(mode=0o711)
    return data_dir


@needs_root
def test_without_setpriv_a_closed_folder_is_named_with_the_remedy(tmp_path: Path) -> None:
    if not others_can_enter(Path(sys.prefix)):
        pytest.skip("other users cannot enter the folder of this Python")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    before = owners_and_modes(closed / "data")
    with supervisor(closed / "data", path="/nonexistent") as popen:
        _, errors = popen.communicate()
    assert popen.returncode == 1
    assert errors.count("\n") == 1
    assert "other users cannot pass through" in errors
    assert "chmod o+x" in errors
    assert owners_and_modes(closed / "data") == before


@needs_root
def test_an_ordinary_user_runs_it_all(nobodys_dir: Path) -> None:
    data_dir = nobodys_dir / "data"
    with supervisor(data_dir, as_nobody=True) as popen:
        wait_until_ready(popen)
        started = family(popen)
        assert {process.uids().real for process in started} == {nobodys_dir.stat().st_uid}
        assert end(popen, signal.SIGTERM) == (0, "")
        assert all_ended(started)


@pytest.mark.parametrize("word", ["bin/postgres", "valkey-server", "mailcatcher", "signal.pause", "guard.py"])
def test_the_crash_of_a_part_ends_all_and_says_which(made_dir: Path, word: str) -> None:
    with supervisor(made_dir) as popen:
        wait_until_ready(popen)
        started = family(popen)
        named(started, word).kill()
        _, errors = popen.communicate(timeout=60)
        assert popen.returncode == 1
        assert "was ended by SIGKILL" in errors
        assert_nothing_is_left(started, made_dir)


def test_the_end_of_a_crashed_parts_log_is_shown(made_dir: Path) -> None:
    with supervisor(made_dir) as popen:
        wait_until_ready(popen)
        named(family(popen), "signal.pause").kill()
        _, errors = popen.communicate(timeout=60)
    assert errors.startswith("part was ended by SIGKILL")
    assert "part of" in errors
    assert "part.log" in errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_first_start_cut_short_leaves_no_half_of_a_cluster(tmp_path: Path, number: signal.Signals) -> None:
    data_dir = tmp_path / "data"
    with supervisor(data_dir) as popen:
        wait_for((data_dir / "postgres.unfinished" / "PG_VERSION").exists, "initdb at work")
        started = family(popen)
        code, _ = end(popen, number)
        assert code == (0 if number == signal.SIGTERM else -signal.SIGKILL)
        assert_nothing_is_left(started, data_dir)
    assert not (data_dir / "postgres").exists()
    with EmbeddedStack(data_dir, durable=False, environ=own_environment()) as stack:
        assert stack.pid("postgres")
    assert not (data_dir / "postgres.password").exists()


def test_a_second_stack_on_a_folder_is_told_who_has_it(stack: EmbeddedStack) -> None:
    with supervisor(stack.data_dir) as popen:
        _, errors = popen.communicate(timeout=60)
        assert popen.returncode == 1
        assert errors.count("\n") == 1
        assert f"{stack.data_dir} is in use by the process {os.getpid()}" in errors


def test_a_released_lock_is_free_though_a_forked_process_still_has_it_open(tmp_path: Path) -> None:
    lock = DataDirLock(tmp_path)
    lock.acquire()
    inherited = os.dup(lock.fileno())
    lock.release()
    DataDirLock(tmp_path).acquire()
    os.close(inherited)
