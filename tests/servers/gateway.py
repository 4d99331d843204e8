"""An HTTP server for tests that takes SMS and chat messages as Apprise's `json://` gives them, or as a script says."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import unquote

from tests.servers.smtp import HOST


@dataclass(frozen=True)
class Answers:
    """An answer; status 0 ends the connection without one, after the request was read."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    # What happens between the request and the answer.
    before: Callable[[], None] | None = None


@dataclass(frozen=True)
class Taken:
    """A message as it came."""

    to: str
    title: str
    text: str


class Gateway:
    """Keeps every message that it was offered, those that it refuses too.

    Attributes:
        script: the answers to the next requests; when it is used up, everything is taken.
        offered: what was asked of it.
    """

    def __init__(self) -> None:
        self.script: list[Answers] = []
        self.offered: list[Taken] = []
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                gateway.offered.append(Taken(unquote(self.path[1:]), body["title"], body["message"]))
                answer = gateway.script.pop(0) if gateway.script else Answers()
                if answer.before:
                    answer.before()
                if answer.status == 0:
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                for name, value in {"Content-Length": "0", **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()

            do_GET = do_POST  # noqa: N815 - http.server's name

            def log_message(self, *_args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer((HOST, 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def begin_anew(self) -> None:
        """Forget what was, for the next test."""
        self.script, self.offered = [], []

    @property
    def url(self) -> str:
        """The address of a service that gives its messages to this server, with a password in it."""
        return f"json://gate:Sesame-1234@{HOST}:{self._server.server_address[1]}/{{to}}"
