"""`POST /v1/webhooks/sendgrid`: what SendGrid tells of our mails, signed by it.

Each answer but 200 means that nothing was written: SendGrid tells the same again, for a day.
"""

from __future__ import annotations

import logging

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from flask import Response, jsonify, request
from werkzeug.exceptions import RequestEntityTooLarge

from app.api.helpers.settings import get_settings
from app.api.jsonapi.errors import BadRequest, Forbidden, PayloadTooLarge, UnsupportedMediaType
from app.api.jsonapi.exceptions import ServiceUnavailable
from app.delivery.inbound.record import record
from app.delivery.inbound.sendgrid_events import MAX_BODY, Batch, PayloadError, parse
from app.delivery.inbound.sendgrid_signature import (
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    SignatureError,
    load_public_key,
    verify,
)
from app.models import db

log = logging.getLogger(__name__)


def take_sendgrid_events() -> Response:
    """Write down the events of a signed body, each once: 200 with how many there were, once that is committed.

    Raises:
        UnsupportedMediaType: the body does not say that it is JSON.
        ServiceUnavailable: the settings have no verification key (yet).
        PayloadTooLarge: the body is larger than any of SendGrid's.
        Forbidden: it is not signed by SendGrid, or not within the last five minutes.
        BadRequest: it is signed, and no list of events.
    """
    body = _read_body()
    _check_signature(body)
    batch = _parse(body)
    recorded = record(db.session.connection(), batch.events)
    db.session.commit()
    counts = {"new": recorded.new, "repeated": recorded.repeated, "unknown": recorded.unknown}
    counts |= {"moved": recorded.moved, "skipped": batch.skipped_count}
    log.info("SendGrid told of %s", counts)
    return jsonify(counts)


def _read_body() -> bytes:
    """The bytes as they came."""
    if not request.is_json:
        raise UnsupportedMediaType("Send the body with Content-Type: application/json.", header="Content-Type")
    request.max_content_length = MAX_BODY
    try:
        return request.get_data(cache=False)
    except RequestEntityTooLarge as error:
        raise PayloadTooLarge(f"The body has more than {MAX_BODY} bytes.") from error


def _check_signature(body: bytes) -> None:
    key = _key()
    try:
        verify(body, request.headers.get(SIGNATURE_HEADER), request.headers.get(TIMESTAMP_HEADER), key)
    except SignatureError as error:
        log.warning("A request to SendGrid's webhook was refused: %s", error)
        raise Forbidden(str(error)) from error


def _key() -> EllipticCurvePublicKey:
    text = get_settings().sendgrid_webhook_key
    if not text:
        raise ServiceUnavailable(
            "SendGrid's events are not taken before an admin has set sendgrid-webhook-key (PATCH /v1/settings/1)."
        )
    try:
        return load_public_key(text)
    except ValueError as error:  # one that came into the table by another way than the API, which checks it
        raise ServiceUnavailable(str(error)) from error


def _parse(body: bytes) -> Batch:
    try:
        return parse(body)
    except PayloadError as error:
        raise BadRequest(str(error)) from error
