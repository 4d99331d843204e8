"""The SMTP server: connect, EHLO, TLS and AUTH as a worker does it, then NOOP and QUIT; no mail is sent."""

from __future__ import annotations

import smtplib
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address
from typing import Final, cast

from app.delivery.transports.base import ErrorKind, SmtpConfig, TransportError
from app.delivery.transports.smtp_client import Connection, close_connection, reason
from app.delivery.transports.smtp_connection import open_connection, where
from app.delivery.transports.smtp_replies import positive, show
from app.doctor.findings import Finding, Level

CHECK: Final = "smtp"
# Seconds for each answer.
SECONDS: Final = 5.0
# Days before the end of a certificate from which on somebody should have renewed it.
EXPIRES_SOON: Final = 21
_DAY: Final = 86_400

_PATCH: Final = "Change the mail settings: PATCH /v1/settings/1."
ADVICE: Final[dict[ErrorKind, tuple[Level, str]]] = {
    "configuration": ("problem", _PATCH),
    "connection": ("problem", "See that the server runs, and that a firewall lets this host reach that port."),
    "throttled": ("warning", "Wait; ask the provider for more if this goes on."),
    "transient": ("warning", "Wait, and look again."),
    "permanent": ("problem", _PATCH),
}


def check_smtp(config: SmtpConfig, now: Callable[[], float] = time.time) -> list[Finding]:
    """Log in at the server.

    Args:
        config: as the settings have it.
        now: the time in Unix seconds, which the certificate's end is compared with.
    """
    try:
        connection = open_connection(replace(config, timeout=SECONDS))
    except TransportError as error:
        level, advice = ADVICE[error.kind]
        return [Finding(level, CHECK, where(config), str(error), advice)]
    try:
        # First, since a server that hangs up at NOOP leaves no socket to look at.
        encrypted = _encrypted(connection, config, now())
        return [_logged_in(connection, config), encrypted]
    finally:
        close_connection(connection)


def _logged_in(connection: Connection, config: SmtpConfig) -> Finding:
    try:
        reply = connection.ask("NOOP")
    except (OSError, smtplib.SMTPException) as error:
        what = f"The server lets us in, and does not answer to NOOP: {reason(error)}."
        return Finding("warning", CHECK, where(config), what, "See the server's log.")
    if not positive(reply):
        what = f"The server lets us in, and refuses NOOP: {show(reply)}."
        return Finding("warning", CHECK, where(config), what, "See the server's log.")
    who = f"logs in {config.username!r}" if config.username else "lets us in without a login"
    return Finding("ok", CHECK, where(config), f"The server {who}.")


def _encrypted(connection: Connection, config: SmtpConfig, now: float) -> Finding:
    sock = cast("socket.socket", connection.sock)
    if not isinstance(sock, ssl.SSLSocket):
        what = "Mails, with the links in them, cross the network in the clear."
        if ip_address(sock.getpeername()[0].partition("%")[0]).is_loopback:
            return Finding("ok", CHECK, where(config), "Mails are not encrypted on the way, within this host.")
        advice = "Set smtp-encryption to 'tls', or to 'ssl' on port 465, if the server has it."
        return Finding("warning", CHECK, where(config), what, advice)
    ends = str((sock.getpeercert() or {}).get("notAfter"))
    days = int((ssl.cert_time_to_seconds(ends) - now) // _DAY)
    what = f"{sock.version()}; the certificate is valid for another {days} days (until {ends})."
    if days < EXPIRES_SOON:
        advice = "Have it renewed: once it has ended no mail leaves, since certificates are always checked."
        return Finding("warning", CHECK, where(config), what, advice)
    return Finding("ok", CHECK, where(config), what)
