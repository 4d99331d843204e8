"""Mail catcher: an SMTP server on loopback that keeps each message it takes as one .eml file.

Started as `python -m app.embedded.mailcatcher --port PORT --dir FOLDER`. A file begins with two lines of ours,
`X-MailFrom` and `X-RcptTo` (the envelope, RFC 5321); what follows is the message byte by byte as it was sent, its
dot-stuffing undone. The names of the files sort in the order of arrival.
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import os
import signal
import socket
import time
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from app.embedded.errors import StackError
from app.embedded.files import make_private_folder
from app.embedded.ports import LOOPBACK
from app.embedded.processes import SERVER_RANK, Child, Command
from app.embedded.servers import Server

IDLE_SECONDS = 300.0
# A limit of the disk, of the user, or of the process: for the sender they are the same.
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Keeper:
    """The handler of aiosmtpd: writes each message, and takes it only when it is written."""

    def __init__(self, folder: Path) -> None:
        make_private_folder(folder)
        self._folder = folder
        for partial in folder.glob(".*.partial"):
            partial.unlink()
        self._last = max((int(path.stem) for path in folder.glob("*.eml") if path.stem.isdigit()), default=0)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - its name
        """Keep the message; when it cannot be kept, answer so that the sender tries again later (RFC 5321, 4.2.3)."""
        try:
            name = self._keep(envelope)
        except OSError as error:
            if error.errno in DISK_FULL:
                return "452 4.3.1 Disk full, message not kept: try again later"
            return f"451 4.3.0 Message not kept ({error.strerror}): try again later"
        return f"250 2.0.0 Kept as {name}"

    def _keep(self, envelope: Envelope) -> str:
        # Nanoseconds, but never backwards: neither two in one tick nor a clock set back may disturb the order.
        self._last = max(time.time_ns(), self._last + 1)
        name = f"{self._last:020}.eml"
        partial = self._folder / f".{name}.partial"
        try:
            with partial.open("wb") as file:
                file.write(_envelope_lines(envelope))
                file.write(envelope.original_content or b"")
            partial.rename(self._folder / name)
        except OSError:
            partial.unlink(missing_ok=True)
            raise
        return name


def _envelope_lines(envelope: Envelope) -> bytes:
    values = {"X-MailFrom": envelope.mail_from or "", "X-RcptTo": ", ".join(envelope.rcpt_tos)}
    # aiosmtpd lets a carriage return pass in a quoted address; here it would begin another header.
    lines = [f"{name}: {' '.join(value.splitlines())}\r\n" for name, value in values.items()]
    return "".join(lines).encode(errors="surrogateescape")


async def serve(port: int, folder: Path) -> None:
    """Take mails on a port of the loopback address until SIGTERM or SIGINT.

    Raises:
        OSError: when the port is taken.
    """
    keeper = Keeper(folder)
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)

    def protocol() -> SMTP:
        # A host name is given, since the default asks the name server for one.
        return SMTP(keeper, hostname="localhost", ident="mail catcher", enable_SMTPUTF8=True, timeout=IDLE_SECONDS)

    server = await loop.create_server(protocol, LOOPBACK, port)
    await ended.wait()
    server.close()


def catcher_server(folder: Path, env: dict[str, str], python: str) -> Server:
    """Give what the stack needs to start a catcher that writes into the folder."""
    root = Path(__file__).resolve().parents[2]

    def command(port: int) -> Command:
        make_private_folder(folder)
        return Command(
            name="mailcatcher",
            argv=(python, "-m", "app.embedded.mailcatcher", "--port", str(port), "--dir", str(folder)),
            env=env | {"PYTHONPATH": os.pathsep.join(filter(None, [str(root), env.get("PYTHONPATH")]))},
            cwd=root,
            rank=SERVER_RANK,
        )

    return Server("mailcatcher", command, _greets)


def _greets(_child: Child, port: int) -> bool:
    try:
        with socket.create_connection((LOOPBACK, port), 1.0) as connection:
            return connection.recv(4) == b"220 "
    except OSError:
        return False


def main() -> None:
    """Run the catcher."""
    parser = argparse.ArgumentParser(description="Keep every mail sent to a port of this machine as a file.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--dir", type=Path, required=True)
    options = parser.parse_args()
    try:
        asyncio.run(serve(options.port, options.dir))
    except OSError as error:
        raise SystemExit(f"cannot take mails on {LOOPBACK}:{options.port}: {error.strerror}") from error
    except StackError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
