"""Whether a request to the event webhook comes from SendGrid: an ECDSA signature over its time and its raw bytes."""

from __future__ import annotations

import base64
import time
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

SIGNATURE_HEADER: Final = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP_HEADER: Final = "X-Twilio-Email-Event-Webhook-Timestamp"
# Seconds by which the signed time may differ from ours, either way: a recorded request is of no use later.
TOLERANCE: Final = 300
_MAX_TIMESTAMP: Final = 12
# An ECDSA signature of P-256 has at most 72 bytes in DER.
_MAX_SIGNATURE: Final = 128


class SignatureError(ValueError):
    """The request is not known to come from SendGrid: nothing in it is to be read. Its text may be shown to anybody."""


def load_public_key(text: str) -> ec.EllipticCurvePublicKey:
    """The verification key as SendGrid shows it: the base64 of a P-256 key in DER, with or without lines of PEM.

    Raises:
        ValueError: it is no such key; the text says what to do.
    """
    lines = [line.strip() for line in text.strip().splitlines() if not line.startswith("-----")]
    try:
        key = load_der_public_key(base64.b64decode("".join(lines), validate=True))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError(
            "The verification key of SendGrid's event webhook is no public key: copy it from Settings, Mail Settings,"
            " Event Webhooks, Signed Event Webhook."
        ) from error
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise ValueError("The verification key of SendGrid's event webhook is of another kind: SendGrid's are P-256.")


def verify(
    body: bytes, signature: str | None, timestamp: str | None, key: ec.EllipticCurvePublicKey, now: float | None = None
) -> None:
    """See that SendGrid signed this body within the last five minutes.

    Args:
        body: the bytes as they came, before any framework has read them as JSON.
        signature: the value of `SIGNATURE_HEADER`: base64 of DER.
        timestamp: the value of `TIMESTAMP_HEADER`: Unix seconds.
        key: from `load_public_key`.
        now: Unix seconds; None for the clock's.

    Raises:
        SignatureError: it is not so.
    """
    if not signature or not timestamp:
        raise SignatureError(f"{SIGNATURE_HEADER} and {TIMESTAMP_HEADER} must be there: switch the signature on.")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _MAX_TIMESTAMP):
        raise SignatureError(f"{TIMESTAMP_HEADER} is not a time in Unix seconds.")
    if len(signature) > _MAX_SIGNATURE:
        raise SignatureError(f"{SIGNATURE_HEADER} is longer than any signature.")
    try:
        signed = base64.b64decode(signature, validate=True)
    except ValueError as error:
        raise SignatureError(f"{SIGNATURE_HEADER} is not base64.") from error
    try:
        key.verify(signed, timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise SignatureError("The signature does not fit the body: sent by somebody else, or changed.") from error
    # After the signature, so that only SendGrid learns what our clock says.
    if abs((time.time() if now is None else now) - int(timestamp)) > TOLERANCE:
        raise SignatureError(f"The request was signed more than {TOLERANCE} seconds before or after now.")
