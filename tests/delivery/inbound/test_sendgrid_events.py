"""SendGrid's events in our words: each kind, its reason, and nothing that a wrong one can do to the others."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.delivery.inbound import sendgrid_events
from app.delivery.inbound.events import KINDS
from app.delivery.inbound.sendgrid_events import PayloadError, normalise, parse

BASE: dict[str, Any] = {
    "email": "anna@example.org",
    "timestamp": 1763630100,
    "smtp-id": "<4f0c1d2e3b4a59687766554433221100@usher.example.org>",
    "category": ["Session Accept or Reject"],
    "sg_event_id": "ZGVsaXZlcmVkLTAtMTA5OTQ5MTktTFJ6WGxfTkhTdE9HaFE0a29mU21fQS0w",
    "sg_message_id": "LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0",
    "mail_id": "42",
}
HARD = "550 5.1.1 The email account that you tried to reach does not exist."


def event(**changes: Any) -> dict[str, Any]:
    return {key: value for key, value in {**BASE, **changes}.items() if value is not None}


def body(*events: Any) -> bytes:
    return json.dumps(events).encode()


@pytest.mark.parametrize(
    ("changes", "kind", "is_permanent"),
    [
        ({"event": "processed"}, "sent", False),
        ({"event": "delivered", "response": "250 OK"}, "delivered", False),
        ({"event": "deferred", "response": "451 4.7.1 Greylisted", "attempt": "2"}, "deferred", False),
        ({"event": "bounce", "type": "bounce", "status": "5.1.1", "reason": HARD}, "bounced", True),
        ({"event": "bounce", "type": "blocked", "status": "5.7.1", "reason": "554 5.7.1 spam"}, "bounced", False),
        # An unknown host has no status; and a type that is missing or new leaves the decision to the codes.
        ({"event": "bounce", "type": "blocked", "reason": "unable to get mx info"}, "bounced", False),
        ({"event": "bounce", "status": "5.1.1", "reason": HARD}, "bounced", True),
        ({"event": "bounce", "type": "expired", "reason": "452 4.2.2 mailbox full"}, "bounced", False),
        ({"event": "bounce", "status": "5.2.2", "reason": "552 5.2.2 mailbox full"}, "bounced", False),
        ({"event": "dropped", "reason": "Bounced Address"}, "rejected", True),
        ({"event": "dropped", "reason": "Spam Reporting Address"}, "rejected", True),
        ({"event": "dropped", "reason": "Invalid"}, "rejected", True),
        ({"event": "dropped", "reason": "Invalid SMTPAPI header"}, "rejected", False),
        ({"event": "dropped", "reason": "Unsubscribed Address"}, "rejected", False),
        ({"event": "dropped", "reason": "Spam Content (if spam checker app enabled)"}, "rejected", False),
        ({"event": "dropped"}, "rejected", False),
        ({"event": "spamreport"}, "complained", True),
        ({"event": "unsubscribe"}, "unsubscribed", False),
        ({"event": "group_unsubscribe", "asm_group_id": 1}, "unsubscribed", False),
        ({"event": "group_resubscribe", "asm_group_id": 1}, "resubscribed", False),
    ],
)
def test_each_kind_of_event_has_its_word(changes: dict[str, Any], kind: str, is_permanent: bool) -> None:
    found = normalise(event(**changes))
    assert (found.kind, found.is_permanent) == (kind, is_permanent)
    assert found.kind in KINDS


@pytest.mark.parametrize("told", [1763630100, 1763630100.0, "1763630100"])
def test_the_time_may_be_written_in_several_ways(told: Any) -> None:
    assert normalise(event(event="delivered", timestamp=told)).at == datetime(2025, 11, 20, 9, 15, tzinfo=UTC)


def test_an_event_names_its_mail_its_moment_and_its_reason() -> None:
    found = normalise(event(event="bounce", type="bounce", status="5.1.1", reason=HARD))
    assert found.at == datetime(2025, 11, 20, 9, 15, tzinfo=UTC)
    assert found.recipient == "anna@example.org"
    assert found.provider == "sendgrid"
    assert found.provider_event_id == BASE["sg_event_id"]
    assert found.provider_message_id == "LRzXl_NHStOGhQ4kofSm_A"
    assert found.mail_id == 42
    assert found.message_id == "4f0c1d2e3b4a59687766554433221100@usher.example.org"
    assert (found.code, found.enhanced, found.text) == (550, "5.1.1", HARD)
    assert found.raw == event(event="bounce", type="bounce", status="5.1.1", reason=HARD)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b.0", "LRzXl_NHStOGhQ4kofSm_A"),
        ("euo2iKxdSayPF4YE4--I7A.recvd-5f54b5d587-pczjm-1-67BADEEA-6.0", "euo2iKxdSayPF4YE4--I7A"),
        ("14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0", "14c5d75ce93.dfd.64b469"),
        ("abc.new-kind-of-tail.0", "abc"),
        ("abc", "abc"),
        ("", None),
        ("\x00", None),
        ("x" * 300, None),
        (7, None),
        (None, None),
    ],
)
def test_the_first_part_of_the_message_id_is_the_one_in_our_receipt(told: Any, expected: str | None) -> None:
    assert normalise(event(event="delivered", sg_message_id=told)).provider_message_id == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"mail_id": 7}, 7),
        ({"mail_id": None, "unique_args": {"mail_id": "8"}}, 8),
        ({"mail_id": str(2**63 - 1)}, 2**63 - 1),
        *(
            ({"mail_id": value}, None)
            for value in (None, "", "0", "-1", "x", "٣", True, 1.0, [], {}, str(2**63), 10**30)
        ),
        ({"mail_id": None, "unique_args": "mail_id"}, None),
    ],
)
def test_an_id_of_ours_is_a_positive_bigint_or_none(changes: dict[str, Any], expected: int | None) -> None:
    assert normalise(event(event="delivered", **changes)).mail_id == expected


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (None, "no object"),
        ("delivered", "no object"),
        (event(), "none of SendGrid's"),
        (event(event="exploded"), "none of SendGrid's"),
        (event(event=["delivered"]), "none of SendGrid's"),
        (event(event="open"), "not kept"),
        (event(event="click", url="https://example.org"), "not kept"),
        (event(event="account_status_change"), "not kept"),
        (event(event="delivered", email=None), "email"),
        (event(event="delivered", email="anna"), "email"),
        (event(event="delivered", email="a@example.org, b@example.org"), "email"),
        (event(event="delivered", email=f"{'a' * 250}@example.org"), "email"),
        (event(event="delivered", sg_event_id=None), "sg_event_id"),
        (event(event="delivered", sg_event_id="x" * 256), "sg_event_id"),
        (event(event="delivered", sg_event_id="a\x00b"), "sg_event_id"),
        *(
            (event(event="delivered", timestamp=value), "timestamp")
            for value in (None, "", "soon", True, -1, 0, 1e300, 10**10, 4102444800, [], "9" * 13)
        ),
    ],
)
def test_a_wrong_event_is_skipped_with_a_reason_and_the_others_are_taken(wrong: Any, reason: str) -> None:
    batch = parse(body(wrong, event(event="delivered")))
    assert [found.kind for found in batch.events] == ["delivered"]
    assert batch.skipped_count == 1
    assert batch.skipped[0].index == 0
    assert reason in batch.skipped[0].reason


def test_what_no_database_can_hold_is_replaced() -> None:
    found = normalise(event(event="deferred", response="451 a\x00b\ud800c\r\nd", **{"\ud800\x00": ["\x00"]}))
    assert found.text == "451 a\ufffdb\ufffdc d"
    assert found.raw["\ufffd\ufffd"] == ["\ufffd"]


def test_a_number_that_no_database_can_hold_is_kept_as_text() -> None:
    raw = body(event(event="delivered", infinite=0)).replace(
        b'"infinite": 0', b'"infinite": 1e999, "big": 1' + b"0" * 4000
    )
    (found,) = parse(raw).events
    assert found.raw["infinite"] == "inf"
    assert found.raw["big"].startswith("0x")


def test_what_an_event_holds_besides_is_kept_within_bounds() -> None:
    deep: Any = "x"
    for _ in range(50):
        deep = [deep]
    many = {f"key {number}": number for number in range(1000)}
    found = normalise(event(event="delivered", deep=deep, long="x" * 10**6, many=many, big=10**300, wide=[0] * 10**5))
    assert len(json.dumps(found.raw)) < 10_000


def test_an_event_that_is_told_twice_in_a_request_is_taken_once() -> None:
    assert len(parse(body(event(event="delivered"), event(event="delivered"))).events) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        b"", b"x", b"{}", b"null", b'"[]"', b"[", b"[NaN]", b"[Infinity]", b"\xff\xfe[\x00]\x00", b"[" * 200_000,
        b'[{"timestamp": ' + b"9" * 5000 + b"}]",
    ],
)  # fmt: skip
def test_a_body_that_is_no_list_of_events_is_refused(wrong: bytes) -> None:
    with pytest.raises(PayloadError):
        parse(wrong)


def test_a_body_that_is_too_large_is_refused() -> None:
    with pytest.raises(PayloadError, match="bytes"):
        parse(b"[" + b" " * sendgrid_events.MAX_BODY + b"]")
    with pytest.raises(PayloadError, match="events"):
        parse(b"[" + b"0," * sendgrid_events.MAX_EVENTS + b"0]")


def test_of_many_wrong_events_the_first_reasons_are_kept_and_all_are_counted() -> None:
    batch = parse(body(*range(1000)))
    assert (len(batch.events), len(batch.skipped), batch.skipped_count) == (0, 100, 1000)


# With lone surrogates, which JSON can escape and a database cannot hold; made of few, which are quickly drawn.
TEXT = st.text(st.sampled_from("ab@. <>5\x00\r\n\ud800é\u202e"), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    changes=st.dictionaries(st.sampled_from([*BASE, "event", "type", "status", "reason", "response", "x"]), JSON),
    name=st.sampled_from(["delivered", "bounce", "dropped", "spamreport", "deferred"]),
)
def test_whatever_an_event_holds_it_is_read_or_skipped_and_can_be_stored(changes: dict[str, Any], name: str) -> None:
    item = {**BASE, "event": name, **changes}
    try:
        batch = parse(json.dumps([item]).encode("utf-8", "replace"))
    except PayloadError:  # NaN is no JSON
        return
    assert len(batch.events) + batch.skipped_count == 1
    for found in batch.events:
        stored = json.dumps(found.raw, allow_nan=False)
        assert "\\u0000" not in stored
        assert "\\ud800" not in stored
        found.text.encode()


@settings(deadline=None)
@given(st.binary())
def test_whatever_the_bytes_are_nothing_else_is_raised(raw: bytes) -> None:
    with pytest.raises(PayloadError):
        parse(raw + b"x")
