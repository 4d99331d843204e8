"""The application on the embedded stack: migrated, then web, worker and beat; `dev`, the demo and tests start it."""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Final

import psycopg2

from app.embedded.errors import StackError
from app.embedded.ports import LOOPBACK, is_free
from app.embedded.stack import EmbeddedStack

ROOT: Final = Path(__file__).resolve().parents[2]
BIN: Final = Path(sys.executable).parent

# The server is on this machine: a proxy that the user's environment names cannot reach it.
_DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))

# Mail of an installation that nobody has set up yet goes to the catcher; what an admin has set stays.
_USE_CATCHER: Final = """
UPDATE settings SET smtp_host = %(host)s, smtp_port = %(port)s, smtp_encryption = 'none'
WHERE id = 1 AND (smtp_host IS NULL OR (smtp_host = %(host)s AND smtp_port = %(before)s))
"""


@dataclass(frozen=True)
class Application:
    """Usher's own processes on a stack that runs."""

    stack: EmbeddedStack
    port: int
    environ: Mapping[str, str]

    @property
    def url(self) -> str:
        """Where the web server listens."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def realtime_url(self) -> str:
        """Where the realtime gateway listens, if it is started: on the next port."""
        return f"http://{LOOPBACK}:{self.port + 1}"

    @property
    def env(self) -> dict[str, str]:
        """What the processes get beyond the stack's own environment."""
        return {
            "APP_ENVIRONMENT": self.environ.get("APP_ENVIRONMENT", "development"),
            "FRONTEND_URL": self.environ.get("FRONTEND_URL", self.url),
            "REALTIME_URL": self.environ.get("REALTIME_URL", self.realtime_url),
            # The mail catcher is on this host, which outside development would be forbidden.
            "MAIL_ALLOW_PRIVATE_HOSTS": self.environ.get("MAIL_ALLOW_PRIVATE_HOSTS", "true"),
            "PYTHONUNBUFFERED": "1",
        }

    def migrate(self, catcher_port_before: int = 0) -> None:
        """Bring the database to the newest schema, and send mail to the catcher unless settings say otherwise."""
        self.stack.run("migrate", [sys.executable, "manage.py", "db", "upgrade"], env=self.env, cwd=ROOT)
        url = self.stack.env["DATABASE_URL"].replace("postgresql+psycopg2://", "postgresql://")
        values = {"host": LOOPBACK, "port": self.stack.mail_port, "before": catcher_port_before}
        with psycopg2.connect(url) as connection, connection.cursor() as cursor:
            cursor.execute(_USE_CATCHER, values)
        connection.close()

    def start(self) -> None:
        """Start web, and when it is ready worker and beat: they take as long to load, and nobody waits for them.

        Raises:
            StackError: the port is taken, or a process ended.
        """
        _require_free(self.port)
        self.start_web()
        # Links in the mails of commands lead here too.
        self.stack.announce({"FRONTEND_URL": self.env["FRONTEND_URL"]})
        self.stack.wait_until(self.is_ready, "the web server")
        self.start_worker()
        self.start_beat()

    def start_web(self, name: str = "web", env: Mapping[str, str] | None = None) -> None:
        """Start the web server, with more in its environment if that is given; see `is_ready`."""
        bind = f"{LOOPBACK}:{self.port}"
        options = ["--bind", bind, "--preload", "--workers", "2", "--threads", "4", "--graceful-timeout", "5"]
        # Its control socket would be in the user's home, one for all stacks.
        self._add(name, [str(BIN / "gunicorn"), "manage:app", "--no-control-socket", *options], env)

    def start_worker(self, name: str = "worker", processes: int = 1) -> None:
        """Start a Celery worker; one process by default, so that a killed worker doubles one mail at most."""
        options = ["--concurrency", str(processes), "--loglevel", "WARNING", "--without-gossip", "--without-mingle"]
        celery = [str(BIN / "celery"), "-A", "celery_worker.celery", "worker", "--hostname", f"{name}@usher"]
        self._add(name, [*celery, *options])

    def start_beat(self) -> None:
        """Start the process that asks for sweeps."""
        self._add("beat", [str(BIN / "celery"), "-A", "celery_worker.celery", "beat", "--loglevel", "WARNING"])

    def start_realtime(self) -> None:
        """Start the realtime gateway, and wait until it hears Redis.

        Raises:
            StackError: its port is taken, or the process ended.
        """
        self.launch_realtime()
        self.await_realtime()

    def launch_realtime(self) -> None:
        """Start the realtime gateway, without waiting for it; a StackError if its port is taken."""
        _require_free(self.port + 1)
        command = [sys.executable, "-m", "app.realtime", "--host", LOOPBACK, "--port", str(self.port + 1)]
        self._add("realtime", command)
        self.stack.announce({"REALTIME_URL": self.env["REALTIME_URL"]})

    def await_realtime(self) -> None:
        """Wait until the gateway that was launched hears Redis; a StackError if it does not."""
        self.stack.wait_until(lambda: self._checks(self.realtime_url).get("broker") == "ok", "the realtime gateway")

    def is_ready(self) -> bool:
        """Whether the web server answers and reaches database and broker; the worker is not waited for."""
        checks = self._checks(self.url)
        return all(checks.get(part) == "ok" for part in ("database", "broker"))

    def _checks(self, url: str) -> dict[str, str]:
        """What `/ready` has found, also if something is missing; nothing, if it does not answer."""
        try:
            with _DIRECT.open(f"{url}/ready", timeout=5) as answer:
                document = json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                document = json.load(error)
        except (OSError, HTTPException, ValueError):  # nobody, or something else, answers there
            return {}
        checks: dict[str, str] = document.get("checks", {})
        return checks

    def _add(self, name: str, argv: list[str], env: Mapping[str, str] | None = None) -> None:
        self.stack.add(name, argv, env={**self.env, **(env or {})}, cwd=ROOT)


def _require_free(port: int) -> None:
    if not is_free(port):
        raise StackError(f"port {port} is in use: stop what listens there, or choose another with --port")
