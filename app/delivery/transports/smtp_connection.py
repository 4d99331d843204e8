"""A connection to an SMTP server: opened, encrypted and logged in as the settings say (RFC 5321, 3207, 8314, 4954)."""

from __future__ import annotations

import base64
import re
import smtplib
import socket
import ssl
from typing import Any, Final, cast

from app.delivery.network import PrivateHostError
from app.delivery.transports.base import ConfigurationError, ConnectionFailedError, Reply, SmtpConfig, TransportError
from app.delivery.transports.smtp_client import Connection, TlsConnection, close_connection, reason
from app.delivery.transports.smtp_replies import PROVIDER, not_logged_in, not_open, parse_reply, positive

# The spellings of the settings, and what each means.
ENCRYPTION: Final = {
    "tls": "tls",
    "ssl": "ssl",
    "tls_optional": "tls_optional",
    "tls-optional": "tls_optional",
    "none": "none",
    "no-encryption": "none",
}
_MAX_PORT: Final = 65_535
_HOST_NAME: Final = re.compile(r"[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+")


def where(config: SmtpConfig) -> str:
    """The server, for error messages."""
    return f"{config.host}:{config.port}"


def lost(error: Exception, config: SmtpConfig, doing: str) -> ConnectionFailedError:
    """The error for a connection that ended, or never was, before a mail was given."""
    return ConnectionFailedError(
        f"SMTP server {where(config)}, {doing}: {reason(error)}. It is tried again; if this goes on, check smtp-host,"
        " smtp-port, smtp-encryption and the network between.",
        provider=PROVIDER,
    )


def open_connection(config: SmtpConfig) -> Connection:
    """Connect, encrypt and log in.

    Raises:
        TransportError: the server is away (connection), busy (throttled), or not as the settings say (configuration).
    """
    connection = _connect(config)
    try:
        _introduce(connection, config)
        _encrypt(connection, config)
        _log_in(connection, config)
    except TransportError:
        close_connection(connection)
        raise
    except ssl.SSLError as error:
        connection.close()
        raise _tls_error(error, config) from error
    except (OSError, smtplib.SMTPException) as error:
        connection.close()
        raise lost(error, config, "opening the connection") from error
    return connection


def _connect(config: SmtpConfig) -> Connection:
    mode = _mode(config)
    if not (config.host and 0 < config.port <= _MAX_PORT):
        raise _no_server(config)
    kind: Any = TlsConnection if mode == "ssl" else Connection
    options: dict[str, Any] = {"allow_private": config.allow_private}
    if mode == "ssl":
        options["context"] = _context(config)
    try:
        # A name is given, since smtplib would ask the name server for one; EHLO gets the right one below.
        connection: Connection = kind(
            config.host, config.port, local_hostname="localhost", timeout=config.timeout, **options
        )
    except smtplib.SMTPConnectError as error:
        raise not_open(_reply_of(error), f"SMTP server {where(config)} did not let us in") from error
    except ssl.SSLError as error:
        raise _tls_error(error, config) from error
    except PrivateHostError as error:
        raise ConfigurationError(
            f"smtp-host {error}: nothing was sent. Name a server in the public Internet, or let the operator set"
            " MAIL_ALLOW_PRIVATE_HOSTS.",
            provider=PROVIDER,
        ) from error
    except ValueError as error:
        raise _no_server(config) from error
    except (OSError, smtplib.SMTPException) as error:
        raise lost(error, config, "connecting") from error
    sock = cast("socket.socket", connection.sock)
    # Otherwise the end of a message waits until the server has acknowledged what came before it.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.local_hostname = config.local_hostname or _own_name(sock)
    return connection


def _no_server(config: SmtpConfig) -> ConfigurationError:
    return ConfigurationError(
        f"{where(config)!r} is not the name and port of a server. Check smtp-host and smtp-port.", provider=PROVIDER
    )


