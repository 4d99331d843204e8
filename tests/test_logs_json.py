"""The log for machines: every line is one JSON object, says which mail it is about, and keeps secrets to itself."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from app.logs_json import JsonLines, PlainLines, hide, hide_secrets, mail_fields

SECRET = "correct-horse-battery"


class Log:
    """A logger that writes as production does, and what it wrote."""

    def __init__(self) -> None:
        self._raw = io.BytesIO()
        self._stream = io.TextIOWrapper(self._raw, encoding="utf-8", write_through=True)
        self._handler = logging.StreamHandler(self._stream)
        self._handler.setFormatter(JsonLines())
        self.logger = logging.getLogger("tests.json_lines")
        self.logger.setLevel(logging.INFO)
        self.logger.propagate = False
        self.logger.addHandler(self._handler)

    @property
    def text(self) -> str:
        return self._raw.getvalue().decode()

    def line(self) -> dict[str, Any]:
        lines = self.text.splitlines()
        assert len(lines) == 1, lines
        entry: dict[str, Any] = json.loads(lines[0])
        return entry

    def handle(self, record: logging.LogRecord) -> None:
        self._handler.handle(record)

    def close(self) -> None:
        self.logger.removeHandler(self._handler)


@pytest.fixture
def log() -> Iterator[Log]:
    found = Log()
    yield found
    found.close()


def test_a_line_has_time_level_logger_and_message(log: Log) -> None:
    log.logger.warning("Mail %d waits.", 7)
    line = log.line()
    assert line.pop("time").endswith("Z")
    assert line == {"level": "warning", "logger": "tests.json_lines", "message": "Mail 7 waits."}


def test_a_line_names_the_mail_the_action_and_the_attempt(log: Log) -> None:
    log.logger.info("Sent.", extra=mail_fields(7, "Event Published", 2, service="smtp", seconds=0.25))
    line = log.line()
    assert (line["mail_id"], line["action"], line["attempt"]) == (7, "Event Published", 2)
    assert (line["service"], line["seconds"]) == ("smtp", 0.25)


def test_what_is_not_known_is_left_out(log: Log) -> None:
    log.logger.info("Sent.", extra=mail_fields(7))
    assert set(log.line()) == {"time", "level", "logger", "message", "mail_id"}


def test_a_field_that_nobody_allowed_stays_out(log: Log) -> None:
    log.logger.info("Sent.", extra={"mail_id": 7, "html": "<p>Hello</p>", "text": "Hello", "secret": SECRET})
    assert "Hello" not in log.text
    assert SECRET not in log.text


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql://usher:{SECRET}@db.example.org/usher",
        f"rediss://:{SECRET}@broker.example.org:6379/0",
        f"Authorization: Bearer {SECRET}",
        f"{{'Authorization': 'JWT {SECRET}'}}",
        f"SG.{SECRET}.{SECRET}",
        f"eyJhbGciOiJIUzI1NiJ9.{SECRET}.{SECRET}",
        f"password={SECRET} host=db",
        f"{{'smtp_password': '{SECRET}'}}",
        f'{{"sendgrid-key": "{SECRET}"}}',
        f"https://events.example.org/verify?token={SECRET}&next=1",
        f"SECRET_KEY: {SECRET}",
    ],
)
def test_no_secret_is_written_wherever_it_stands(log: Log, text: str) -> None:
    log.logger.info("Seen: %s", text, extra={"action": text})
    assert SECRET not in log.text
    assert "***" in log.line()["message"]


def test_what_is_no_secret_is_left_as_it_is() -> None:
    for text in ("mail to ana@example.org", "https://events.example.org:8443/e/1", "smtp.example.org:587 said 4.7.0"):
        assert hide_secrets(text) == text


def test_an_exception_is_within_its_line_and_without_its_secret(log: Log) -> None:
    log.logger.error("Failed.", exc_info=ValueError(f"no login with password={SECRET}"))
    exception = log.line()["exception"]
    assert "ValueError: no login" in exception
    assert SECRET not in exception


def test_no_text_makes_a_second_line_or_cannot_be_written(log: Log) -> None:
    text = "a\nb\r\u0085\u2028\u2029\x00\ud800 ü 😀"
    record = logging.makeLogRecord({"msg": text, "action": text, "delay": float("nan")})
    log.handle(record)  # not by way of the logger, whose lines pytest sends around as UTF-8
    line = log.line()
    assert line["message"] == line["action"] == text
    assert line["delay"] == "nan"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("550 5.1.1 <ana.b+c@mail.example.org>: unknown", "550 5.1.1 <<address>>: unknown"),
        ("to ana@example.org, bob@example.org.", "to <address>, <address>."),
        ("jörg@bücher.example", "<address>"),
        ("celery@host is ready; 3@4", "celery@host is ready; 3@4"),
        ("redis://:***@redis.example.org:6379/0", "redis://:***@redis.example.org:6379/0"),
        ("x" * 100_000, "x" * 100_000),
    ],
)
def test_an_address_is_not_shown_and_what_only_looks_like_one_is(text: str, shown: str) -> None:
    assert hide(text) == shown


def test_neither_is_one_in_a_line_for_people_or_in_a_traceback(log: Log) -> None:
    try:
        int("no such user: ana@example.org, password=hunter2hunter2")
    except ValueError:
        log.logger.exception("Mail to %s", "bob@example.org")
    assert "example.org" not in log.text
    assert "hunter2" not in log.text
    assert "<address>" in log.line()["exception"]
    values = ("ana@example.org", "SG.abcdefgh.ijklmnop")
    record = logging.LogRecord("app.x", logging.INFO, "x.py", 1, "Mail to %s: %s", values, None)
    assert PlainLines().format(record).endswith("INFO app.x: Mail to <address>: ***")
