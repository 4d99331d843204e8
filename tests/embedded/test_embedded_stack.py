"""The stack starts on any data dir, keeps what was put into it, and shows its secrets to nobody."""

from __future__ import annotations

import os
import stat
from base64 import urlsafe_b64decode
from contextlib import closing
from pathlib import Path

import psutil
import psycopg2
import pytest
import redis
from conftest import own_environment
from embedded_helpers import owners_and_modes

from app.embedded.errors import StackError
from app.embedded.runtime import read_runtime
from app.embedded.stack import EmbeddedStack


def query(stack: EmbeddedStack, statement: str) -> list[tuple[object, ...]]:
    url = stack.env["DATABASE_URL"].replace("postgresql+psycopg2://", "postgresql://")
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_a_path_with_spaces_longer_than_a_socket_path_can_hold_a_data_dir(stack: EmbeddedStack) -> None:
    assert len(str(stack.data_dir)) > 150
    assert " " in str(stack.data_dir)
    assert query(stack, "SELECT 1") == [(1,)]
    assert redis.Redis.from_url(stack.env["REDIS_URL"]).ping()


def test_the_database_speaks_utf8_in_utc_and_sorts_the_same_everywhere(stack: EmbeddedStack) -> None:
    assert query(stack, "SHOW server_encoding") == [("UTF8",)]
    assert query(stack, "SHOW timezone") == [("UTC",)]
    assert query(
        stack, "SELECT datlocprovider::text, datlocale FROM pg_database WHERE datname = current_database()"
    ) == [("b", "C.UTF-8")]
    assert query(stack, "SELECT lower('ÄÖ') = 'äö'") == [(True,)]


def test_servers_listen_on_loopback_only_and_on_no_socket_file(stack: EmbeddedStack) -> None:
    assert query(stack, "SHOW unix_socket_directories") == [("",)]
    for name in ("postgres", "valkey", "mailcatcher"):
        connections = psutil.Process(stack.pid(name)).net_connections(kind="all")
        listening = [known.laddr.ip for known in connections if known.status == psutil.CONN_LISTEN]
        assert listening == ["127.0.0.1"]


def test_nobody_gets_in_without_the_password(stack: EmbeddedStack) -> None:
    url = stack.env["DATABASE_URL"].replace("postgresql+psycopg2://", "postgresql://")
    with pytest.raises(psycopg2.OperationalError, match="password"):
        psycopg2.connect(url, password="wrong")
    host_and_port = stack.env["REDIS_URL"].rpartition("@")[2]
    with pytest.raises(redis.AuthenticationError):
        redis.Redis.from_url(f"redis://{host_and_port}").ping()


def test_no_secret_is_in_an_argument_a_log_or_a_repr(stack: EmbeddedStack) -> None:
    secrets = [stack.env["SECRET_KEY"], stack.env["SETTINGS_KEY"]]
    secrets += [stack.env[name].rpartition("@")[0].rpartition(":")[2] for name in ("DATABASE_URL", "REDIS_URL")]
    seen = " ".join(word for process in psutil.process_iter() for word in arguments(process))
    seen += " ".join(log.read_text(errors="replace") for log in (stack.data_dir / "log").iterdir())
    seen += repr(stack) + repr(read_runtime(stack.data_dir)) + repr(vars(stack)["_servers"])
    assert all(len(secret) >= 32 for secret in secrets)
    assert not [secret for secret in secrets if secret in seen]


def arguments(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return []


def test_everything_in_the_data_dir_is_its_owners_alone(stack: EmbeddedStack) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in stack.data_dir.iterdir()}
    folders = {"postgres", "valkey", "mail", "log"}
    assert stat.S_IMODE(stack.data_dir.stat().st_mode) == 0o700
    assert {modes.pop(name) for name in folders} == {0o700}
    assert modes == dict.fromkeys(["keys.json", "lock", "ports.json", "runtime.json"], 0o600)


def test_the_settings_key_is_a_fernet_key(stack: EmbeddedStack) -> None:
    assert len(urlsafe_b64decode(stack.env["SETTINGS_KEY"])) == 32


def test_another_command_finds_the_running_stack(stack: EmbeddedStack) -> None:
    runtime = read_runtime(stack.data_dir)
    assert runtime.env == stack.env
    assert runtime.pid == os.getpid()
    assert runtime.ports["mailcatcher"] == stack.mail_port


