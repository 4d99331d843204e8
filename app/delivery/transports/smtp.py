"""The SMTP transport: mails over one kept connection, each offered at most once (RFC 5321)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.delivery.faults import AFTER_CONNECT, reach
from app.delivery.transports.base import Envelope, PermanentError, Receipt, SmtpConfig, TransportError
from app.delivery.transports.mail_message import MailMessage
from app.delivery.transports.marrow_mailer import start_mailer
from app.delivery.transports.mime import ascii_address, build
from app.delivery.transports.smtp_client import Connection, close_connection
from app.delivery.transports.smtp_connection import open_connection
from app.delivery.transports.smtp_replies import PROVIDER
from app.delivery.transports.smtp_transaction import Parcel, StaleConnectionError, hand_over

__all__ = ["SmtpConfig", "SmtpTransport"]


class SmtpTransport:
    """Sends through one SMTP server. Keeps its connection; for one thread.

    A blind copy that is refused does not keep the mail from its recipient: the receipt's note names it.
    """

    name = PROVIDER

    def __init__(self, config: SmtpConfig) -> None:
        self._config = config
        self._connection: Connection | None = None
        self._mailer: Any = start_mailer(self)
        # That of the mail which the `Mailer` is about to hand back.
        self._gate: Callable[[], None] = _never

    def __repr__(self) -> str:
        return f"SmtpTransport({self._config!r})"

    def send(self, envelope: Envelope) -> Receipt:
        """Send one mail.

        Raises:
            TransportError: it was not taken; with `maybe_accepted`, nobody knows.
        """
        self._gate = envelope.gate
        try:
            receipt: Receipt = self._mailer.send(build(envelope))
        except ValueError as error:
            raise PermanentError(
                f"Mail {envelope.mail_id} cannot be written as a message: {error}. It was not sent.", provider=PROVIDER
            ) from error
        return receipt

    def close(self) -> None:
        """Say QUIT and close the connection, if there is one; raises nothing."""
        connection, self._connection = self._connection, None
        if connection is not None:
            close_connection(connection)

    def startup(self) -> None:
        """Nothing (asked by marrow's `Mailer`): the connection is opened when the first mail comes."""

    def shutdown(self) -> None:
        """The same as `close` (asked by marrow's `Mailer`)."""
        self.close()

    def deliver(self, message: MailMessage) -> Receipt:
        """Send what `send` has built (asked by marrow's `Mailer`).

        Raises:
            TransportError: as `send`.
        """
        parcel = _parcel(message, self._gate)
        if self._connection is not None:
            try:
                return self._hand_over(self._connection, parcel)
            except StaleConnectionError:
                self._connection = None
        self._connection = open_connection(self._config)
        reach(AFTER_CONNECT)
        return self._hand_over(self._connection, parcel)

    def _hand_over(self, connection: Connection, parcel: Parcel) -> Receipt:
        try:
            return hand_over(connection, self._config, parcel)
        except TransportError:
            if connection.sock is None:
                self._connection = None
            raise
        except BaseException:
            # Interrupted in the middle, by a time limit say: what the server answers next would be to this mail.
            connection.close()
            self._connection = None
            raise


def _never() -> None:
    raise RuntimeError("a message that did not come by way of send")


def _parcel(message: MailMessage, gate: Callable[[], None]) -> Parcel:
    return Parcel(
        sender=ascii_address(message.envelope.address),
        recipient=ascii_address(message.to[0].address),
        bcc=tuple(ascii_address(address.address) for address in message.bcc),
        data=bytes(message),
        gate=gate,
    )
