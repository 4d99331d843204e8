"""Embedded stack: everything Usher needs to run, in one data dir and one `with` statement.

`manage.py dev`, `manage.py demo` and the tests use it. Enter it in a thread that lives as long as the stack.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from app.embedded.errors import PartEnded, StoppedBySignal
from app.embedded.files import make_private_folder
from app.embedded.keys import Keys, load_keys
from app.embedded.lock import DataDirLock
from app.embedded.mailcatcher import catcher_server
from app.embedded.ports import Ports, is_free
from app.embedded.postgres import Cluster
from app.embedded.processes import Child, Command, Supervisor
from app.embedded.runtime import Runtime, remove_runtime
from app.embedded.servers import Server
from app.embedded.signals import StopSignals
from app.embedded.valkey import Valkey

START_SECONDS = 120.0
PORT_ATTEMPTS = 3
LOOK_SECONDS = 0.1


class EmbeddedStack:
    """PostgreSQL, Valkey and a mail catcher, and whatever else is added, started and ended as one.

    PostgreSQL is left out when the environment names one in DATABASE_URL, Valkey when it names one in REDIS_URL.

    Attributes:
        data_dir: where everything is kept; made (0700) when it is not there.
        env: DATABASE_URL, REDIS_URL, SECRET_KEY and SETTINGS_KEY; what the environment sets is taken from there.
        mail_dir: where the catcher keeps each message, one .eml file each.
        mail_port: where it listens, on 127.0.0.1.
    """

    env: dict[str, str]
    mail_port: int

    def __init__(
        self,
        data_dir: Path | str,
        *,
        durable: bool = True,
        handle_signals: bool = False,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Say what to start; nothing starts before `with`.

        Args:
            data_dir: absolute or relative; may be long and may hold spaces.
            durable: off for tests: faster, and a crash of the machine may lose the data.
            handle_signals: take over SIGINT, SIGTERM and SIGHUP while the stack runs: `wait` returns, and every other
                method that waits or starts something raises StoppedBySignal. Without, they are the caller's.
            environ: the environment to look in, by default that of this process.
        """
        self.data_dir = Path(data_dir).expanduser().absolute()
        self.mail_dir = self.data_dir / "mail"
        self._durable = durable
        self._handle_signals = handle_signals
        self._environ = dict(os.environ if environ is None else environ)
        self._stop = StopSignals()
        self._lock = DataDirLock(self.data_dir)
        self._servers: dict[str, Server] = {}
        self._ports: dict[str, int] = {}
        self._addresses: dict[str, str] = {}

    def __enter__(self) -> Self:
        """Start the servers and wait until each serves.

        Raises:
            StackError: when one cannot be started; one line that says why.
            StoppedBySignal: when a signal came meanwhile.
        """
        if self._handle_signals:
            self._stop.install()
        try:
            self._lock.acquire()
            make_private_folder(self.data_dir / "log")
            self._supervisor = Supervisor(self.data_dir / "log", self._lock.fileno(), self._stop)
            self._start_servers()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """End everything that was started, the servers last."""
        self._end()

    def _end(self) -> None:
        try:
            if hasattr(self, "_supervisor"):
                self._supervisor.stop()
                remove_runtime(self.data_dir)
        finally:
            self._lock.release()
            self._stop.restore()

    def _start_servers(self) -> None:
        keys = load_keys(self.data_dir)
        self._known_ports = Ports(self.data_dir)
        environ = {name: value for name, value in self._environ.items() if value}
        self._launch(catcher_server(self.mail_dir, self._environ, sys.executable))
        valkey = Valkey(self.data_dir, keys.valkey_password, self._durable)
        cluster = Cluster(self.data_dir, keys.postgres_password, self._durable)
        # All start before any is waited for: the slowest alone decides how long it takes.
        if "REDIS_URL" not in environ:
            self._launch(valkey.server())
        if "DATABASE_URL" not in environ:
            cluster.prepare(self._supervisor)
            self._launch(cluster.server())
        for name in self._servers:
            self._await(name)
        self.mail_port = self._ports["mailcatcher"]
        self.env = self._make_env(environ, keys, cluster, valkey)
        self.announce({})

    def announce(self, addresses: Mapping[str, str]) -> None:
        """Tell other commands where the application is found, besides the servers."""
        self._addresses.update(addresses)
        runtime = Runtime(os.getpid(), str(self.mail_dir), self._ports, self.env, self._addresses)
        runtime.write(self.data_dir)

    def _make_env(self, environ: dict[str, str], keys: Keys, cluster: Cluster, valkey: Valkey) -> dict[str, str]:
        return {
            "DATABASE_URL": environ.get("DATABASE_URL") or cluster.url(self._ports["postgres"]),
            "REDIS_URL": environ.get("REDIS_URL") or valkey.url(self._ports["valkey"]),
            "SECRET_KEY": environ.get("SECRET_KEY", keys.secret_key),
            "SETTINGS_KEY": environ.get("SETTINGS_KEY", keys.settings_key),
        }

    def _launch(self, server: Server) -> None:
        self._servers[server.name] = server
        self._ports[server.name] = self._known_ports.choose(server.name)
        self._supervisor.start(server.command(self._ports[server.name]))

    def _await(self, name: str) -> None:
        """Wait for a server; when another program was faster to take a port, start anew on another one."""
        for attempt in range(1, PORT_ATTEMPTS + 1):
            try:
                self.wait_until(lambda: self._is_ready(name), f"the start of {name}", START_SECONDS)
            except PartEnded as ended:
                if attempt == PORT_ATTEMPTS or ended.name not in self._ports or is_free(self._ports[ended.name]):
                    raise
                self._supervisor.stop_one(ended.name)
                self._launch(self._servers[ended.name])
            else:
                return

    def _is_ready(self, name: str) -> bool:
        return self._servers[name].is_ready(self._supervisor.child(name), self._ports[name])

    def add(
        self,
        name: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | str | None = None,
        echo: bool = False,
    ) -> Child:
        """Start a further process, such as the web server; its end ends the stack.

        Its environment is ours, with `self.env` and then `env` over it. Its output goes to DATA_DIR/log/NAME.log and,
        with `echo`, to the terminal too while the stack waits. It is ended by SIGTERM, before the servers.

        Raises:
            StackError: when there is no such program.
            StoppedBySignal: when a signal came before.
        """
        return self._supervisor.start(self._command(name, argv, env, cwd, echo=echo))

    def run(
        self,
        name: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | str | None = None,
    ) -> None:
        """Run a command to its end, such as the migrations, in the environment that `add` gives.

        Raises:
            StackError: when it fails, with the end of its log.
            StoppedBySignal: when a signal came; the command is ended first.
        """
        self._supervisor.run(self._command(name, argv, env, cwd, echo=False))

    def _command(
        self, name: str, argv: Sequence[str], env: Mapping[str, str] | None, cwd: Path | str | None, *, echo: bool
    ) -> Command:
        return Command(
            name=name,
            argv=tuple(argv),
            env={**self._environ, **self.env, **(env or {})},
            cwd=Path(cwd or Path.cwd()),
            echo=echo,
        )

    def pid(self, name: str) -> int:
        """Give the process id of a running part; KeyError when there is none of that name."""
        return self._supervisor.child(name).pid

    def stop_part(self, name: str) -> None:
        """End one part and go on without it; KeyError when there is none of that name."""
        self._supervisor.stop_one(name)

    def start_server(self, name: str) -> None:
        """Start `postgres`, `valkey` or `mailcatcher` again after `stop_part`, on the same port, and wait for it.

        Raises:
            StackError: when it cannot be started.
        """
        self._supervisor.start(self._servers[name].command(self._ports[name]))
        self.wait_until(lambda: self._is_ready(name), f"the start of {name}", START_SECONDS)

    def wait_until(self, condition: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
        """Wait until a condition is true, such as the web server answering.

        Raises:
            StackError: when it does not come true in time (`what` says what was waited for), or a part ended.
            StoppedBySignal: when a signal came.
        """
        self._supervisor.wait_until(condition, what, seconds)

    def check(self) -> None:
        """Do nothing while all is well: for long work between two calls that wait.

        Raises:
            StoppedBySignal: when a signal came.
            StackError: when a part ended.
        """
        self._supervisor.check()

    def wait(self) -> int:
        """Wait until a signal comes or a part ends; the caller then leaves the `with` block, which ends the rest.

        Returns:
            The exit code: 0 after a signal, 1 after a part ended, whose name and log are on stderr then.
        """
        while True:
            try:
                self.check()
            except StoppedBySignal:
                return 0
            except PartEnded as error:
                sys.stderr.write(f"{error}\n")
                return 1
            time.sleep(LOOK_SECONDS)
