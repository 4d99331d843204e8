"""Ports on loopback: free ones, remembered in the data dir, so that a server keeps its port over restarts."""

from __future__ import annotations

import json
import socket
from pathlib import Path

from app.embedded.files import write_private

LOOPBACK = "127.0.0.1"


class Ports:
    """The ports of one data dir, by the name of the server; kept in DATA_DIR/ports.json."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "ports.json"
        self._known = _read(self._path)

    def choose(self, name: str) -> int:
        """Give the port that the server had the last time if it is free, and else any free one."""
        port = self._known.get(name, 0)
        if not (port and is_free(port)):
            port = _any_free_port()
            self._known[name] = port
            write_private(self._path, json.dumps(self._known))
        return port


def is_free(port: int) -> bool:
    """Whether a server could listen on the port of the loopback address now."""
    with socket.socket() as probe:
        # As servers do: a port whose last connections are only waiting to be forgotten is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _any_free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port


def _read(path: Path) -> dict[str, int]:
    """Read what is remembered; what cannot be understood is forgotten, since any free port will do."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    if not isinstance(known, dict):
        return {}
    return {name: port for name, port in known.items() if isinstance(port, int) and 0 < port < 2**16}
