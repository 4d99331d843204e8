"""The SendGrid transport: mails by SendGrid's v3 API, over one kept HTTPS connection, each offered at most once."""

from __future__ import annotations

import ssl
import time
from typing import Final

import requests

from app.delivery.transports.base import ConfigurationError, Envelope, PermanentError, Receipt, SendGridConfig
from app.delivery.transports.http_client import Answer, Exchange, NoAnswerError, new_session, post
from app.delivery.transports.sendgrid_answers import PROVIDER, is_accepted, no_answer, receipt, refusal
from app.delivery.transports.sendgrid_message import build

__all__ = ["SendGridConfig", "SendGridTransport"]

# SendGrid's own limit for a mail with all that belongs to it.
_MAX_BYTES: Final = 30 * 1024 * 1024
# A connection that rested longer is not used again: its server may be about to close it, and a request that crosses
# the closing leaves open whether it was read.
_MAX_REST_SECONDS: Final = 20.0


class _Bearer(requests.auth.AuthBase):
    """The key, given in this way so that neither the URL nor a `.netrc` can put another in its place."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request


class SendGridTransport:
    """Sends by SendGrid's API. Keeps its connection; for one thread."""

    name = PROVIDER

    def __init__(self, config: SendGridConfig) -> None:
        self._config = config
        self._session: requests.Session | None = None
        self._used_at = 0.0

    def __repr__(self) -> str:
        return f"SendGridTransport({self._config!r})"

    def send(self, envelope: Envelope) -> Receipt:
        """Send one mail.

        Raises:
            TransportError: it was not taken; with `maybe_accepted`, nobody knows.
        """
        body = self._build(envelope)
        key = self._config.api_key
        if not (key.isascii() and key.isprintable() and key and " " not in key):
            raise ConfigurationError(
                "sendgrid-key is no API key: it has a blank or a character that no key has. Set it anew.",
                provider=PROVIDER,
            )
        envelope.gate()
        answer = self._ask(body)
        if not is_accepted(answer):
            raise refusal(answer, f"SendGrid at {self._where} refused the mail", key)
        return receipt(answer)

    def close(self) -> None:
        """Close the connection, if there is one; raises nothing."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _build(self, envelope: Envelope) -> bytes:
        try:
            body = build(envelope)
        except ValueError as error:
            raise PermanentError(
                f"Mail {envelope.mail_id} cannot be written as a message: {error}. It was not sent.", provider=PROVIDER
            ) from error
        if len(body) > _MAX_BYTES:
            raise PermanentError(
                f"Mail {envelope.mail_id} has {len(body)} bytes, and SendGrid takes {_MAX_BYTES}: make its attachments"
                " smaller. It was not sent.",
                provider=PROVIDER,
            )
        return body

    def _ask(self, body: bytes) -> Answer:
        """The answer to a mail; a kept connection that broke before all of it was given is replaced, once."""
        if time.monotonic() - self._used_at > _MAX_REST_SECONDS:
            self.close()
        exchange = Exchange(self._config.timeout, self._config.data_timeout)
        try:
            return self._post(body, exchange)
        except NoAnswerError as error:
            if exchange.is_given or exchange.is_new or isinstance(exchange.error, TimeoutError):
                raise no_answer(exchange, self._where) from error
        exchange = Exchange(self._config.timeout, self._config.data_timeout)
        try:
            return self._post(body, exchange)
        except NoAnswerError as error:
            raise no_answer(exchange, self._where) from error

    def _post(self, body: bytes, exchange: Exchange) -> Answer:
        if self._session is None:
            self._session = new_session(self._context())
        url = f"{self._config.api_url}/v3/mail/send"
        try:
            answer = post(self._session, url, body, exchange, _Bearer(self._config.api_key))
        except BaseException:
            # Also if it was interrupted, by a time limit say: what the server answers next would be to this mail.
            self.close()
            raise
        self._used_at = time.monotonic()
        return answer

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self._config.ca_file:
            try:
                context.load_verify_locations(self._config.ca_file)
            except OSError as error:
                raise ConfigurationError(
                    f"The certificates in {self._config.ca_file} (SMTP_CA_FILE) cannot be read:"
                    f" {error.strerror or error}.",
                    provider=PROVIDER,
                ) from error
        return context

    @property
    def _where(self) -> str:
        """The server, for error messages; without a user or a path, which may be secrets."""
        return self._config.api_url.partition("://")[2].partition("/")[0].rpartition("@")[2]
