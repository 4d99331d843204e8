"""One mail over an open SMTP connection: MAIL, RCPT, DATA, the message, and what each answer means (RFC 5321, 3.3)."""

from __future__ import annotations

import smtplib
from collections.abc import Callable
from dataclasses import dataclass, field

from app.delivery.faults import AFTER_DATA_ACCEPTED, reach
from app.delivery.transports.base import PermanentError, Receipt, Reply, SmtpConfig, TransientError, TransportError
from app.delivery.transports.smtp_client import Connection, reason
from app.delivery.transports.smtp_connection import lost, where
from app.delivery.transports.smtp_replies import CLOSING, GO_AHEAD, PROVIDER, positive, queue_id, refusal, show


@dataclass(frozen=True, slots=True)
class Parcel:
    """A mail as the server gets it; the addresses are ASCII, the data ends its lines with CRLF."""

    sender: str
    recipient: str
    bcc: tuple[str, ...]
    data: bytes = field(repr=False)
    gate: Callable[[], None] = field(repr=False)


class StaleConnectionError(Exception):
    """A kept connection turned out dead, and nothing of the mail was given to it: it can go over a new one."""


def hand_over(connection: Connection, config: SmtpConfig, parcel: Parcel) -> Receipt:
    """Offer a mail, once. Afterwards the connection is ready for the next one, or closed.

    Raises:
        StaleConnectionError: the connection had been used before and is dead.
        TransportError: the mail was not taken; with `maybe_accepted`, nobody knows.
    """
    _check_size(connection, config, parcel)
    try:
        note = _offer(connection, config, parcel)
        parcel.gate()
        _write(connection, config, parcel.data)
    except (OSError, smtplib.SMTPException) as error:
        connection.close()
        raise lost(error, config, "offering a mail") from error
    finally:
        connection.used = True
    reply = _last_reply(connection, config)
    if not positive(reply):
        raise _refused(connection, reply, f"SMTP server {where(config)} refused the message")
    reach(AFTER_DATA_ACCEPTED)
    return Receipt(PROVIDER, queue_id(reply), show(reply), note)


def _check_size(connection: Connection, config: SmtpConfig, parcel: Parcel) -> None:
    limit = connection.esmtp_features.get("size", "")
    if limit.isdecimal() and 0 < int(limit) < len(parcel.data):
        raise PermanentError(
            f"SMTP server {where(config)} takes messages of up to {limit} octets, and this one has {len(parcel.data)}:"
            " make its attachments smaller. It is not tried again.",
            provider=PROVIDER,
        )


def _offer(connection: Connection, config: SmtpConfig, parcel: Parcel) -> str | None:
    """Name the sender and the recipients, until the server waits for the message; return what to note."""
    size = f" SIZE={len(parcel.data)}" if connection.has_extn("size") else ""
    mail = f"MAIL FROM:<{parcel.sender}>{size}"
    recipients = {address: f"RCPT TO:<{address}>" for address in (parcel.recipient, *parcel.bcc)}
    # DATA goes ahead with the others only if there is one recipient. With several the server could take the blind
    # copies and refuse the recipient, and would then wait for a message that it must not get.
    ahead = [mail, *recipients.values(), *(() if parcel.bcc else ("DATA",))]
    server = f"SMTP server {where(config)}"

    reply = _begin(connection, mail, ahead)
    if not positive(reply):
        raise _refused(connection, reply, f"{server} refused the sender {parcel.sender}")
    refused_copies = []
    for address, command in recipients.items():
        reply = connection.ask(command)
        if positive(reply):
            continue
        if address == parcel.recipient or reply.code == CLOSING:
            error = _refused(connection, reply, f"{server} refused the recipient {address}")
            error.recipient_refused = address == parcel.recipient
            raise error
        refused_copies.append(f"{address} ({show(reply)})")
    reply = connection.ask("DATA")
    if reply.code != GO_AHEAD:
        raise _refused(connection, reply, f"{server} refused to take a message")
    return f"The server refused these blind copies: {'; '.join(refused_copies)}" if refused_copies else None


def _begin(connection: Connection, mail: str, ahead: list[str]) -> Reply:
    """The reply to MAIL."""
    try:
        connection.send_ahead(ahead)
        reply = connection.ask(mail)
    except (OSError, smtplib.SMTPException) as error:
        if connection.used:
            connection.close()
            raise StaleConnectionError from error
        raise
    if connection.used and reply.code == CLOSING:
        connection.close()
        raise StaleConnectionError
    return reply


def _write(connection: Connection, config: SmtpConfig, data: bytes) -> None:
    """Send the message and the dot that ends it. If this raises, the dot was not sent, so the mail was not taken."""
    stuffed = data.replace(b"\r\n.", b"\r\n..")
    if stuffed.startswith(b"."):
        stuffed = b"." + stuffed
    end = b".\r\n" if stuffed.endswith(b"\r\n") else b"\r\n.\r\n"
    try:
        connection.write(stuffed + end, config.data_timeout)
    except OSError:
        reply = connection.last_words()
        if reply is None:
            raise
        raise refusal(reply, f"SMTP server {where(config)} broke off the message") from None


def _last_reply(connection: Connection, config: SmtpConfig) -> Reply:
    """The reply to the message: the one moment when a lost connection leaves open whether the mail was taken."""
    connection.timeout = config.data_timeout
    try:
        reply = connection.read_reply()
    except (OSError, smtplib.SMTPException) as error:
        connection.close()
        raise _unknown(config, reason(error)) from error
    connection.timeout = config.timeout
    if reply.code is None or not (positive(reply) or reply.code >= 400):  # noqa: PLR2004 - 4yz and 5yz refuse
        connection.close()
        raise _unknown(config, f"its answer is no answer to a message: {show(reply)}")
    return reply


def _unknown(config: SmtpConfig, why: str) -> TransientError:
    return TransientError(
        f"SMTP server {where(config)} got the whole message, but did not say whether it took it: {why}. It may have"
        " arrived; a second try may double it.",
        provider=PROVIDER,
        connection_lost=True,
        maybe_accepted=True,
    )


def _refused(connection: Connection, reply: Reply, what: str) -> TransportError:
    """The error for a negative reply; the connection is made ready for the next mail, or closed."""
    error = refusal(reply, what)
    if error.connection_lost:
        connection.close()
    else:
        connection.reset()
    return error
