"""Messages as real servers write them: what each tells, and of whom."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.delivery.inbound.bounces import Reading, read_bounce
from app.delivery.inbound.events import MailEvent
from app.delivery.inbound.maildir import Taken, take

MESSAGES = Path(__file__).with_name("messages")
NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
MESSAGE_ID = "4f0c1d2e3b4a59687766554433221100@usher.example.org"
ANNA, BEN = "anna@example.com", "ben@example.com"


def message(name: str) -> bytes:
    return (MESSAGES / f"{name}.eml").read_bytes()


def reading(name: str) -> Reading:
    return read_bounce(message(name), NOW)


REPORTS: dict[str, list[tuple[Any, ...]]] = {
    "postfix_user_unknown": [("bounced", ANNA, 550, "5.1.1", True)],
    "postfix_delayed": [("deferred", ANNA, None, "4.4.1", False)],
    "postfix_expired": [("bounced", ANNA, None, "4.4.7", False)],
    "mailbox_full": [("bounced", BEN, 552, "5.2.2", False)],
    "spam_refused": [("bounced", BEN, 554, "5.7.1", False)],
    "several_recipients": [
        ("bounced", ANNA, 550, "5.1.1", True),
        ("delivered", BEN, None, "2.0.0", False),
        ("sent", "carla@example.com", None, "2.0.0", False),
        ("delivered", "everybody@example.com", None, "2.0.0", False),
        ("deferred", "dora@example.com", None, "4.2.1", False),
    ],
    "exchange_online": [("bounced", ANNA, 550, "5.1.10", True)],
    "exchange_unknown_recipient_5_4_1": [("bounced", ANNA, 550, "5.4.1", True)],
    "vague_status": [("bounced", ANNA, 550, "5.1.1", True)],
    "international_address": [("bounced", "märta@example.com", 550, "5.1.1", True)],
    "gateway_around_report": [("bounced", BEN, 550, "5.1.2", True)],
    "exim_plain": [("bounced", ANNA, 550, "5.1.1", True), ("bounced", BEN, 552, "5.2.2", False)],
    "qmail_plain": [("bounced", ANNA, None, "5.1.1", True), ("bounced", BEN, 554, "5.7.1", False)],
    "complaint": [("complained", ANNA, None, None, True)],
    "complaint_redacted": [("complained", None, None, None, True)],
}
IGNORED = {
    "out_of_office": "Auto-Submitted",
    "vacation_without_header": "subject",
    "read_receipt": "receipt",
    "exim_delay_warning": "Auto-Submitted",
    "not_spam": "no complaint",
}
UNKNOWN = {
    "person": "a person may have written it",
    "report_without_status": "no recipient is named",
    "bounce_in_prose": "no recipient is named",
}


def test_every_message_has_an_expectation() -> None:
    assert {path.stem for path in MESSAGES.glob("*.eml")} == {*REPORTS, *IGNORED, *UNKNOWN}


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_tells_what_became_of_each_recipient(name: str) -> None:
    found = reading(name)
    assert found.verdict == "report"
    told = [(event.kind, event.recipient, event.code, event.enhanced, event.is_permanent) for event in found.events]
    assert told == REPORTS[name]


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_names_the_message_it_is_about_whoever_wrote_it(name: str) -> None:
    assert {event.message_id for event in reading(name).events} == {MESSAGE_ID}


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_with_the_line_ends_of_the_wire_tells_the_same(name: str) -> None:
    assert read_bounce(message(name).replace(b"\n", b"\r\n"), NOW) == reading(name)


@pytest.mark.parametrize("name", IGNORED)
def test_what_is_about_no_delivery_is_ignored(name: str) -> None:
    found = reading(name)
    assert (found.verdict, found.events) == ("ignored", ())
    assert IGNORED[name] in found.reason


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_a_person_should_see_is_said_to_be_unknown(name: str) -> None:
    found = reading(name)
    assert (found.verdict, found.events) == ("unknown", ())
    assert UNKNOWN[name] in found.reason


@pytest.mark.parametrize(
    "header",
    [
        b"Auto-Submitted: auto-replied; owner-email=carla@example.com",
        b"X-Autoreply: yes",
        b"X-Autorespond: Your session",
        b"Precedence: auto_reply",
        b"Precedence: bulk",
        b"Subject: Abwesenheitsnotiz: Your session",
        b"Subject: Automatische Antwort: Your session",
        b"Subject: Out of the office",
    ],
)
def test_the_marks_of_an_automatic_reply_are_known(header: bytes) -> None:
    assert read_bounce(header + b"\n" + message("person"), NOW).verdict == "ignored"


@pytest.mark.parametrize(
    "header", [b"Auto-Submitted: no", b"Precedence: normal", b"Subject: Re: Out of office", b"X: y"]
)
def test_what_only_resembles_an_automatic_reply_is_left_to_a_person(header: bytes) -> None:
    assert read_bounce(header + b"\n" + message("person"), NOW).verdict == "unknown"


def test_the_same_report_has_the_same_ids_by_whatever_way_it_comes() -> None:
    raw = message("several_recipients")
    ids = [event.provider_event_id for event in read_bounce(raw, NOW).events]
    again = b"From MAILER-DAEMON Fri Nov 20 09:15:05 2026\nReceived: by another.example.org\nX-Spam: no\n" + raw
    later = read_bounce(again, NOW + timedelta(hours=1))
    assert [event.provider_event_id for event in later.events] == ids
    assert len(set(ids)) == len(ids)


def test_another_report_of_the_same_mail_has_other_ids() -> None:
    raw = message("postfix_delayed")
    first = read_bounce(raw, NOW).events[0]
    second = read_bounce(raw.replace(b"20261120091505", b"20261120131505"), NOW).events[0]
    assert first.provider_event_id != second.provider_event_id


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        (b"Fri, 20 Nov 2026 13:15:02 +0200", datetime(2026, 11, 20, 11, 15, 2, tzinfo=UTC)),
        (b"Fri, 20 Nov 2026 13:15:02 -0000", datetime(2026, 11, 20, 13, 15, 2, tzinfo=UTC)),
        *(
            (date, NOW)
            for date in (
                b"yesterday",
                b"Fri, 20 Nov 1926 13:15:02 +0000",
                b"Fri, 20 Nov 2126 13:15:02 +0000",
                b"Fri, 31 Feb 2026 13:15:02 +0000",
                b"Fri, 20 Nov 0001 00:00:00 +9999",
                b"Fri, 20 Nov 2026 13:15:02 +999999999999",
                b"Fri, 31 Dec 9999 23:59:59 -2359",
                b"1" * 1000,
            )
        ),
    ],
)
def test_a_time_is_taken_only_if_it_can_be(date: bytes, expected: datetime) -> None:
    raw = message("postfix_delayed").replace(b"Fri, 20 Nov 2026 13:15:02 +0000", date)
    assert read_bounce(raw, NOW).events[0].at == expected


def test_a_report_that_was_cut_off_in_the_returned_message_still_counts() -> None:
    raw = message("postfix_user_unknown")
    cut = raw[: raw.index(b"Dear Anna")]
    told = {(event.kind, event.recipient, event.message_id) for event in read_bounce(cut, NOW).events}
    assert told == {("bounced", ANNA, MESSAGE_ID)}


def test_an_envelope_id_that_is_a_message_id_names_the_mail_where_it_was_not_returned() -> None:
    raw = message("several_recipients")
    assert MESSAGE_ID.encode() not in raw
    assert read_bounce(raw, NOW).events[0].message_id == MESSAGE_ID


def test_a_report_without_any_id_names_no_mail() -> None:
    raw = message("postfix_user_unknown").replace(f"Message-ID: <{MESSAGE_ID}>\n".encode(), b"")
    assert read_bounce(raw, NOW).events[0].message_id is None


@pytest.mark.parametrize(
    ("action", "status", "kind"),
    [
        (b"Action: FAILED", b"Status: 5.1.1", "bounced"),
        (b"Action: failed (will not retry)", b"Status: 4.4.7", "bounced"),
        (b"Action: odd", b"Status: 5.1.1", "bounced"),
        (b"X: y", b"Status: 4.4.1", "deferred"),
        (b"X: y", b"Status: 2.1.5", "delivered"),
        (b"Action: failed", b"X: y", "bounced"),
    ],
)
def test_where_the_action_is_missing_or_unknown_the_status_decides(action: bytes, status: bytes, kind: str) -> None:
    raw = message("postfix_user_unknown").replace(b"Action: failed", action).replace(b"Status: 5.1.1", status)
    assert [event.kind for event in read_bounce(raw, NOW).events] == [kind]


def test_a_server_that_answers_for_itself_needs_no_code() -> None:
    said = b"    SMTP error from remote mail server after RCPT TO:<anna@example.com>:\n"
    raw = message("exim_plain").replace(said, b"    Unrouteable address\n").replace(b": 550 5.1.1 <", b": <")
    event = read_bounce(raw, NOW).events[0]
    assert (event.recipient, event.code, event.is_permanent) == (ANNA, None, True)


def test_reports_in_a_maildir_are_told_and_the_others_are_left_for_a_person(tmp_path: Path) -> None:
    for folder in ("new", "cur"):
        (tmp_path / folder).mkdir()
    for number, path in enumerate(sorted(MESSAGES.glob("*.eml"))):
        (tmp_path / "new" / f"{number}.a.host").write_bytes(path.read_bytes())
    told: list[MailEvent] = []

    def reader(raw: bytes) -> bool:
        found = read_bounce(raw, NOW)
        told.extend(found.events)
        return found.verdict != "unknown"

    assert take(tmp_path, reader) == Taken(len(REPORTS) + len(IGNORED), len(UNKNOWN))
    assert len(told) == sum(map(len, REPORTS.values()))


def test_an_address_is_not_at_fault_while_delivery_goes_on() -> None:
    raw = message("postfix_user_unknown").replace(b"Action: failed", b"Action: delayed")
    assert [(event.kind, event.is_permanent) for event in read_bounce(raw, NOW).events] == [("deferred", False)]


def test_without_an_action_and_a_status_nothing_is_told() -> None:
    raw = message("postfix_user_unknown").replace(b"Action: failed", b"X: y").replace(b"Status: 5.1.1", b"Z: z")
    assert read_bounce(raw, NOW).verdict != "report"


def test_several_recipients_of_a_complaint_are_an_event_each() -> None:
    two = b"Original-Rcpt-To: <anna@example.com>\nOriginal-Rcpt-To: <ben@example.com>"
    raw = message("complaint").replace(b"Original-Rcpt-To: <anna@example.com>", two)
    events = read_bounce(raw, NOW).events
    assert [event.recipient for event in events] == [ANNA, BEN]
    assert len({event.provider_event_id for event in events}) == 2


def test_what_a_report_says_is_kept_and_the_message_is_not() -> None:
    event = reading("postfix_user_unknown").events[0]
    assert event.raw["recipient"]["remote-mta"] == ["dns; mx.example.com"]
    assert event.raw["message"]["x-postfix-queue-id"] == ["4Rq1Zk2b3Tz9sWc"]
    assert "Dear Anna" not in str(event.raw)
    assert "raw" not in repr(event)
