"""Timing requests over one kept connection."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping
from typing import Any

MEDIA_TYPE = "application/vnd.api+json"
# gunicorn ends a connection that was idle for two seconds.
KEPT_SECONDS = 1.0


class Client:
    """One kept HTTP connection, with a token."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._used_at = 0.0
        self._headers = {"Authorization": f"JWT {token}", "Accept": MEDIA_TYPE, "Content-Type": MEDIA_TYPE}

    def time(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> float:
        """Milliseconds from sending the request to having read the answer.

        Raises:
            RuntimeError: the answer is an error.
        """
        payload = None if body is None else json.dumps(body)
        if time.perf_counter() - self._used_at > KEPT_SECONDS:
            self._connection.close()
            self._connection.connect()
        begun = time.perf_counter()
        self._connection.request(method, path, payload, self._headers)
        answer = self._connection.getresponse()
        text = answer.read()
        self._used_at = time.perf_counter()
        if answer.status >= 400:  # noqa: PLR2004 - client and server errors
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:300]!r}")
        return 1000 * (self._used_at - begun)
