"""SMTP servers for tests: one that takes every mail (aiosmtpd), and one that answers as a script says.

with RecordingSmtp() as server: ...             server.port, server.envelopes, server.messages
with ScriptedSmtp(rcpt="550 5.1.1 no") as server: ...   server.port, server.commands, server.messages
"""

from __future__ import annotations

import asyncio
import contextlib
import email
import socket
import socketserver
import ssl
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import default
from typing import Any, Self, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword

HOST = "127.0.0.1"


def parse(content: bytes) -> EmailMessage:
    """A message as it arrived."""
    return email.message_from_bytes(content, policy=default)


@dataclass(frozen=True)
class Taken:
    """A mail as a server took it: from whom and to whom it was said to be, and its bytes."""

    sender: str
    recipients: list[str]
    content: bytes


class RecordingSmtp:
    """A real SMTP server on a free port of this machine, in a thread.

    Args:
        starttls: offers STARTTLS with this context.
        smtps: speaks TLS from the first byte with this context.
        login: the one user name and password it lets in; None, and it offers no AUTH.
        login_in_clear: whether it offers AUTH without TLS.
    """

    def __init__(
        self,
        *,
        starttls: ssl.SSLContext | None = None,
        smtps: ssl.SSLContext | None = None,
        login: tuple[str, str] | None = None,
        login_in_clear: bool = False,
    ) -> None:
        self.envelopes: list[Taken] = []
        self.connections = 0
        self.logged_in: list[str] = []
        self.port = 0
        self._starttls, self._smtps, self._login, self._in_clear = starttls, smtps, login, login_in_clear
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="RecordingSmtp")
        self._server: asyncio.Server | None = None

    @property
    def messages(self) -> list[EmailMessage]:
        """The messages that were taken, in their order."""
        return [parse(taken.content) for taken in self.envelopes]

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._serve(), self._loop).result(10)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def handle_DATA(self, _server: SMTP, _session: Any, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        content = cast("bytes", envelope.original_content)
        self.envelopes.append(Taken(envelope.mail_from or "", list(envelope.rcpt_tos), content))
        return f"250 2.0.0 Ok: queued as Q{len(self.envelopes)}"

    def _authenticate(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        given = cast("LoginPassword", data)
        success = (given.login.decode(), given.password.decode()) == self._login
        if success:
            self.logged_in.append(given.login.decode())
        return AuthResult(success=success, handled=success)

    async def _serve(self) -> asyncio.Server:
        return await self._loop.create_server(self._protocol, HOST, 0, ssl=self._smtps)

    def _protocol(self) -> SMTP:
        self.connections += 1
        options: dict[str, Any] = {"hostname": "localhost", "loop": self._loop, "tls_context": self._starttls}
        if self._login is not None:
            clear = self._in_clear or self._smtps is not None
            options |= {"authenticator": self._authenticate, "auth_required": True, "auth_require_tls": not clear}
        else:
            options["auth_exclude_mechanism"] = ("LOGIN", "PLAIN")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # aiosmtpd warns that logging in without TLS is unsafe: it is what we test
            return SMTP(self, **options)

    async def _end(self) -> None:
        cast("asyncio.Server", self._server).close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@dataclass(frozen=True)
class Raw:
    """Bytes instead of a reply."""

    data: bytes


@dataclass(frozen=True)
class Drip:
    """A reply that comes byte by byte, each after some seconds, without an end."""

    seconds: float


@dataclass(frozen=True)
class Hang:
    """No answer (or none after these bytes), while the connection stays open."""

    after: bytes = b""


class Drop:
    """The connection ends instead of an answer."""


Step = str | Raw | Drip | Hang | Drop

USUAL: dict[str, Step] = {
    "greeting": "220 scripted ESMTP",
    "helo": "250 scripted",
    "auth": "235 2.7.0 welcome",
    "mail": "250 2.1.0 Ok",
    "rcpt": "250 2.1.5 Ok",
    "data": "354 go ahead",
    "message": "250 2.0.0 Ok: queued as SCRIPTED",
    "rset": "250 2.0.0 Ok",
    "quit": "221 2.0.0 Bye",
    "starttls": "454 4.7.0 TLS not available",
}


class ScriptedSmtp:
    """A server that answers each step as a script says.

    Args:
        offers: lines of its EHLO reply.
        script: for a step of `USUAL`, `ehlo` or `in_data` (the message has begun): what it does; a list for one after
            the other, the last one from then on.
    """

    def __init__(self, *offers: str, **script: Step | list[Step]) -> None:
        self.commands: list[str] = []
        self.messages: list[bytes] = []
        self.packets: list[bytes] = []
        self.connections = 0
        self.stopped = threading.Event()
        lines = ("scripted", *offers)
        ehlo = "\r\n".join([*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}"])
        everything: dict[str, Step | list[Step]] = {**USUAL, "ehlo": ehlo, **script}
        self.scripted = frozenset(script)
        self._script = {step: list(does) if isinstance(does, list) else [does] for step, does in everything.items()}
        self._server = _Server((HOST, 0), _Handler)
        self._server.scripted = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.005,), name="ScriptedSmtp")

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    @property
    def mails_offered(self) -> int:
        """How often a transaction was begun."""
        return sum(command.startswith("MAIL") for command in self.commands)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()

    def next(self, step: str) -> Step | None:
        """What to do at this step."""
        does = self._script.get(step)
        if not does:
            return None
        return does.pop(0) if len(does) > 1 else does[0]


class _Server(socketserver.ThreadingTCPServer):
    scripted: ScriptedSmtp
    allow_reuse_address = True


class _EndedError(Exception):
    """The script ends this connection."""


class _Handler(socketserver.BaseRequestHandler):
    server: _Server
    request: socket.socket

    def handle(self) -> None:
        self._scripted = self.server.scripted
        self._scripted.connections += 1
        self._sender = self._recipient = False
        self.request.settimeout(30)
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(_EndedError, OSError):
            self._do("greeting")
            lines = self._lines()
            for line in lines:
                self._command(line.decode("latin-1").strip(), lines)

    def _command(self, command: str, lines: Iterator[bytes]) -> None:
        self._scripted.commands.append(command)
        verb = command.partition(" ")[0].partition(":")[0].lower()
        lacking = (verb == "rcpt" and not self._sender) or (verb == "data" and not self._recipient)
        if lacking and verb not in self._scripted.scripted:
            self.request.sendall(b"503 5.5.1 bad sequence of commands\r\n")
            return
        done = self._do(verb)
        if verb == "mail":
            self._sender, self._recipient = done.startswith("2"), False
        if verb == "rcpt" and done.startswith("2"):
            self._recipient = True
        if verb == "data" and done.startswith("354"):
            self._take(lines)
        if verb == "quit" or done.startswith("421"):
            raise _EndedError

    def _take(self, lines: Iterator[bytes]) -> None:
        content = b""
        for line in lines:
            if line == b".\r\n":
                break
            content += line
            if "in_data" in self._scripted.scripted:
                self._do("in_data")
        else:
            raise _EndedError
        self._sender = self._recipient = False
        does = self._scripted.next("message")
        if isinstance(does, str) and does.startswith("2"):
            self._scripted.messages.append(content)
        if self._act(does).startswith("421"):
            raise _EndedError

    def _do(self, step: str) -> str:
        return self._act(self._scripted.next(step))

    def _act(self, does: Step | None) -> str:
        if does is None:
            does = "502 5.5.1 unknown command"
        if isinstance(does, str):
            self.request.sendall(does.encode() + b"\r\n")
            return does
        if isinstance(does, Raw):
            self.request.sendall(does.data)
            return ""
        if isinstance(does, Drip):
            while not self._scripted.stopped.wait(does.seconds):
                self.request.sendall(b"2")
        elif isinstance(does, Hang):
            self.request.sendall(does.after)
            self._scripted.stopped.wait(30)
        raise _EndedError

    def _lines(self) -> Iterator[bytes]:
        buffer = b""
        while chunk := self.request.recv(65536):
            self._scripted.packets.append(chunk)
            buffer += chunk
            while b"\n" in buffer:
                line, _, buffer = buffer.partition(b"\n")
                yield line + b"\n"
