"""Messages made to harm: nothing is raised, and time and memory stay within the bounds of the size."""

from __future__ import annotations

import json
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.delivery.inbound.bounces import MAX_MESSAGE, Reading, read_bounce
from app.delivery.inbound.reports import MAX_RECIPIENTS

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
MESSAGES = [path.read_bytes() for path in sorted(Path(__file__).with_name("messages").glob("*.eml"))]
REPORT = next(raw for raw in MESSAGES if b"User unknown in virtual" in raw)

PIECES = [
    b"\n", b"\r\n", b"\n\n", b"\0", b"\xff\xfe", b" ", b"\t", b":", b";", b"--", b"<", b">", b"@", b'"', b"=", b"+FF",
    b"--4Rq1Zk2b3Tz.1763630105/mail.example.org\n", b"--4Rq1Zk2b3Tz.1763630105/mail.example.org--\n",
    b"Content-Type: multipart/report; boundary=a\n\n--a\n", b"Content-Type: message/delivery-status\n\n",
    b"Content-Type: message/rfc822\n\n", b"Content-Type: message/feedback-report\n\nFeedback-Type: abuse\n",
    b"Content-Type: text/plain; charset=hex\n", b"Content-Transfer-Encoding: base64\n",
    b"Content-Transfer-Encoding: quoted-printable\n", b"Final-Recipient: rfc822;\n",
    b"Final-Recipient: utf-8; \\x{D800}@x\n", b"Status: 5.1.1\n", b"Action: failed\n", b"Date: \xd9\xa3\n",
    b"Message-ID: <>\n", b"X-Failed-Recipients: a@example.org,,\n", b"Hi. This is the qmail-send program\n\n<a@b>:\n",
    b"\xed\xa0\x80", b"x" * 2000,
]  # fmt: skip


def check(raw: bytes) -> Reading:
    """Read it, and see that what it told can be stored."""
    found = read_bounce(raw, NOW)
    assert (found.verdict == "report") == bool(found.events)
    assert bool(found.reason) == (not found.events)
    for event in found.events:
        stored = json.dumps([event.raw, event.text, event.recipient, event.message_id, event.provider_event_id])
        assert "\\u0000" not in stored
        stored.encode()
        f"{event.text}{event.recipient}{event.message_id}".encode()
        assert len(event.provider_event_id) < 64
        assert len(stored) < 200_000
        assert event.at.tzinfo is UTC
    return found


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=2000))
def test_any_bytes_are_read(raw: bytes) -> None:
    check(raw)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.sampled_from(PIECES), max_size=40))
def test_any_heap_of_what_reports_are_made_of_is_read(pieces: list[bytes]) -> None:
    check(b"".join(pieces))


@settings(deadline=None, max_examples=500, suppress_health_check=[HealthCheck.too_slow])
@given(raw=st.sampled_from(MESSAGES), data=st.data())
def test_a_real_message_is_read_however_it_was_damaged(raw: bytes, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(raw)))
        length = data.draw(st.integers(0, 80))
        raw = raw[:start] + data.draw(st.sampled_from(PIECES)) + raw[start + length :]
    check(raw)


@settings(deadline=None, max_examples=100)
@given(raw=st.sampled_from(MESSAGES), data=st.data())
def test_a_real_message_is_read_wherever_it_was_cut(raw: bytes, data: st.DataObject) -> None:
    check(raw[: data.draw(st.integers(0, len(raw)))])


def _nested(levels: int) -> bytes:
    head = b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (n, n) for n in range(levels))
    return head + b"Content-Type: message/delivery-status\n\nx: y\n"


STATUS = b"Content-Type: message/delivery-status"
MANY = b"".join(b"\nFinal-Recipient: rfc822; a%d@example.org\nAction: failed\n" % number for number in range(10_000))
HUGE = {
    "deeply nested parts": _nested(20_000),
    "deeply nested messages": b"Content-Type: message/rfc822\n\n" * 40_000,
    "many parts": b"Content-Type: multipart/report; boundary=b\n\n" + b"--b\n\n\n" * 150_000,
    "boundaries that nearly fit": b"Content-Type: multipart/report; boundary=b\n\n" + b"--bx\n" * 200_000,
    "a boundary of a megabyte": b"Content-Type: multipart/report; boundary=" + b"b" * 10**6 + b"\n\n--b\n",
    "one line": b"Subject: " + b"x" * 10**6,
    "many headers": b"a: b\n" * 200_000,
    "one header in many lines": b"Content-Type: x\n" + b" y\n" * 300_000,
    "only line ends": b"\n" * 10**6,
    "only returns": b"\r" * 10**6,
    "only blanks": b"Content-Type: multipart/report;" + b" " * 10**6,
    "only semicolons": b"Content-Type: multipart/report" + b";" * 10**6 + b"\n\n",
    "only angle brackets": b"In-Reply-To: " + b"<" * 10**6 + b"\n\n",
    "only NUL": b"\0" * 10**6,
    "many recipients": REPORT.replace(b"\nFinal-Recipient", MANY + b"\nFinal-Recipient", 1),
    "a diagnosis of a megabyte": REPORT.replace(b"550 5.1.1", b"550 5.0.0 " + b"user " * 200_000),
    "unknown in a megabyte": REPORT.replace(b"550 5.1.1", b"550 5.0.0 user " + b"x" * 10**6),
    "a qmail bounce of many": b"\n\nHi. This is the qmail-send program\n\n" + b"<a@example.org>:\nno\n\n" * 50_000,
    "an Exim bounce of many": b"X-Failed-Recipients: " + b"a@example.org," * 70_000 + b"\n\nx\n\n" * 10_000,
    "dashes": b"\n\n" + b"-" * 10**6,
    "a report after too much": b"Subject: x\n\n" + b"x" * MAX_MESSAGE + REPORT,
    "a report that is no base64": REPORT.replace(STATUS, STATUS + b"\nContent-Transfer-Encoding: base64"),
}  # fmt: skip


@pytest.mark.parametrize("name", HUGE)
def test_a_message_made_to_cost_much_costs_no_more_than_its_size(name: str) -> None:
    raw = HUGE[name] + b"\n" * (10 * 1024 * 1024)
    tracemalloc.start()
    try:
        found = check(raw)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found.events) <= MAX_RECIPIENTS
    assert peak < 24 * MAX_MESSAGE


def test_of_very_many_recipients_the_first_are_told() -> None:
    assert len(read_bounce(HUGE["many recipients"], NOW).events) == MAX_RECIPIENTS


def test_a_report_says_the_same_with_an_attachment_of_many_megabytes_behind_it() -> None:
    raw = REPORT.replace(b"Dear Anna, welcome.", b"QUFB\n" * 6_000_000)
    assert read_bounce(raw, NOW) == read_bounce(REPORT, NOW)


@pytest.mark.parametrize(
    "charset", ["hex", "punycode", "idna", "unicode_escape", "utf-7", "utf-16", "cp999", "\0", "é"]
)
def test_a_charset_that_is_none_is_read_as_utf_8(charset: str) -> None:
    raw = REPORT.replace(STATUS, STATUS + f"; charset={charset}".encode())
    found = check(raw)
    assert found.events or charset == "utf-16"
