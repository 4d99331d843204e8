"""Usher as it runs: gunicorn, a Celery worker and beat on servers of their own, spoken to over HTTP."""

from __future__ import annotations

import email
import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import psutil
import requests
from sqlalchemy import Engine, NullPool, Row, create_engine, text

from app.embedded.application import Application
from app.embedded.stack import EmbeddedStack
from tests.support.api import MEDIA_TYPE
from tests.support.processes import free_port, plain_environment, runs, wait_for

OWNER = "olivia@example.org"
PASSWORD = "correct horse battery"
TEAM = 200

_PEOPLE = """
UPDATE users SET is_admin = true, is_verified = true;
INSERT INTO users (email, is_verified) SELECT 'member' || n || '@example.org', true FROM generate_series(2, :team) AS n;
INSERT INTO events (identifier, name, starts_at, ends_at) VALUES ('small', 'Small', now(), now()),
    ('large', 'Large', now(), now());
INSERT INTO users_events_roles (user_id, event_id, role) VALUES (1, 1, 'owner'), (1, 2, 'owner');
INSERT INTO users_events_roles (user_id, event_id, role) SELECT id, 2, 'coorganizer' FROM users WHERE id > 1;
"""


@dataclass
class Usher:
    """A running Usher with an admin, who owns two events: `small` alone, `large` with a team of 200."""

    stack: EmbeddedStack
    application: Application
    http: requests.Session
    engine: Engine

    def sql(self, statement: str, **values: Any) -> list[Row[Any]]:
        with self.engine.begin() as connection:
            result = connection.execute(text(statement), values)
            return list(result) if result.returns_rows else []

    def get(self, path: str) -> Any:
        answer = self.http.get(self.application.url + path, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def write(self, method: str, path: str, type_: str, attributes: dict[str, Any], **more: Any) -> Any:
        body = {"data": {"type": type_, "attributes": attributes, **more}}
        answer = self.http.request(method, self.application.url + path, json=body, timeout=30)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def register(self, address: str) -> None:
        self.write("POST", "/v1/users", "user", {"email": address, "password": PASSWORD})

    def log_in(self) -> None:
        login = {"email": OWNER, "password": PASSWORD}
        answer = self.http.post(f"{self.application.url}/auth/session", json=login, timeout=30)
        self.http.headers["Authorization"] = f"JWT {answer.json()['access_token']}"

    def propose(self, event_id: int, title: str = "A talk") -> None:
        """Propose a session: one request that queues a mail to each of the event's team."""
        event = {"event": {"data": {"type": "event", "id": str(event_id)}}}
        self.write("POST", "/v1/sessions", "session", {"title": title}, relationships=event)

    def send_through(self, port: int) -> None:
        """Name another SMTP server in the settings, as an admin does."""
        self.set({"smtp-port": port})

    def set(self, settings: dict[str, Any]) -> None:
        """Change the settings, as an admin does."""
        self.write("PATCH", "/v1/settings/1", "setting", settings, id="1")

    def statuses(self) -> Counter[str]:
        return Counter(row.status for row in self.sql("SELECT status FROM mails"))

    def caught(self) -> list[EmailMessage]:
        """What came to the mail catcher."""
        return [_read(path) for path in sorted(self.stack.mail_dir.glob("*.eml"))]

    def wait_until_sent(self, count: int) -> None:
        self.wait_until(sent=count)

    def wait_until(self, **statuses: int) -> None:
        """Wait until so many mails have these statuses, and none another."""

        def done() -> bool:
            self.stack.check()
            return self.statuses() == statuses

        wait_for(done, f"mails with the statuses {statuses}")

    def let_leases_end(self, *claims: str) -> None:
        """Let the seconds of a lease pass: of these claims, or of all."""
        statement = "UPDATE mails SET lease_until = now() - interval '1 second' WHERE status = 'sending'"
        if claims:
            self.sql(f"{statement} AND claim = ANY(CAST(:claims AS uuid[]))", claims=list(claims))
        else:
            self.sql(statement)

    def claim_of(self, recipient: str) -> str:
        """The claim under which the mail to somebody is being sent."""
        [row] = self.sql("SELECT claim FROM mails WHERE recipient = :recipient", recipient=recipient)
        return str(row.claim)

    def claims(self) -> list[str]:
        """The claims under which mails are being sent at this moment."""
        return [str(row.claim) for row in self.sql("SELECT DISTINCT claim FROM mails WHERE status = 'sending'")]

    def sender(self, client_port: int) -> psutil.Process:
        """The process of the worker whose connection to a mail server has this port."""
        for process in psutil.Process(self.stack.pid("worker")).children():
            if any(connection.laddr.port == client_port for connection in process.net_connections()):
                return process
        raise AssertionError(f"no process of the worker has the port {client_port}")

    def kill_worker(self) -> None:
        """SIGKILL to all the worker's processes at once."""
        os.killpg(self.stack.pid("worker"), signal.SIGKILL)

    def restart_worker(self, processes: int = 1) -> None:
        """Start the worker anew, however the last one ended."""
        family = [psutil.Process(self.stack.pid("worker"))]
        family += family[0].children(recursive=True) if runs(family[0]) else []
        self.stack.stop_part("worker")
        wait_for(lambda: not any(runs(process) for process in family), "the end of the worker")
        self.application.start_worker(processes=processes)

    def begin_anew(self) -> None:
        """No mails in the tables or the catcher, and the catcher in the settings."""
        self.sql("UPDATE settings SET email_service = 'smtp', smtp_port = :port", port=self.stack.mail_port)
        wait_for(lambda: not self.claims(), "the end of every claim")
        self.sql("DELETE FROM mails")
        for path in self.stack.mail_dir.glob("*.eml"):
            path.unlink()


@contextmanager
def running_usher(data_dir: Path, **env: str) -> Iterator[Usher]:
    """Start it all, with these variables more, and end it."""
    environ = plain_environment(**{"APP_ENVIRONMENT": "testing", "RATE_LIMITS": "off"} | env)
    with EmbeddedStack(data_dir, durable=False, environ=environ) as stack, requests.Session() as http:
        application = Application(stack, free_port(), environ)
        application.migrate()
        application.start()
        http.trust_env = False  # the environment may name a proxy
        http.headers.update({"Accept": MEDIA_TYPE, "Content-Type": MEDIA_TYPE})
        usher = Usher(stack, application, http, create_engine(stack.env["DATABASE_URL"], poolclass=NullPool))
        usher.register(OWNER)
        usher.sql(_PEOPLE, team=TEAM)
        usher.log_in()
        yield usher


def _read(path: Path) -> EmailMessage:
    return email.message_from_bytes(path.read_bytes(), policy=default)
