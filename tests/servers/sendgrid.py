"""An HTTP server for tests that takes mails as SendGrid's v3 API does: strictly, or as a script says.

with SendGridServer() as server: ...                        server.url, server.mails, server.requests
with SendGridServer(script=[Says(503), USUAL]) as server: ...
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self, cast

from tests.servers.smtp import HOST, Drip, Drop, Hang

KEY = "SG.correct-horse.battery-staple"
TOP_LEVEL = frozenset(
    {"personalizations", "from", "reply_to", "reply_to_list", "subject", "content", "attachments", "headers"}
    | {"categories", "custom_args", "tracking_settings", "mail_settings", "send_at", "batch_id", "asm", "template_id"}
)
# Headers that SendGrid writes itself.
RESERVED = frozenset(
    {"x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type", "content-transfer-encoding", "to", "from"}
    | {"subject", "reply-to", "cc", "bcc"}
)


@dataclass(frozen=True)
class Says:
    """An answer; a body that is no text is sent as JSON."""

    status: int
    body: Any = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Raw:
    """Bytes in place of an answer; then the connection ends."""

    data: bytes


@dataclass(frozen=True)
class Pours:
    """An answer with a body that does not end."""

    status: str = "202 Accepted"


class Unread(Drop):
    """The connection ends before the request was read."""


class Usual:
    """What SendGrid would answer."""


class LeavesAfter(Usual):
    """The same; then the connection ends, without a word about it, and the server's `left` is set."""


Step = Says | Raw | Pours | Drip | Drop | Hang | Usual
USUAL = Usual()


