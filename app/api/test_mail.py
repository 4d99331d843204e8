"""`POST /v1/test-mail`: sends one mail at once, by the present settings, and answers with what the provider said."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from flask import Response, jsonify

from app.api.helpers.addresses import AddressError, check_address
from app.api.helpers.log import record_activity
from app.api.helpers.settings import get_config
from app.api.helpers.templates import escape, html_to_text
from app.api.jsonapi.document import read_json
from app.api.jsonapi.errors import BadGateway, Conflict, Unprocessable
from app.auth.limits import TEST_MAILS_PER_ACCOUNT, caller_key, limiter
from app.delivery.claims import ClaimedMail
from app.delivery.recipients.playpen import refused
from app.delivery.recipients.simulator import SIMULATOR, is_simulated, simulate
from app.delivery.render import to_envelope
from app.delivery.services.registry import DISABLED, Service, find_service, new_transport
from app.delivery.transports.base import ConfigurationError, Envelope, Receipt, TransientError, TransportError
from app.language import DEFAULT
from app.models import db

ACTION: Final = "Test Mail"
# Seconds to connect and for each answer; for the message and the answer to it; for all together. A worker has more
# patience, but here somebody waits.
_TIMEOUT: Final = 5.0
_DATA_TIMEOUT: Final = 10.0
_PATIENCE: Final = 15.0


@limiter.limit(TEST_MAILS_PER_ACCOUNT, key_func=caller_key)
def send_test_mail() -> Response:
    """Send a mail: `{"recipient"}` gives `{"message", "provider", "provider-message-id", "response"}`.

    `service` names one of the further services; without it, it is the settings' own.
    """
    body = read_json()
    recipient = _recipient(body)
    service = _service(body.get("service"))
    db.session.rollback()  # no transaction waits for the mail server
    try:
        receipt = _send(service, to_envelope(_mail(service, recipient), service.sender))
    except TransportError as error:
        _log(recipient, service, "failed")
        raise BadGateway(f"{error} The test mail itself is not repeated.") from error
    _log(recipient, service, "sent")
    return jsonify(
        {
            "message": f"The test mail to {recipient} was taken.",
            "provider": SIMULATOR if receipt.provider == SIMULATOR else service.name,
            "provider-message-id": receipt.provider_message_id,
            "response": receipt.response,
        }
    )


def _recipient(body: dict[str, Any]) -> str:
    """The address that the body names.

    Raises:
        Unprocessable: it names none, or one that mail may not leave to.
    """
    value = body.get("recipient")
    if not isinstance(value, str):
        raise Unprocessable("recipient is missing: it must be an e-mail address.", pointer="/recipient")
    try:
        address = check_address(value)
    except AddressError as error:
        raise Unprocessable(f"This is {error}", pointer="/recipient") from error
    config = get_config()
    if refused((address,), config):
        raise Unprocessable(
            f"{config.environment} is not production, and MAIL_ALLOWED_RECIPIENTS does not have {address}.",
            pointer="/recipient",
        )
    return address


def _service(name: Any) -> Service:
    """The mail service as it is set now, with less patience; the settings' own, if none is named.

    Raises:
        Unprocessable: there is none of this name.
        Conflict: it is switched off, or it lacks something.
    """
    if name is not None and not isinstance(name, str):
        raise Unprocessable("service must be the name of a mail service.", pointer="/service")
    try:
        service = find_service(db.session.connection(), get_config(), name)
    except ConfigurationError as error:
        raise Conflict(str(error)) from error
    if service is None:
        raise Unprocessable("There is no mail service of this name.", pointer="/service")
    if service.kind == DISABLED or service.config is None:
        raise Conflict("Mail is switched off: email-service is 'disable' in the settings.")
    return replace(service, config=replace(service.config, timeout=_TIMEOUT, data_timeout=_DATA_TIMEOUT))


def _mail(service: Service, recipient: str) -> ClaimedMail:
    """A mail that is in no table: it is sent now or not at all."""
    sender, now = service.sender, datetime.now(UTC)
    message = (
        f"<p>This is a test mail from {escape(sender.app_name)}.</p>"
        f"<p>It was sent through the e-mail service <b>{escape(service.name)}</b>, on {now:%Y-%m-%d at %H:%M:%S} UTC."
        " If you can read this, the mail settings work.</p>"
    )
    return ClaimedMail(
        id=0,
        recipient=recipient,
        bcc=(),
        reply_to=(),
        action=ACTION,
        subject=f"Test mail from {sender.app_name}",
        message=message,
        text=html_to_text(message),
        language=DEFAULT,
        message_id=f"{uuid4().hex}@{sender.address.rpartition('@')[2]}",
        secret=None,
        attempts=0,
        give_up_at=now,
        time=now,
        has_attachments=False,
    )


def _send(service: Service, envelope: Envelope) -> Receipt:
    """Send the mail, in a thread of its own: however a server drags its answers out, the request ends in time.

    Raises:
        TransportError: it was not taken, or that is not known yet.
    """
    if is_simulated(envelope.recipient, get_config()):
        return simulate(envelope, attempts=0)
    transport = new_transport(service)
    executor = ThreadPoolExecutor(1, thread_name_prefix="test-mail")
    future: Future[Receipt] = executor.submit(transport.send, envelope)
    executor.submit(transport.close)
    executor.shutdown(wait=False)
    try:
        return future.result(_PATIENCE)
    except TimeoutError:
        raise TransientError(
            f"The mail server had not taken the mail after {_PATIENCE:.0f} seconds. It may still arrive.",
            provider=service.name,
            maybe_accepted=True,
        ) from None


def _log(recipient: str, service: Service, outcome: str) -> None:
    record_activity("test_mail", email=recipient, service=service.name, outcome=outcome)
    db.session.commit()