def _own_name(sock: socket.socket) -> str:
    """This host's name if it is a full one, else its address as RFC 5321, 4.1.3 writes it; nothing is looked up."""
    name = socket.gethostname()
    if _HOST_NAME.fullmatch(name):
        return name
    address = sock.getsockname()[0].partition("%")[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _introduce(connection: Connection, config: SmtpConfig) -> None:
    reply = parse_reply(*connection.ehlo())
    if not positive(reply) and reply.code is not None and reply.code >= 500:  # noqa: PLR2004 - knows no EHLO
        reply = parse_reply(*connection.helo())
    if not positive(reply):
        raise not_open(reply, f"SMTP server {where(config)} refused EHLO")


def _mode(config: SmtpConfig) -> str:
    mode = ENCRYPTION.get(config.encryption)
    if mode is None:
        raise ConfigurationError(
            f"smtp-encryption is {config.encryption!r}: set it to one of {', '.join(ENCRYPTION)}.", provider=PROVIDER
        )
    return mode


def _encrypt(connection: Connection, config: SmtpConfig) -> None:
    mode = _mode(config)
    if mode not in ("tls", "tls_optional"):
        return
    if not connection.has_extn("starttls"):
        if mode == "tls":
            raise ConfigurationError(
                f"SMTP server {where(config)} does not offer STARTTLS, and smtp-encryption is 'tls': nothing is sent in"
                " the clear. Check smtp-port (587 is usual), or set smtp-encryption to 'ssl' if the server speaks TLS"
                " from the start.",
                provider=PROVIDER,
            )
        return
    try:
        connection.starttls(context=_context(config))
    except smtplib.SMTPResponseException as error:
        raise not_open(_reply_of(error), f"SMTP server {where(config)} offers STARTTLS and refused it") from error
    _introduce(connection, config)


def _context(config: SmtpConfig) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if config.ca_file:
        try:
            context.load_verify_locations(config.ca_file)
        except OSError as error:
            raise ConfigurationError(
                f"The certificates in {config.ca_file} (SMTP_CA_FILE) cannot be read: {error.strerror or error}.",
                provider=PROVIDER,
            ) from error
    return context


def _tls_error(error: ssl.SSLError, config: SmtpConfig) -> TransportError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return ConfigurationError(
            f"The certificate of SMTP server {where(config)} is not valid: {error.verify_message}. Nothing was sent."
            " Set smtp-host to the name in the certificate, have the certificate renewed, or name its authority in"
            " SMTP_CA_FILE.",
            provider=PROVIDER,
        )
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return lost(error, config, "starting TLS")
    return ConfigurationError(
        f"SMTP server {where(config)} and this host found no way to speak TLS: {error.reason or error}. Nothing was"
        " sent. Check smtp-port and smtp-encryption ('ssl' is usual on 465, 'tls' on 587).",
        provider=PROVIDER,
    )


def _log_in(connection: Connection, config: SmtpConfig) -> None:
    if not config.username:
        return
    password = config.password or ""
    if not isinstance(connection.sock, ssl.SSLSocket) and _mode(config) != "none":
        raise ConfigurationError(
            f"SMTP server {where(config)} does not offer STARTTLS: the password is not sent in the clear. Set"
            " smtp-encryption to 'ssl' or 'tls' on a port that has it, or clear smtp-username.",
            provider=PROVIDER,
        )
    if not (config.username.isascii() and password.isascii()):
        raise ConfigurationError(
            "smtp-username or smtp-password has characters outside ASCII, which cannot be sent. Choose a password"
            " without them.",
            provider=PROVIDER,
        )
    try:
        connection.login(config.username, password)
    except smtplib.SMTPAuthenticationError as error:
        reply = _reply_of(error, hide=(f"\0{config.username}\0{password}", password))
        what = f"SMTP server {where(config)} did not log in {config.username!r}"
        # Without a chain: smtplib's own error has the server's text with whatever it repeats of the password.
        raise not_logged_in(reply, what) from None
    except smtplib.SMTPNotSupportedError as error:
        raise _no_login(config, "offers no AUTH") from error
    except smtplib.SMTPServerDisconnected:
        raise
    except smtplib.SMTPException as error:
        raise _no_login(config, "offers no way to log in that we know") from error


def _no_login(config: SmtpConfig, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"SMTP server {where(config)} {why}, but smtp-username is set. Clear smtp-username if the server needs none, or"
        " check smtp-port and smtp-encryption.",
        provider=PROVIDER,
    )


def _reply_of(error: smtplib.SMTPResponseException, hide: tuple[str, ...] = ()) -> Reply:
    """The reply that `smtplib` raised, without what it may repeat of a password."""
    text = error.smtp_error if isinstance(error.smtp_error, bytes) else error.smtp_error.encode()
    for secret in (secret.encode() for secret in hide if secret):
        text = text.replace(base64.b64encode(secret), b"***").replace(secret, b"***")
    return parse_reply(error.smtp_code, text)
