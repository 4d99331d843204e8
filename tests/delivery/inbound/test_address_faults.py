"""Which refusals put an address on the suppression list, and which must not."""

from __future__ import annotations

import pytest

from app.delivery.inbound.faults import codes_in, is_address_at_fault

AT_FAULT = [
    "550 5.1.1 <anna@example.org>: Recipient address rejected: User unknown in virtual mailbox table",
    "550 5.1.1 The email account that you tried to reach does not exist. Please try double-checking",
    "550-5.1.1 The email account that you tried to reach does not exist",
    "550 5.1.2 Host not found",
    "550 5.1.6 Mailbox has moved",
    "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
    "550 5.2.1 The email account that you tried to reach is disabled",
    "550 5.4.1 Recipient address rejected: Access denied. [host.example.org]",
    "550 5.4.1 [anna@example.org]: Recipient address rejected: Access denied",
    "550 5.0.0 <anna@example.org>... User unknown",
    "550 5.5.0 Requested action not taken: mailbox unavailable. User does not exist",
    "554 5.7.1 No such user",
    "550 No such user here",
    "550 Requested action not taken: unknown user",
    "550 Invalid recipient",
    "553 Sorry, no mailbox here by that name",
    "554 delivery error: This user doesn't have an example.org account",
    "550 Unrouteable address",
    "550 5.1.1 unknown",
]
NOT_AT_FAULT = [
    "552 5.2.2 mailbox full",
    "552 Requested mail action aborted: exceeded storage allocation",
    "552 5.3.4 Message size exceeds fixed limit",
    "550 5.7.1 Message rejected as spam by content filtering",
    "554 5.7.1 Service unavailable; client host [192.0.2.10] blocked",
    "550 5.7.26 This mail is unauthenticated; user unknown to us",
    "550 5.7.509 Access denied, sending domain does not pass DMARC verification",
    "550 5.1.8 Sender address rejected: Domain not found",
    "550 5.1.7 Sender address not valid",
    "550 5.7.1 Relaying denied",
    "554 5.4.14 Hop count exceeded",
    "554 5.6.0 Message content is not valid",
    "451 4.7.1 Greylisted, user unknown",
    "450 4.1.1 Recipient address rejected: unverified address: user unknown",
    "421 Too many connections",
    "550 Blocked: see our policy",
    "550 5.0.0 Mail rejected",
    "250 2.0.0 OK",
    "user unknown",
    "",
]


@pytest.mark.parametrize("text", AT_FAULT)
def test_an_address_where_nobody_will_be_reached_is_at_fault(text: str) -> None:
    code, enhanced = codes_in(text)
    assert is_address_at_fault(enhanced, code, text)


@pytest.mark.parametrize("text", NOT_AT_FAULT)
def test_no_other_refusal_is_the_addresss_fault(text: str) -> None:
    code, enhanced = codes_in(text)
    assert not is_address_at_fault(enhanced, code, text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("550 5.1.1 unknown", (550, "5.1.1")),
        ("550-5.1.1 unknown", (550, "5.1.1")),
        ("550 #5.1.0 Address rejected", (550, "5.1.0")),
        ("  421 later", (421, None)),
        ("Remote host said: 554 5.7.1 refused", (554, "5.7.1")),
        ("Sorry, no mailbox here. (#5.1.1)", (None, "5.1.1")),
        ("connect to mx.example.org[198.51.100.25]:25: timed out after 500 seconds", (None, None)),
        ("5.1.1.1", (None, None)),
        ("x" * 10**6, (None, None)),
        ("", (None, None)),
    ],
)
def test_the_codes_are_found_and_no_other_number_is_taken_for_one(
    text: str, expected: tuple[int | None, str | None]
) -> None:
    assert codes_in(text) == expected
