"""Each message of a maildir is taken once, by however many, and none is lost when one of them dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from app.delivery.inbound import maildir
from app.delivery.inbound.maildir import MAX_MESSAGE, Taken, take, watch


class _AwayError(Exception):
    """What a database raises that is away."""


@pytest.fixture
def box(tmp_path: Path) -> Path:
    for name in ("new", "cur", "tmp"):
        (tmp_path / name).mkdir()
    return tmp_path


def put(box: Path, name: str, content: bytes = b"message") -> None:
    (box / "tmp" / name).write_bytes(content)
    (box / "tmp" / name).rename(box / "new" / name)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_message_that_was_understood_is_marked_as_seen(box: Path) -> None:
    put(box, "1.a.host", b"hello")
    read: list[bytes] = []
    assert take(box, lambda raw: read.append(raw) is None) == Taken(1, 0)
    assert read == [b"hello"]
    assert names(box / "new") == []
    assert names(box / "cur") == ["1.a.host:2,S"]
    assert take(box, lambda _: True) == Taken(0, 0)


def test_a_message_that_was_not_understood_is_flagged_for_a_person(box: Path) -> None:
    put(box, "1.a.host")
    assert take(box, lambda _: False) == Taken(0, 1)
    assert names(box / "cur") == ["1.a.host:2,F"]


def test_a_message_that_cannot_be_read_is_flagged_and_does_not_keep_back_the_others(
    box: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def reader(raw: bytes) -> bool:
        if raw == b"bad":
            raise RuntimeError("what went wrong")
        return True

    put(box, "1.a.host", b"bad")
    put(box, "2.b.host")
    assert take(box, reader) == Taken(1, 1)
    assert names(box / "cur") == ["1.a.host:2,F", "2.b.host:2,S"]
    assert "1.a.host" in caplog.text
    assert "what went wrong" in caplog.text


def test_a_message_goes_back_when_it_was_not_its_fault(box: Path) -> None:
    def reader(raw: bytes) -> bool:
        raise _AwayError

    put(box, "1.a.host")
    put(box, "2.b.host")
    with pytest.raises(_AwayError):
        take(box, reader, (_AwayError,))
    assert names(box / "new") == ["1.a.host", "2.b.host"]
    assert names(box / "cur") == []
    assert take(box, lambda _: True) == Taken(2, 0)


def test_a_flagged_message_is_read_again_when_it_is_moved_back(box: Path) -> None:
    put(box, "1.a.host")
    take(box, lambda _: False)
    (box / "cur" / "1.a.host:2,F").rename(box / "new" / "1.a.host:2,F")
    assert take(box, lambda _: True) == Taken(1, 0)
    assert names(box / "cur") == ["1.a.host:2,S"]


def test_the_oldest_are_taken_first_and_a_hundred_at_a_time(box: Path) -> None:
    for number in range(150, 0, -1):
        put(box, f"{1000 + number}.a.host", str(number).encode())
    order: list[int] = []
    assert take(box, lambda raw: order.append(int(raw)) is None).total == 100
    assert take(box, lambda raw: order.append(int(raw)) is None).total == 50
    assert order == list(range(1, 151))


def test_what_is_no_message_stays_where_it_is(box: Path) -> None:
    put(box, ".hidden")
    (box / "new" / "folder").mkdir()
    (box / "new" / "link").symlink_to("/etc/hostname")
    assert take(box, lambda _: True).total == 0
    assert names(box / "new") == [".hidden", "folder", "link"]


def test_of_a_large_message_only_the_beginning_is_read(box: Path) -> None:
    put(box, "1.a.host", b"x" * (MAX_MESSAGE + 1000))
    lengths: list[int] = []
    take(box, lambda raw: lengths.append(len(raw)) is None)
    assert lengths == [MAX_MESSAGE]


def test_a_folder_that_is_no_maildir_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        take(tmp_path, lambda _: True)


def test_several_at_once_take_each_message_once(box: Path) -> None:
    for number in range(400):
        put(box, f"{number}.a.host", str(number).encode())
    seen: list[bytes] = []
    start = threading.Barrier(4)

    def reader(raw: bytes) -> bool:
        seen.append(raw)
        return True

    def run() -> None:
        start.wait()
        while names(box / "new"):
            take(box, reader)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == sorted(str(number).encode() for number in range(400))


def test_a_message_whose_reader_died_comes_back_and_one_in_work_does_not(box: Path) -> None:
    put(box, "1.a.host", b"dead")
    program = (
        "import os, signal, sys; from pathlib import Path; from app.delivery.inbound.maildir import take\n"
        "take(Path(sys.argv[1]), lambda raw: os.kill(os.getpid(), signal.SIGKILL))"
    )
    died = subprocess.run([sys.executable, "-c", program, str(box)], check=False)
    assert died.returncode == -signal.SIGKILL
    assert names(box / "cur") == ["1.a.host:2,"]
    assert take(box, lambda _: True).total == 0, "it may still be in work"
    long_ago = time.time() - maildir.STALE_AFTER - 1
    os.utime(box / "cur" / "1.a.host:2,", (long_ago, long_ago))
    assert take(box, lambda raw: raw == b"dead") == Taken(1, 0)
    assert names(box / "cur") == ["1.a.host:2,S"]


def test_a_message_that_lay_for_long_before_it_was_taken_is_not_given_back_at_once(box: Path) -> None:
    put(box, "1.a.host")
    os.utime(box / "new" / "1.a.host", (0, 0))

    def reader(raw: bytes) -> bool:
        assert take(box, lambda _: False) == Taken(0, 0), "another took it too"
        return True

    assert take(box, reader) == Taken(1, 0)


def test_one_who_comes_back_after_his_message_was_given_to_another_does_no_harm(box: Path) -> None:
    put(box, "1.a.host")

    def slow(raw: bytes) -> bool:
        assert take(box, lambda _: True, stale_after=0) == Taken(1, 0)
        return False

    take(box, slow)
    assert names(box / "cur") == ["1.a.host:2,S"]


def test_a_watcher_takes_what_comes_until_it_is_stopped_and_outlives_a_database_that_is_away(box: Path) -> None:
    stop, away = threading.Event(), threading.Event()
    read: list[bytes] = []

    def reader(raw: bytes) -> bool:
        if not away.is_set():
            away.set()
            raise _AwayError
        read.append(raw)
        if len(read) == 3:
            stop.set()
        return True

    put(box, "1.a.host", b"1")
    watcher = threading.Thread(target=watch, args=(box, reader, stop, 0.01, (_AwayError,)))
    watcher.start()
    put(box, "2.a.host", b"2")
    put(box, "3.a.host", b"3")
    watcher.join(timeout=30)
    stop.set()
    assert not watcher.is_alive()
    assert sorted(read) == [b"1", b"2", b"3"]


def test_a_watcher_goes_on_at_once_while_there_is_more_than_a_batch(box: Path) -> None:
    for number in range(250):
        put(box, f"{number}.a.host")
    stop = threading.Event()
    read: list[bytes] = []

    def reader(raw: bytes) -> bool:
        read.append(raw)
        if len(read) == 250:
            stop.set()
        return True

    watcher = threading.Thread(target=watch, args=(box, reader, stop, 3600.0))
    watcher.start()
    watcher.join(timeout=60)
    stop.set()
    assert not watcher.is_alive()
    assert len(read) == 250
