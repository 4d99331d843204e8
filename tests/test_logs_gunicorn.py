"""gunicorn's own lines: JSON in production, and no query in the access log, since it may hold a token."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace

import pytest
from gunicorn.config import Config

from app.logs_gunicorn import Lines

LOGGERS = ("gunicorn.error", "gunicorn.access")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = {name: (logging.getLogger(name).handlers[:], logging.getLogger(name).propagate) for name in LOGGERS}
    yield
    for name, (handlers, propagate) in before.items():
        logging.getLogger(name).handlers, logging.getLogger(name).propagate = handlers, propagate


def write_lines() -> None:
    config = Config()
    config.set("accesslog", "-")
    lines = Lines(config)
    lines.info("Listening at %s", "http://127.0.0.1:5000")
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/reset-password",
        "QUERY_STRING": "token=Zm9v",
        "RAW_URI": "/reset-password?token=Zm9v",
        "HTTP_REFERER": "https://example.org/?token=Zm9v",
    }
    lines.access(SimpleNamespace(status="200 OK"), None, environ, timedelta(milliseconds=12))


def test_in_production_every_line_is_json(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("APP_ENVIRONMENT", "production")
    write_lines()
    out, err = capfd.readouterr()
    assert json.loads(err)["message"] == "Listening at http://127.0.0.1:5000"
    line = json.loads(out)
    assert line["message"] == "GET /reset-password 200 0.012 s"
    assert (line["logger"], line["status"], line["seconds"]) == ("gunicorn.access", "200", 0.012)


@pytest.mark.parametrize("environment", ["development", "production"])
def test_no_line_has_the_query_of_an_address(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], environment: str
) -> None:
    monkeypatch.setenv("APP_ENVIRONMENT", environment)
    write_lines()
    out, err = capfd.readouterr()
    assert "GET /reset-password 200" in out
    assert "Zm9v" not in out + err
