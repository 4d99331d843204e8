"""The gateway as a process."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

import config
from app.realtime import streams
from tests.support.processes import ROOT, plain_environment

IMPORT_AND_RUN = """
import sys
from app.realtime.__main__ import main
print([name for name in ("flask", "sqlalchemy", "celery", "psycopg2") if name in sys.modules], flush=True)
sys.argv = ["realtime"]
sys.exit(main())
"""


def test_it_loads_nothing_of_the_database_and_names_what_it_lacks() -> None:
    environment = plain_environment(APP_ENVIRONMENT="production", REDIS_URL="redis://127.0.0.1:1/0")
    command = [sys.executable, "-c", IMPORT_AND_RUN]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, "[]\n")
    assert ended.stderr.startswith("usher: Missing configuration: SECRET_KEY")


def given(**more: str) -> config.Config:
    return config.load({"REDIS_URL": "redis://127.0.0.1:1/0", "SECRET_KEY": "x", **more}, for_gateway=True)


def test_its_address_is_that_of_the_site_unless_it_has_one_of_its_own() -> None:
    assert given(FRONTEND_URL="https://events.example.org/").realtime_url == "https://events.example.org"
    assert given(REALTIME_URL="https://live.example.org").realtime_url == "https://live.example.org"
    assert given(REALTIME_ORIGINS="https://a.example.org, http://b.example.org:8080/").realtime_origins == (
        "https://a.example.org",
        "http://b.example.org:8080",
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REALTIME_URL", "live.example.org"),
        ("REALTIME_URL", "https://user:pass@live.example.org"),
        ("REALTIME_ORIGINS", "https://a.example.org b.example.org"),
        ("REALTIME_CONNECTIONS", "many"),
        ("REALTIME_USER_CONNECTIONS", "-1"),
        ("REALTIME_CONNECTIONS", "9" * 5000),
    ],
)
def test_a_value_that_cannot_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(config.ConfigurationError, match=name):
        given(**{name: value})


def test_a_redis_that_is_away_is_told_once_however_often_it_is_tried(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries = []

    async def hear(_streams: streams.Streams) -> None:
        tries.append(1)
        if len(tries) == 3:
            raise asyncio.CancelledError
        raise ConnectionError

    monkeypatch.setattr(streams, "_PAUSE", (0, 0))
    monkeypatch.setattr(streams.Streams, "_hear", hear)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(streams.Streams("redis://127.0.0.1:1/0", lambda _words: None).run())
    assert caplog.messages == ["Redis is not heard (ConnectionError): trying again."]