class SendGridServer:
    """A real HTTP server on a free port of this machine.

    Args:
        context: speaks HTTPS with it; None for HTTP.
        script: what it does at each request, one after the other, the last one from then on.
    """

    def __init__(self, context: ssl.SSLContext | None = None, script: list[Step] | None = None) -> None:
        self.mails: list[dict[str, Any]] = []
        self.requests: list[tuple[str, str, Mapping[str, str]]] = []
        self.connections = 0
        self.stopped = threading.Event()
        self.left = threading.Event()
        self.context = context
        self._script = list(script or [USUAL])
        self._server = _Server((HOST, 0), _Handler)
        self._server.sendgrid = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.005,), name="SendGridServer")

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Its address."""
        return f"{'https' if self.context else 'http'}://{HOST}:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()

    def next(self) -> Step:
        """What to do at this request."""
        return self._script.pop(0) if len(self._script) > 1 else self._script[0]

    def take(self, mail: Any, authorization: str | None) -> Says:
        """What SendGrid answers to a mail."""
        if authorization != f"Bearer {KEY}":
            message = "The provided authorization grant is invalid, expired, or revoked"
            return Says(401, {"errors": [{"message": message, "field": None, "help": None}]})
        problems = list(complaints(mail))
        if problems:
            return Says(400, {"errors": [{"message": text, "field": name, "help": None} for name, text in problems]})
        self.mails.append(mail)
        return Says(202, "", {"X-Message-Id": f"SG{len(self.mails)}"})


def complaints(mail: Any) -> list[tuple[str | None, str]]:
    """What SendGrid would not take of a mail: the field and the words."""
    if not isinstance(mail, dict):
        return [(None, "Bad Request")]
    found: list[tuple[str | None, str]] = [(name, "unknown parameter") for name in set(mail) - TOP_LEVEL]
    for index, personalization in enumerate(mail.get("personalizations", [{}])):
        found += _of_personalization(f"personalizations.{index}", personalization)
    if not mail.get("from", {}).get("email"):
        found.append(("from", "The from object must be provided for every email send."))
    if not mail.get("subject"):
        found.append(("subject", "The subject is required."))
    if "reply_to" in mail and "reply_to_list" in mail:
        found.append(("reply_to", "reply_to cannot be used with reply_to_list"))
    found += _of_content(mail.get("content") or [])
    found += _of_labels(mail)
    for attachment in mail.get("attachments", []):
        found += _of_attachment(attachment)
    return found


def _of_labels(mail: dict[str, Any]) -> list[tuple[str | None, str]]:
    found: list[tuple[str | None, str]] = []
    for name, value in {**mail.get("headers", {}), **mail.get("custom_args", {})}.items():
        if not isinstance(value, str) or name.lower() in RESERVED:
            found.append((name, "must be a string, and no reserved header"))
    if not all(category.isascii() and 0 < len(category) <= 255 for category in mail.get("categories", [])):
        found.append(("categories", "a category has at most 255 characters"))
    return found


def _of_attachment(attachment: dict[str, str]) -> list[tuple[str | None, str]]:
    if set(attachment["type"]) & set(";\r\n"):
        return [("attachments", "The attachment type cannot contain ';', or CRLF characters.")]
    if not attachment.get("content") or not attachment.get("filename"):
        return [("attachments", "The attachment content and filename are required.")]
    return []


def _of_personalization(where: str, personalization: dict[str, Any]) -> list[tuple[str | None, str]]:
    if not personalization.get("to"):
        return [(f"{where}.to", "The to array is required for all personalization objects.")]
    named = [entry["email"].lower() for kind in ("to", "cc", "bcc") for entry in personalization.get(kind, [])]
    if len(named) != len(set(named)):
        return [(where, "Each email address in the personalization block should be unique between to, cc, and bcc.")]
    if not all("@" in address and address.isascii() for address in named):
        return [(where, "Does not contain a valid address.")]
    return []


def _of_content(content: list[dict[str, str]]) -> list[tuple[str | None, str]]:
    if not content or not all(part.get("value") for part in content):
        return [("content", "The content value must be a string at least one character in length.")]
    if [part["type"] for part in content] not in (["text/plain"], ["text/html"], ["text/plain", "text/html"]):
        return [("content", "If present, text/plain must be first, followed by text/html")]
    return []


class _Server(ThreadingHTTPServer):
    sendgrid: SendGridServer
    daemon_threads = False

    def handle_error(self, *_: object) -> None:
        """A connection that its client gave up is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = 30

    def setup(self) -> None:
        self.server.sendgrid.connections += 1
        if self.server.sendgrid.context:
            self.request = self.server.sendgrid.context.wrap_socket(self.request, server_side=True)
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().setup()

    def finish(self) -> None:
        super().finish()
        if self.server.sendgrid.context:
            self.request.close()  # the server knows only the socket that is within it

    def do_POST(self) -> None:
        self._handle()

    def do_GET(self) -> None:
        self._handle()

    def _handle(self) -> None:
        step = self.server.sendgrid.next()
        self.close_connection = True
        if isinstance(step, Unread):
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.sendgrid.requests.append((self.command, self.path, dict(self.headers)))
        if isinstance(step, Usual):
            authorization = self.headers.get("Authorization")
            self._say(self.server.sendgrid.take(json.loads(body), authorization))
            self.close_connection = False
            if isinstance(step, LeavesAfter):
                self.request.shutdown(socket.SHUT_RDWR)
                self.server.sendgrid.left.set()
        elif isinstance(step, Says):
            self._say(step)
            self.close_connection = False
        elif isinstance(step, Raw):
            self.wfile.write(step.data)
        elif isinstance(step, Hang):
            self.wfile.write(step.after)
            self.server.sendgrid.stopped.wait(30)
        elif isinstance(step, Drip):
            self._drip(step)
        elif isinstance(step, Pours):
            self._pour(step.status)

    def _say(self, answer: Says) -> None:
        body = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def _drip(self, step: Drip) -> None:
        """An endless header, byte by byte."""
        self.wfile.write(b"HTTP/1.1 202 Accepted\r\nX-Endless: ")
        with contextlib.suppress(OSError):  # the client has had enough
            while not self.server.sendgrid.stopped.wait(step.seconds):
                self.wfile.write(b"x")

    def _pour(self, status: str) -> None:
        self.wfile.write(f"HTTP/1.1 {status}\r\nLocation: /v4\r\n\r\n".encode())
        with contextlib.suppress(OSError):  # the client has had enough
            while not self.server.sendgrid.stopped.is_set():
                self.wfile.write(b"x" * 65536)

    def log_message(self, *_: object) -> None:
        """Nothing: a test's output is its own."""


class SilentServer:
    """Takes connections and never says a word."""

    def __init__(self) -> None:
        self._listener = socket.create_server((HOST, 0))
        self.port = int(cast("tuple[str, int]", self._listener.getsockname())[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
