"""smtplib's client, with a deadline for each reply and commands sent ahead of their replies (RFC 5321, 2920)."""

from __future__ import annotations

import smtplib
import socket
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, cast

from app.delivery import network
from app.delivery.transports.base import Reply
from app.delivery.transports.smtp_replies import GO_AHEAD, parse_reply, positive

# More than any server has to say; without a limit a hostile one could fill our memory.
_MAX_REPLY: Final = 65_536
# Seconds to wait for the reply to QUIT, and for the reason from a server that hung up on us.
_LAST_WORDS: Final = 1.0
# Octets of a message that have a time of their own to be sent in.
_STRETCH: Final = 262_144


class _Lines:
    """The lines a server sends. One deadline holds for a whole reply, so that a server cannot drip it for ever."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._buffer = b""
        self._deadline = 0.0
        self._left = 0

    def begin(self, seconds: float) -> None:
        """A new reply begins, and has so many seconds."""
        self._deadline = time.monotonic() + seconds
        self._left = _MAX_REPLY

    def readline(self) -> bytes:
        """The next line; nothing if the connection ended before the line did, since half a line is no answer.

        Raises:
            TimeoutError: the reply took too long.
            OSError: the connection broke, or the reply is endless.
        """
        while (end := self._buffer.find(b"\n") + 1) == 0 and len(self._buffer) <= self._left:
            seconds = self._deadline - time.monotonic()
            if seconds <= 0:
                raise TimeoutError("no whole answer in time")
            self._sock.settimeout(seconds)
            chunk = self._sock.recv(4096)
            if not chunk:
                return b""
            self._buffer += chunk
        self._left -= end or len(self._buffer)
        if self._left < 0:
            raise OSError("an answer without an end")
        line, self._buffer = self._buffer[:end], self._buffer[end:]
        return line

    def close(self) -> None:
        """Nothing to do: the socket is the connection's. `smtplib` closes its file."""


class Connection(smtplib.SMTP):
    """smtplib's client with a deadline for each reply (`timeout`), and commands sent ahead of their replies."""

    # Whether a mail was offered before: then the server may have hung up since.
    used = False

    def __init__(self, *args: Any, allow_private: bool = False, **options: Any) -> None:
        self._ahead: deque[str] = deque()
        self._allow_private = allow_private
        super().__init__(*args, **options)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        """Where `smtplib` connects: looked up once, checked, and all of it in `timeout` seconds."""
        sock = network.connect(host, port, timeout, allow_private=self._allow_private)
        sock.settimeout(timeout)
        return sock

    def getreply(self) -> tuple[int, bytes]:
        """Read a reply as `smtplib` does, whose errors it raises; but all of it in `timeout` seconds.

        Returns:
            The code, or -1 if there is none; the text of all lines (RFC 5321, 4.2.1).
        """
        if self.file is None:
            self.file = cast("Any", _Lines(cast("socket.socket", self.sock)))
        lines = cast("_Lines", self.file)
        lines.begin(self.timeout)
        texts = []
        try:
            while line := lines.readline():
                texts.append(line[4:].strip(b" \t\r\n"))
                if line[3:4] != b"-" or not line[:3].isdigit():
                    break
        except OSError as error:
            self.close()
            raise smtplib.SMTPServerDisconnected(f"Connection unexpectedly closed: {error}") from error
        if not line:
            self.close()
            raise smtplib.SMTPServerDisconnected("Connection unexpectedly closed")
        cast("socket.socket", self.sock).settimeout(self.timeout)  # reading has left what remained of it
        return int(line[:3]) if line[:3].isdigit() else -1, b"\n".join(texts)

    def read_reply(self) -> Reply:
        """The next reply.

        Raises:
            smtplib.SMTPException: the connection ended.
        """
        return parse_reply(*self.getreply())

    def last_words(self) -> Reply | None:
        """The refusal that a server sent before it hung up on us, if it did; then the connection is closed."""
        self.timeout = _LAST_WORDS
        try:
            reply = self.read_reply()
        except (OSError, smtplib.SMTPException):
            return None
        finally:
            self.close()
        return None if reply.code is None or positive(reply) else reply

    def send_ahead(self, commands: Sequence[str]) -> None:
        """Send commands in one packet if the server can take that (PIPELINING, RFC 2920), else nothing yet."""
        self._ahead = deque(commands if self.has_extn("pipelining") else ())
        if self._ahead:
            self.send("".join(f"{command}\r\n" for command in commands))

    def ask(self, command: str) -> Reply:
        """The reply to a command, which is sent if it was not sent ahead.

        Raises:
            smtplib.SMTPException: the connection ended.
        """
        if self._ahead:
            self._ahead.popleft()
        else:
            self.putcmd(command)
        return self.read_reply()

    def reset(self) -> None:
        """End the transaction (RSET), so that the next one can begin; close the connection if that fails."""
        try:
            while self._ahead:
                command = self._ahead[0]
                if self.ask(command).code == GO_AHEAD and command == "DATA":
                    # It waits for a message though it refused the sender or the recipient. A lone dot (RFC 2920, 3.1)
                    # might be delivered as an empty mail; half a message never is.
                    self.close()
                    return
            if not positive(self.ask("RSET")):
                self.close()
        except (OSError, smtplib.SMTPException):
            self.close()

    def write(self, data: bytes, timeout: float) -> None:
        """Send bytes; each stretch of them has its own time in seconds, however long the whole is.

        Raises:
            OSError: the connection ended before the last byte was given to the system. It is not closed, since the
                server may have said why.
        """
        sock = cast("socket.socket", self.sock)
        sock.settimeout(timeout)
        for start in range(0, len(data), _STRETCH):
            sock.sendall(data[start : start + _STRETCH])


class TlsConnection(Connection, smtplib.SMTP_SSL):
    """The same, encrypted from the first byte."""

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        """The certificate is compared with the name that was given, whatever address was connected to."""
        return self.context.wrap_socket(super()._get_socket(host, port, timeout), server_hostname=host)


def reason(error: Exception) -> str:
    """Why a connection ended, in a few words."""
    cause = error.__context__ if isinstance(error, smtplib.SMTPServerDisconnected) else error
    if isinstance(cause, TimeoutError):
        return "the time for it ran out"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return "the server ended the connection"


def close_connection(connection: Connection) -> None:
    """Say QUIT and close; raises nothing, waits a second at most."""
    try:
        if connection.sock is not None:
            connection.timeout = _LAST_WORDS
            connection.sock.settimeout(_LAST_WORDS)
            connection.docmd("QUIT")
    except (OSError, smtplib.SMTPException):
        connection.close()  # it is as closed as it can be
    finally:
        connection.close()
