"""One user's stream of the realtime gateway, read line by line as it comes, with the moment at which each line came."""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse
from socket import SHUT_RDWR
from typing import Any, Final, Self
from urllib.parse import urlsplit

from app.demo.client import TIMEOUT_SECONDS, Answer
from app.demo.failure import DemoFailure

OK: Final = 200
MEDIA_TYPE: Final = "text/event-stream"
Arrived = tuple[float, str]


class Stream:
    """A stream that is open until the end of the `with` block.

    Attributes:
        answer: what the gateway answered, for the screen.
    """

    def __init__(self, url: str, path: str, token: str) -> None:
        """Connect.

        Raises:
            DemoFailure: the gateway does not answer, or not with a stream.
        """
        address = urlsplit(url)
        connection = HTTPConnection(address.hostname or "", address.port, timeout=TIMEOUT_SECONDS)
        try:
            connection.request("GET", path, headers={"Authorization": f"JWT {token}", "Accept": MEDIA_TYPE})
            self._socket = connection.sock
            response = connection.getresponse()
        except (OSError, HTTPException) as error:
            connection.close()
            raise DemoFailure(f"GET {path}", "a stream", type(error).__name__) from error
        if response.status != OK:
            connection.close()
            raise DemoFailure(f"GET {path}", str(OK), str(response.status))
        self.answer = Answer("GET", path, response.status, MEDIA_TYPE, {})
        self._lines: list[Arrived] = []
        self._thread = threading.Thread(target=self._read, args=(response,), daemon=True)
        self._thread.start()

    def has_begun(self) -> bool:
        """Whether the gateway has said that from now on nothing is missed."""
        return any(line == ": ready" for _, line in self._lines)

    def event_of(self, happening: str) -> tuple[float, list[str]] | None:
        """When the notification of a happening came (`time.monotonic`), and its lines; None if it has not come."""
        lines = list(self._lines)
        for number, (moment, line) in enumerate(lines):
            if line.startswith("data: ") and _happening_of(message_of(line)) == happening:
                first = max((at for at in range(number) if not lines[at][1]), default=-1)
                return moment, [line for _, line in lines[first + 1 : number + 1]]
        return None

    def _read(self, response: HTTPResponse) -> None:
        # The end of the stream, by whichever side, is no failure here: what did not come is missed by who waits for it.
        with suppress(OSError, HTTPException, ValueError):
            for line in response:
                self._lines.append((time.monotonic(), line.decode().rstrip("\r\n")))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        # Ended first: to close what another thread reads from would wait for that.
        with suppress(OSError):
            self._socket.shutdown(SHUT_RDWR)
        self._thread.join(TIMEOUT_SECONDS)
        self._socket.close()


def message_of(line: str) -> dict[str, Any]:
    """What a line of data says."""
    message: dict[str, Any] = json.loads(line.removeprefix("data: "))
    return message


def _happening_of(message: dict[str, Any]) -> str:
    related = (message.get("notification") or {}).get("relationships", {})
    return str(((related.get("happening") or {}).get("data") or {}).get("id", ""))
