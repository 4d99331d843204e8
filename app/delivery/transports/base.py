"""What every transport offers: what it is given, what it returns, and the errors it raises."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Final, Literal, Protocol

ErrorKind = Literal["transient", "throttled", "connection", "permanent", "configuration"]

# A server's answer is kept in the mail's row and shown to an admin: long enough to be understood, no longer.
MAX_RESPONSE: Final = 500

_UNPRINTABLE = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


def always_open() -> None:
    """A gate that is always open."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a mail: its name, its media type with parameters (RFC 2045), its bytes."""

    name: str
    content_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """One mail, ready to be sent. The body is not part of its repr, since it may hold a token.

    Attributes:
        message_id: without the angle brackets; the same on every try (RFC 5322, 3.6.4).
        sender: the address mail comes from, in the header and to the server.
        sender_name: what stands before the address; any Unicode, may be empty.
        recipient: one address.
        bcc: addresses that get the mail without being named in it.
        reply_to: addresses for one `Reply-To` header; none, no header.
        subject: any Unicode without a line break.
        html: the HTML part.
        text: the plain-text part.
        mail_id: the id of the mail's row.
        action: the action's name, as in the facts table.
        attachments: files that go with the mail.
        gate: called once before the mail is given for good (the message itself, the request): the outcome of the mail
            before must be written by then. What it raises ends the try, and nothing was given.
    """

    message_id: str
    sender: str
    sender_name: str
    recipient: str
    subject: str
    html: str = field(repr=False)
    text: str = field(repr=False)
    mail_id: int
    action: str
    bcc: tuple[str, ...] = ()
    reply_to: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    gate: Callable[[], None] = field(default=always_open, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The provider has taken the mail.

    Attributes:
        provider: the transport's name.
        provider_message_id: what the provider calls the mail; for SMTP the queue id in the last reply, if it names one.
        response: what the provider answered, cleaned.
        note: what an admin should know though the mail was taken (a blind copy was refused); None if nothing.
    """

    provider: str
    provider_message_id: str | None
    response: str
    note: str | None = None


@dataclass(frozen=True)
class SmtpConfig:
    """Where and how SMTP sends. Hashable and comparable, so that a worker sees when the settings have changed.

    Attributes:
        host: the server's name; its certificate must bear it.
        port: its port.
        username: for AUTH (RFC 4954); None, and nobody logs in.
        password: for AUTH.
        encryption: `tls` (STARTTLS or nothing, RFC 3207), `ssl` (TLS from the first byte, RFC 8314), `tls_optional` or
            `tls-optional` (STARTTLS where offered), `none` or `no-encryption`.
        timeout: seconds to connect, and for each answer as a whole.
        data_timeout: seconds for each stretch of the message and for the answer to it. Longer, because servers look
            for viruses before they answer, and hanging up on them too early doubles the mail (RFC 5321, 4.5.3.2).
        ca_file: certificates in PEM to trust besides the system's.
        local_hostname: the name for EHLO; None for this host's own.
        allow_private: whether the host may be in a network that is not the public Internet.
    """

    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    encryption: str = "tls"
    timeout: float = 10.0
    data_timeout: float = 60.0
    ca_file: str | None = None
    local_hostname: str | None = None
    allow_private: bool = False


@dataclass(frozen=True)
class SendGridConfig:
    """Where and how SendGrid's v3 API is spoken to. Hashable and comparable, as `SmtpConfig`.

    Attributes:
        api_key: an API key with the right to send mail.
        api_url: where the API is, without `/v3`; the operator's to say, so it may be anywhere.
        timeout: seconds to connect, TLS included.
        data_timeout: seconds for the whole of one request and its answer.
        ca_file: certificates in PEM to trust besides the system's.
    """

    api_key: str = field(repr=False)
    api_url: str = "https://api.sendgrid.com"
    timeout: float = 10.0
    data_timeout: float = 60.0
    ca_file: str | None = None


TransportConfig = SmtpConfig | SendGridConfig


@dataclass(frozen=True, slots=True)
class Reply:
    """What a provider answered.

    Attributes:
        code: the status (RFC 5321, 4.2, or HTTP's); None if there was no answer.
        enhanced: the enhanced status code, such as `5.1.1` (RFC 3463); None if there was none.
        response: the text, cleaned by `clean_response`.
    """

    code: int | None = None
    enhanced: str | None = None
    response: str = ""


class TransportError(Exception):
    """A mail was not sent, or not surely. Its text tells an admin what was tried, where, and what to do.

    Raise one of the subclasses: the class decides whether and when the mail is tried again. Neither a password nor
    anything of the mail's body belongs into the text.

    Attributes:
        kind: the class, as the `error_class` column has it.
        reply: what the provider answered; `code`, `enhanced` and `response` are its parts.
        connection_lost: whether the provider cannot be reached any more, or takes no mail of ours for now, so that the
            rest of a batch need not be tried.
        maybe_accepted: whether the provider may have taken the mail all the same: a second try may double it.
        provider: the transport's name; None if the error came before one was chosen.
        service: what the admins call the service; None if the error came before one was chosen.
        recipient_refused: whether the provider refused the recipient, and not the sender or what the mail says.
    """

    kind: ClassVar[ErrorKind]
    recipient_refused = False

    def __init__(
        self,
        message: str,
        reply: Reply | None = None,
        *,
        provider: str | None = None,
        connection_lost: bool = False,
        maybe_accepted: bool = False,
    ) -> None:
        super().__init__(message)
        self.reply = reply or Reply()
        self.provider = provider
        self.service: str | None = None
        self.connection_lost = connection_lost
        self.maybe_accepted = maybe_accepted

    @property
    def code(self) -> int | None:
        """The status code of the answer."""
        return self.reply.code

    @property
    def enhanced(self) -> str | None:
        """The enhanced status code of the answer (RFC 3463)."""
        return self.reply.enhanced

    @property
    def response(self) -> str:
        """The text of the answer, cleaned."""
        return self.reply.response


class TransientError(TransportError):
    """Not now: the same mail may pass later."""

    kind = "transient"


class ThrottledError(TransportError):
    """Too much at once. `retry_after` is the provider's wish in seconds, None if it named none."""

    kind = "throttled"

    def __init__(
        self,
        message: str,
        reply: Reply | None = None,
        *,
        provider: str | None = None,
        connection_lost: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, reply, provider=provider, connection_lost=connection_lost)
        self.retry_after = retry_after


class ConnectionFailedError(TransportError):
    """The provider is away, or does not speak with us now. The mail was surely not taken."""

    kind = "connection"

    def __init__(self, message: str, reply: Reply | None = None, *, provider: str | None = None) -> None:
        super().__init__(message, reply, provider=provider, connection_lost=True)


class PermanentError(TransportError):
    """Never: no retry helps this mail."""

    kind = "permanent"


class ConfigurationError(TransportError):
    """The settings are wrong: nothing is tried until an admin changes them."""

    kind = "configuration"


class Transport(Protocol):
    """One way to send mail.

    To add another: one file beside this one, one line in the registry (`__init__.py`), and a subclass of the tests'
    `TransportContract`.

    A worker keeps one instance per thread and per configuration, and calls it from that thread only, so an instance
    may keep a connection open; it opens it at the first `send`, not when it is made. It has no memory of mails: whether
    and when one is tried again is the caller's to decide, from the class of the error. It reads no settings, writes no
    rows and logs no contents.
    """

    @property
    def name(self) -> str:
        """What the `provider` column calls it."""
        ...

    def send(self, envelope: Envelope) -> Receipt:
        """Hand one mail to the provider; it is sent at most once.

        Raises:
            TransportError: one of its subclasses. After an error that does not say `maybe_accepted`, the mail was
                surely not taken. No other exception may come out of it.
        """
        ...

    def close(self) -> None:
        """Give back what is kept open; may be called twice, raises nothing. A later `send` opens anew."""
        ...


def clean_response(text: str) -> str:
    """A provider's text on one line, without control characters, in at most `MAX_RESPONSE` characters."""
    line = _UNPRINTABLE.sub(" ", text).strip()
    return line if len(line) <= MAX_RESPONSE else line[: MAX_RESPONSE - 1] + "…"
