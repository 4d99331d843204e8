"""Server: what the stack needs to know of PostgreSQL, Valkey or the mail catcher to start it and wait for it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from app.embedded.processes import Child, Command


@dataclass(frozen=True)
class Server:
    """A server on loopback.

    Attributes:
        command: gives the command that starts it on a port.
        is_ready: whether the started process serves on the port; asked again and again, and never waits long.
    """

    name: str
    command: Callable[[int], Command]
    is_ready: Callable[[Child, int], bool]


def plain_environment() -> dict[str, str]:
    """Give the little of the environment that a server may see: nothing that sets it up otherwise than we do."""
    kept = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"LC_ALL": "C"}
