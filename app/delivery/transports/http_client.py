"""requests, made to end in time, to answer in bounds, and to say how far a request came when something broke."""

from __future__ import annotations

import http.client
import io
import logging
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from app.delivery import network

# Its warnings repeat whole addresses, which may have a key in them; what matters of them is in the exchange.
logging.getLogger("urllib3").setLevel(logging.CRITICAL)
# More than any answer has to say; the rest is not read.
MAX_BODY: Final = 65_536


@dataclass
class Exchange:
    """One request and its answer on their way.

    Attributes:
        connect_seconds: for looking up, connecting and TLS together.
        seconds: for everything, the last byte of the answer included.
        is_new: whether a connection was opened for it.
        is_given: whether all of the request was given to the system: from then on the server may have acted on it.
        error: what broke, as the system said it; None if the server just ended the connection.
        allow_private: whether the host may be in a network that is not the public Internet.
    """

    connect_seconds: float
    seconds: float
    allow_private: bool = True
    is_new: bool = False
    is_given: bool = False
    error: Exception | None = None
    _deadline: float = field(init=False)

    def __post_init__(self) -> None:
        self._deadline = time.monotonic() + self.seconds

    def left(self) -> float:
        """The seconds that are left.

        Raises:
            TimeoutError: none are.
        """
        seconds = self._deadline - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("the time for it ran out")
        return seconds

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Note what breaks within: urllib3 and requests wrap it several times."""
        try:
            yield
        except (OSError, ValueError) as error:
            self.error = error
            raise

    @property
    def reason(self) -> str:
        """Why there was no answer, in a few words."""
        if isinstance(self.error, TimeoutError):
            return "the time for it ran out"
        said = getattr(self.error, "strerror", None)
        return str(said) if said else "the server ended the connection"


class NoAnswerError(Exception):
    """The server did not answer, or not in HTTP."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered: its status, its headers, and the beginning of its body."""

    status: int
    headers: requests.structures.CaseInsensitiveDict[str]
    body: bytes


# urllib3 makes its connections by itself, in the thread of the request: so they learn whose they are.
_exchange: ContextVar[Exchange] = ContextVar("usher_http_exchange")


def new_session(context: ssl.SSLContext) -> requests.Session:
    """A session that keeps one connection; for one thread.

    The environment has no say: no proxy, no other authorities, no `.netrc` that would send another password.
    """
    session = _Session()
    session.trust_env = False
    adapter = TimedAdapter(context)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    # So that the bounds hold for what arrives, and not for what it unpacks to.
    session.headers.update({"Accept-Encoding": "identity"})
    return session


def post(session: requests.Session, url: str, body: bytes, exchange: Exchange, auth: requests.auth.AuthBase) -> Answer:
    """POST JSON, once; redirects are not followed.

    Raises:
        NoAnswerError: there was none; `exchange` says how far it came, and what broke.
    """
    return _ask(session, "POST", url, exchange, data=body, headers={"Content-Type": "application/json"}, auth=auth)


def get(session: requests.Session, url: str, exchange: Exchange, auth: requests.auth.AuthBase) -> Answer:
    """GET, once; redirects are not followed.

    Raises:
        NoAnswerError: as `post`.
    """
    return _ask(session, "GET", url, exchange, auth=auth)


def _ask(session: requests.Session, method: str, url: str, exchange: Exchange, **options: Any) -> Answer:
    try:
        with carried_by(exchange):
            response = session.request(
                method, url, timeout=exchange.connect_seconds, allow_redirects=False, stream=True, **options
            )
            try:
                return Answer(response.status_code, response.headers, read_body(response))
            finally:
                response.close()
    except (requests.RequestException, HTTPError, http.client.HTTPException, OSError, ValueError) as error:
        # Without a chain: what they say repeats the request's headers and URL.
        exchange.error = exchange.error or (error if isinstance(error, ValueError) else None)
        raise NoAnswerError(exchange.reason) from None


@contextmanager
def carried_by(exchange: Exchange) -> Iterator[None]:
    """Let what is sent within, by a `TimedAdapter`, be this exchange."""
    token = _exchange.set(exchange)
    try:
        yield
    finally:
        _exchange.reset(token)


def read_body(response: requests.Response) -> bytes:
    """The beginning of the body; as much as came, if it broke off: the status has already said what counts."""
    body = b""
    try:
        while len(body) < MAX_BODY and (chunk := response.raw.read(MAX_BODY - len(body), decode_content=False)):
            body += chunk
    except (requests.RequestException, http.client.HTTPException, OSError, HTTPError):
        response.raw.close()
    return body


class _Session(requests.Session):
    """requests' own, which even where redirects are not followed would read all of their bodies."""

    def get_redirect_target(self, _resp: requests.Response) -> None:
        return None


class _TimedReader(io.RawIOBase):
    """A socket's bytes, each read within what is left of the exchange's time."""

    def __init__(self, raw: socket.SocketIO, sock: socket.socket) -> None:
        self._raw, self._sock = raw, sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        exchange = _exchange.get()
        with exchange.watch():
            self._sock.settimeout(exchange.left())
            return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedSocket:
    """What `http.client` asks of a socket to read an answer from."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedReader(self._sock.makefile("rb", buffering=0), self._sock))


class _TimedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(_TimedSocket(sock), *args, **options)  # type: ignore[arg-type]  # it is only read from


class _TimedConnection(HTTPConnection):
    """urllib3's, which notes in the exchange how far the request has come."""

    response_class = _TimedResponse

    def _new_conn(self) -> socket.socket:
        exchange = _exchange.get()
        exchange.is_new = True
        seconds = min(exchange.connect_seconds, exchange.left())
        sock = network.connect(self._dns_host, self.port, seconds, allow_private=exchange.allow_private)
        # Otherwise the end of a request waits until the server has acknowledged what came before it.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def connect(self) -> None:
        with _exchange.get().watch():
            super().connect()

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        exchange = _exchange.get()
        with exchange.watch():
            self.sock.settimeout(exchange.left())
            super().send(data)

    def request(self, *args: Any, **options: Any) -> None:
        super().request(*args, **options)
        _exchange.get().is_given = True


class _TimedTlsConnection(_TimedConnection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _TimedConnection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TimedTlsConnection


class TimedAdapter(HTTPAdapter):
    """requests' own, whose connections keep to the exchange that they are opened for.

    Args:
        context: for TLS; None for requests' own, with the authorities that it brings.
    """

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self._context = context
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make urllib3's pools, of connections that are timed."""
        if self._context is not None:
            options["ssl_context"] = self._context
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
