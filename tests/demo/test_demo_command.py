"""The whole command, as somebody at a terminal runs it: its exit code, and what it leaves behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import requests

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_SECONDS = 180.0

pytestmark = pytest.mark.slow


@contextmanager
def demo(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Run the command with its temporary folders in `folder`; killed if it does not end in time."""
    env = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
    # What a user's shell may hold must not matter.
    env |= {"TMPDIR": str(folder), "FRONTEND_URL": "https://front.example.org", "http_proxy": "http://127.0.0.1:1"}
    process = subprocess.Popen(
        [sys.executable, "manage.py", "demo", *options],
        cwd=ROOT,
        env=env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    timer = threading.Timer(DEADLINE_SECONDS, process.kill)
    timer.start()
    try:
        yield process
    finally:
        timer.cancel()
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """Everything that is shown up to the line with these words, or up to the end."""
    assert process.stdout is not None
    shown = ""
    for line in process.stdout:
        shown += line
        if words in line:
            break
    return shown


def assert_nothing_is_left(folder: Path) -> None:
    assert list(folder.iterdir()) == []
    for process in psutil.process_iter(["cmdline"]):
        assert str(folder) not in " ".join(process.info["cmdline"] or []), process


def test_every_step_happens_and_nothing_is_left(tmp_path: Path) -> None:
    with demo(tmp_path, "--once") as process:
        shown, _ = process.communicate()
    assert process.returncode == 0, shown
    assert "It all happened" in shown
    assert "as many .eml files as mails sent" in shown
    # What went wrong on the way is told as it was.
    assert re.search(r"bounced +simulator +550 +There is no such mailbox", shown), shown
    assert re.search(r"rerouted +smtp +SMTP server 127", shown), shown
    assert "connecting: Connection refused" in shown
    # What is told live is shown as it came, and the token of the program is not shown.
    assert re.search(
        r"id: ([0-9a-f]{16}-\d+)\s+event: notification\s+data: {\"id\":\"\1\",\"action\":\"new\"", shown
    ), shown
    assert re.search(r"“The recording is there”, \d+ ms after the POST was sent", shown), shown
    assert "mail: Not told: the user's preference for sessions.* says so." in shown
    assert not re.search(r"ush_\w", shown)
    assert "Still serving" not in shown
    assert_nothing_is_left(tmp_path)


@pytest.mark.parametrize("words", [None, "sessions are proposed"])
def test_ctrl_c_in_the_middle_leaves_nothing(tmp_path: Path, words: str | None) -> None:
    with demo(tmp_path, "--once") as process:
        if words is None:
            while not list(tmp_path.glob("usher-demo-*/ports.json")):
                assert process.poll() is None
        else:
            read_until(process, words)
        process.send_signal(signal.SIGINT)
        shown, _ = process.communicate()
    assert process.returncode == 130, shown
    assert "Traceback" not in shown
    assert_nothing_is_left(tmp_path)


def conference_file(folder: Path, title: str) -> Path:
    event = {"name": "Small", "starts-at": "2027-03-17T09:00:00+08:00", "ends-at": "2027-03-18T09:00:00+08:00"}
    speakers = [
        {"id": "7", "name": "Ana", "email": "speaker-7@example.org"},
        {"id": "8", "name": "The same Ana", "email": "Speaker-7@example.org"},
        {"id": "9", "name": "Nobody's address", "email": None},
    ]
    sessions = [
        {"id": "1", "title": title, "state": "accepted", "speaker-ids": ["7", "8", "9"]},
        {"id": "2", "title": "Coffee", "state": "accepted", "speaker-ids": []},
        {"id": "3", "title": "Coffee", "state": "rejected", "speaker-ids": ["7"]},
    ]
    path = folder / "conference.json"
    path.write_text(json.dumps({"event": event, "speakers": speakers, "sessions": sessions}), encoding="utf-8")
    return path


def test_a_conference_is_played_and_served_with_logins_that_work_until_it_is_asked_to_end(tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    with demo(temporary, "--data", str(conference_file(tmp_path, "<b>One</b>\ttwo"))) as process:
        shown = read_until(process, "│ logs")
        # Two for the organizer's account, one for the import; the publishing is told to the organizer and to Ana, once;
        # two for Lena's account, and of what the program announces one to the organizer.
        assert re.search(r"mails\s+8\b", shown), shown
        assert_logins_work(shown)
        process.send_signal(signal.SIGTERM)
        process.communicate()
    assert process.returncode == 0
    assert_nothing_is_left(temporary)


def assert_logins_work(shown: str) -> None:
    address = re.findall(r"│ address +(http://127\.0\.0\.1:\d+)", shown)[-1]
    logins = re.findall(r"(\S+@example\.org) +(\S{8,}) ", shown)
    assert [email for email, _ in logins] == ["olivia@example.org", "admin@example.org"]
    for email, password in logins:
        # A session of its own: the environment of the tests may name a proxy.
        with requests.Session() as session:
            session.trust_env = False
            login = {"email": email, "password": password}
            assert session.post(f"{address}/auth/session", json=login, timeout=10).status_code == 200


def test_a_mail_that_did_not_arrive_is_told_in_one_line_and_nothing_is_left(tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    with demo(temporary, "--data", str(conference_file(tmp_path, "One"))) as process:
        shown = read_until(process, "organizer publishes it")
        next(temporary.glob("usher-demo-*/mail/*.eml")).unlink()
        rest, _ = process.communicate()
    assert process.returncode == 1
    assert "✗ as many .eml files as mails sent: expected 8; came: 7" in rest
    assert "It all happened" not in shown + rest
    assert_nothing_is_left(temporary)


def test_a_file_that_could_not_be_imported_starts_nothing(tmp_path: Path) -> None:
    path = conference_file(tmp_path, "x" * 2000)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    with demo(temporary, "--data", str(path)) as process:
        shown, _ = process.communicate()
    assert process.returncode == 1
    assert shown.startswith(f"Error: {path}: sessions[0].title is 'xxx")
    assert "at most 500 characters" in shown
    assert_nothing_is_left(temporary)


def test_a_file_that_cannot_be_played_starts_nothing(tmp_path: Path) -> None:
    with demo(tmp_path, "--data", str(tmp_path / "none.json")) as process:
        shown, _ = process.communicate()
    assert process.returncode == 1
    assert shown == f"Error: {tmp_path / 'none.json'}: cannot be read: No such file or directory\n"
    assert_nothing_is_left(tmp_path)