def test_without_a_running_stack_another_command_says_what_to_start(made_dir: Path) -> None:
    with pytest.raises(StackError, match=r"no `manage\.py dev` runs on .*: start one"):
        read_runtime(made_dir)
    assert not (made_dir / "runtime.json").exists()


def test_a_stopped_server_comes_back_on_its_port(stack: EmbeddedStack) -> None:
    client = redis.Redis.from_url(stack.env["REDIS_URL"])
    stack.stop_part("valkey")
    with pytest.raises(redis.ConnectionError):
        client.ping()
    stack.start_server("valkey")
    assert client.ping()


def test_a_second_start_keeps_the_data_the_keys_and_the_ports(tmp_path: Path) -> None:
    with EmbeddedStack(tmp_path / "data", environ=own_environment()) as first:
        query(first, "CREATE TABLE kept AS SELECT 42 AS number")
        redis.Redis.from_url(first.env["REDIS_URL"]).set("kept", "42")
    with EmbeddedStack(tmp_path / "data", environ=own_environment()) as second:
        assert query(second, "SELECT number FROM kept") == [(42,)]
        assert redis.Redis.from_url(second.env["REDIS_URL"]).get("kept") == b"42"
        assert second.env == first.env
        assert second.mail_port == first.mail_port
        assert query(second, "SHOW fsync") == [("on",)]


def test_no_folder_above_the_data_dir_changes_and_a_closed_one_may_hold_it(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    before = owners_and_modes(closed / "data")
    with EmbeddedStack(closed / "data", durable=False, environ=own_environment()) as stack:
        assert query(stack, "SELECT 1") == [(1,)]
    assert owners_and_modes(closed / "data") == before


def test_a_relative_data_dir_is_taken_from_where_the_stack_was_named(
    made_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(made_dir.parent)
    stack = EmbeddedStack(made_dir.name, durable=False, environ=own_environment())
    monkeypatch.chdir(tmp_path)
    with stack:
        assert stack.data_dir == made_dir
        assert query(stack, "SELECT 1") == [(1,)]


def test_servers_named_in_the_environment_are_used_and_not_started(tmp_path: Path) -> None:
    named = {
        "DATABASE_URL": "postgresql://db.example.org/usher",
        "REDIS_URL": "redis://valkey.example.org/0",
        "SECRET_KEY": "a key from outside",
    }
    with EmbeddedStack(tmp_path / "data", environ=own_environment() | named) as stack:
        assert stack.env | named == stack.env
        assert list(read_runtime(stack.data_dir).ports) == ["mailcatcher"]
        assert not (stack.data_dir / "postgres").exists()


def test_a_part_gets_the_environment_and_its_failure_shows_its_last_words(stack: EmbeddedStack) -> None:
    stack.run("asks", ["sh", "-c", 'test "$SECRET_KEY" && test "$OWN" = yes'], env={"OWN": "yes"})
    with pytest.raises(StackError, match=r"(?s)fails ended with exit code 3.*last words"):
        stack.run("fails", ["sh", "-c", "echo last words; exit 3"])


def test_a_program_that_is_not_there_is_named(stack: EmbeddedStack) -> None:
    with pytest.raises(StackError, match="cannot start absent"):
        stack.add("absent", ["/nowhere/no-such-program"])


def test_a_condition_that_never_comes_true_ends_the_wait_with_what_was_waited_for(stack: EmbeddedStack) -> None:
    with pytest.raises(StackError, match="the impossible did not happen within 0 s"):
        stack.wait_until(lambda: False, "the impossible", seconds=0.1)


def test_a_file_in_place_of_the_data_dir_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StackError, match="is not a folder"), EmbeddedStack(tmp_path / "file"):
        pass


def test_a_damaged_key_file_is_refused_without_showing_it(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text('{"secret_key": "half of a secr')
    with pytest.raises(StackError, match=r"keys\.json is damaged") as caught, EmbeddedStack(tmp_path):
        pass
    assert "secr\n" not in str(caught.value)
    assert "half" not in str(caught.value)


def test_a_port_taken_by_another_program_is_left_to_it(made_dir: Path, stack: EmbeddedStack) -> None:
    (made_dir / "ports.json").write_text(f'{{"valkey": {stack.mail_port}}}')
    with EmbeddedStack(made_dir, durable=False, environ=own_environment()) as other:
        assert f":{stack.mail_port}/" not in other.env["REDIS_URL"]
        assert redis.Redis.from_url(other.env["REDIS_URL"]).ping()
