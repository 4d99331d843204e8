"""Ports on loopback: free ones, remembered in the data dir, so that a server keeps its port over restarts."""

from __future__ import annotations

import json
import secrets
import socket
from pathlib import Path

from app.embedded.files import write_private

LOOPBACK = "127.0.0.1"
# Between these and the system's own ports nothing is taken for the near end of a connection. Among those, a client that
# asks again and again whether a server is there already is given the server's port at last, and is connected to itself.
_LOWEST = 20_000
_SYSTEMS_OWN = Path("/proc/sys/net/ipv4/ip_local_port_range")
_SYSTEMS_OWN_BY_RFC_6335 = 49_152
_ATTEMPTS = 1000


class Ports:
    """The ports of one data dir, by the name of the server; kept in DATA_DIR/ports.json."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "ports.json"
        self._known = _read(self._path)

    def choose(self, name: str) -> int:
        """Give the port that the server had the last time if it is free, and else any free one."""
        port = self._known.get(name, 0)
        if not (port and is_free(port)):
            port = free_port()
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


def free_port(count: int = 1) -> int:
    """Any port of the loopback address that is free, as are the `count - 1` after it.

    Raises:
        OSError: none was found.
    """
    ports = range(_LOWEST, _first_of_the_system() - count)
    for _ in range(_ATTEMPTS if ports else 0):
        port = secrets.choice(ports)
        if all(is_free(port + each) for each in range(count)):
            return port
    return _port_of_the_system(count)


def _first_of_the_system() -> int:
    """The lowest port that the system gives to connections."""
    try:
        return int(_SYSTEMS_OWN.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):  # not Linux
        return _SYSTEMS_OWN_BY_RFC_6335


def _port_of_the_system(count: int) -> int:
    """What the system says is free: where it is set up to give away nearly all ports."""
    for _ in range(_ATTEMPTS):
        with socket.socket() as probe:
            probe.bind((LOOPBACK, 0))
            port: int = probe.getsockname()[1]
        if port + count <= 2**16 and all(is_free(port + each) for each in range(count)):
            return port
    raise OSError(f"no {count} free ports in a row on {LOOPBACK}")


def _read(path: Path) -> dict[str, int]:
    """Read what is remembered; what cannot be understood is forgotten, since any free port will do."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    if not isinstance(known, dict):
        return {}
    return {name: port for name, port in known.items() if isinstance(port, int) and 0 < port < 2**16}
