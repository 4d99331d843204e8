"""The clock as it runs: an event over HTTP, two beats, a worker, a mail server."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask

from app.embedded.application import BIN
from tests.support.calendar import DAY
from tests.support.processes import ROOT, plain_environment, wait_for
from tests.support.usher import OWNER, running_usher


def test_beat_looks_at_the_clock_every_minute_and_does_not_pile_up_tasks(app: Flask) -> None:
    celery = app.extensions["celery"]
    entry = celery.conf.beat_schedule["periodic"]
    assert entry == {"task": "usher.periodic", "schedule": 60.0, "options": {"expires": 60.0}}
    celery.loader.import_default_modules()
    assert "usher.periodic" in celery.tasks


@pytest.mark.slow
def test_an_event_that_begins_in_three_days_is_announced_by_the_running_beats_once(tmp_path: Path) -> None:
    with running_usher(tmp_path / "usher") as usher:
        begins = datetime.now(UTC) + 3 * DAY
        times = {"starts-at": begins.isoformat(), "ends-at": (begins + DAY).isoformat(), "timezone": "Asia/Kathmandu"}
        usher.write("POST", "/v1/events", "event", {"name": "Hill Meeting", "state": "published", **times})
        environ = plain_environment(**usher.stack.env, **usher.application.env)
        # A second beat beside the one that runs, and a hurried one.
        command = [str(BIN / "celery"), "-A", "tests.support.quick_beat", "beat", "--loglevel", "WARNING"]
        beat = subprocess.Popen(command, cwd=ROOT, env=environ)
        try:
            wait_for(lambda: bool(announced := usher.sql("SELECT 1 FROM reminders")) and len(announced) == 1, "it")
            usher.wait_until_sent(len(usher.sql("SELECT 1 FROM mails")))
            assert beat.poll() is None
        finally:
            beat.terminate()
            beat.wait(30)
        arrived = [message for message in usher.caught() if message["Subject"] == "Hill Meeting begins soon"]
        assert [message["X-RcptTo"] for message in arrived] == [OWNER]
        assert "(GMT+05:45)" in str(arrived[0].get_body(("plain",)))
        shown = usher.get("/v1/users/1/notifications")["data"]
        titles = [notification["attributes"]["title"] for notification in shown]
        assert titles.count("Hill Meeting begins soon") == 1
