"""Only what SendGrid signed, just now, over these very bytes, is read."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.delivery.inbound.sendgrid_signature import TOLERANCE, SignatureError, load_public_key, verify

# Made with `openssl dgst -sha256 -sign`, over the time and the body, as SendGrid signs.
KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE89lCDySnroMPf5yUdhvuZB9ItLO0gizVStmtVLGFyo0w97SjQ9CTPVqhcn7kbw8MPp+XKAo0DzsivM0F"
    "Yyo1Eg=="
)
SIGNATURE = "MEUCIQCNHBqh0GV1OyWgAFUkmLpIhe440qj6XEZ8Zhy9WLz58AIgR1mtq+3iWkNZRq8vZ+vBkUtlObePOcUPGvigBtR3AXA="
TIME = "1763630105"
NOW = float(TIME)
BODY = b'[{"email":"anna@example.org","event":"delivered","sg_event_id":"ZGVsaXZlcmVkLTA","timestamp":1763630100}]\r\n'

public_key = load_public_key(KEY)
private_key = ec.generate_private_key(ec.SECP256R1())


def sign(body: bytes, timestamp: str = TIME) -> str:
    return base64.b64encode(private_key.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))).decode()


def der(key: PublicKeyTypes) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return base64.b64encode(key.public_bytes(serialization.Encoding.DER, form)).decode()


def test_a_signed_body_is_accepted() -> None:
    verify(BODY, SIGNATURE, TIME, public_key, NOW)


def test_the_key_may_come_with_the_lines_of_pem() -> None:
    key = load_public_key(f"-----BEGIN PUBLIC KEY-----\n{KEY[:64]}\n{KEY[64:]}\n-----END PUBLIC KEY-----\n")
    verify(BODY, SIGNATURE, TIME, key, NOW)


@pytest.mark.parametrize(
    "body",
    [BODY.rstrip(), BODY[:-10], BODY.replace(b"delivered", b"bounce"), BODY.replace(b",", b", "), b"", b"[]", b"\0"],
)
def test_a_changed_body_is_refused(body: bytes) -> None:
    with pytest.raises(SignatureError, match="does not fit"):
        verify(body, SIGNATURE, TIME, public_key, NOW)


def test_a_changed_time_is_refused() -> None:
    with pytest.raises(SignatureError, match="does not fit"):
        verify(BODY, SIGNATURE, "1763630106", public_key, NOW)


def test_a_time_cannot_be_made_earlier_by_moving_a_digit_into_the_body() -> None:
    with pytest.raises(SignatureError):
        verify(TIME[-1:].encode() + BODY, SIGNATURE, TIME[:-1], public_key, NOW)


def test_another_key_is_refused() -> None:
    with pytest.raises(SignatureError, match="does not fit"):
        verify(BODY, sign(BODY), TIME, public_key, NOW)


@pytest.mark.parametrize("seconds", [-TOLERANCE, -1, 0, TOLERANCE])
def test_within_five_minutes_a_request_is_accepted(seconds: int) -> None:
    verify(BODY, SIGNATURE, TIME, public_key, NOW + seconds)


@pytest.mark.parametrize("seconds", [-TOLERANCE - 1, TOLERANCE + 1, 86400, 1e12])
def test_a_request_from_before_or_after_is_refused(seconds: float) -> None:
    with pytest.raises(SignatureError, match="300 seconds"):
        verify(BODY, SIGNATURE, TIME, public_key, NOW + seconds)


def test_the_clock_is_asked_if_no_moment_is_given() -> None:
    with pytest.raises(SignatureError, match="300 seconds"):
        verify(BODY, SIGNATURE, TIME, public_key)


@pytest.mark.parametrize(("signature", "timestamp"), [(None, TIME), (SIGNATURE, None), ("", TIME), (None, None)])
def test_without_its_headers_a_request_is_refused(signature: str | None, timestamp: str | None) -> None:
    with pytest.raises(SignatureError, match="must be there"):
        verify(BODY, signature, timestamp, public_key, NOW)


@pytest.mark.parametrize("timestamp", ["now", "-1", "1.5", "1e9", "٣", "9" * 13, " 1763630105", "1763630105\n"])
def test_a_time_that_is_none_is_refused(timestamp: str) -> None:
    with pytest.raises(SignatureError, match="Unix seconds"):
        verify(BODY, SIGNATURE, timestamp, public_key, NOW)


@pytest.mark.parametrize("signature", ["?", "AAAA", "MEUCIQ", "é", "A" * 100_000, SIGNATURE[:-4], f"{SIGNATURE}AAAA"])
def test_a_signature_that_is_none_is_refused(signature: str) -> None:
    with pytest.raises(SignatureError):
        verify(BODY, signature, TIME, public_key, NOW)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(body=st.binary(max_size=200), signature=st.text(max_size=150), timestamp=st.text(max_size=15))
def test_nothing_that_was_not_signed_is_accepted(body: bytes, signature: str, timestamp: str) -> None:
    with pytest.raises(SignatureError):
        verify(body, signature, timestamp, public_key, NOW)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(body=st.binary(max_size=200))
def test_any_bytes_that_were_signed_are_accepted(body: bytes) -> None:
    verify(body, sign(body), TIME, load_public_key(der(private_key.public_key())), NOW)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "no key",
        KEY[:-8],
        "é",
        der(ed25519.Ed25519PrivateKey.generate().public_key()),
        der(ec.generate_private_key(ec.SECP384R1()).public_key()),
    ],
    # Keys are made anew in each of pytest's processes, which must agree on the names.
    ids=["empty", "words", "cut off", "not ASCII", "Ed25519", "P-384"],
)
def test_what_is_no_key_of_sendgrids_is_said_to_be_none(key: str) -> None:
    with pytest.raises(ValueError, match="verification key"):
        load_public_key(key)
