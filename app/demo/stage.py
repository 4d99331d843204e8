"""The stage: a whole Usher on a data dir that is thrown away, with nothing of the user's environment in the way."""

from __future__ import annotations

import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.demo.client import Client, Wire
from app.demo.database import own_database
from app.demo.failure import DemoFailure
from app.demo.mailbox import Mailbox
from app.demo.people import Login
from app.embedded.application import ROOT, Application
from app.embedded.errors import StoppedBySignal
from app.embedded.files import make_private_folder
from app.embedded.ports import free_port, is_free
from app.embedded.signals import StopSignals
from app.embedded.stack import EmbeddedStack

DEFAULT_PORT: Final = 5000
POLL_SECONDS: Final = 0.1
WAIT_SECONDS: Final = 60.0
# The links in the mails must lead to this server, and its mails must be allowed to reach the catcher.
OVERRIDDEN: Final = (
    "APP_ENVIRONMENT",
    "FRONTEND_URL",
    "MAIL_ALLOWED_RECIPIENTS",
    "MAIL_ALLOW_PRIVATE_HOSTS",
    "RATE_LIMITS",
    "REALTIME_ORIGINS",
    "REALTIME_URL",
    "TRUSTED_PROXIES",
)
ADMIN_ADDRESS: Final = "admin@example.org"


@dataclass(frozen=True)
class Stage:
    """The running application, and the mails it sends."""

    stack: EmbeddedStack
    application: Application
    mailbox: Mailbox
    admin: Login

    def visitor(self) -> Client:
        """Somebody without a token, at a connection of their own."""
        return Client(Wire(self.application.url, self.stack.check))

    def wait(self, condition: Callable[[], bool], what: str, seconds: float = WAIT_SECONDS) -> None:
        """Wait until a condition is true.

        Raises:
            DemoFailure: it did not come true in time; `what` says what should have been.
            StoppedBySignal: somebody asked the demo to end.
            StackError: a part of the application ended.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            self.stack.check()
            if time.monotonic() > deadline:
                raise DemoFailure(what, f"it within {seconds:.0f} s", f"not yet ({self.mailbox.count()} mails arrived)")
            time.sleep(POLL_SECONDS)

    def command(self, name: str, *options: str) -> str:
        """Run a command of manage.py as an operator does; give what it printed, which is kept nowhere.

        Raises:
            DemoFailure: it failed.
            StoppedBySignal: somebody asked the demo to end.
        """
        argv = [sys.executable, "manage.py", name, *options, "--data-dir", str(self.stack.data_dir)]
        env = {**self.application.environ, **self.application.env}
        try:
            ended = subprocess.run(  # noqa: S603 - our own command
                argv,
                cwd=ROOT,
                env=env,
                capture_output=True,
                text=True,
                timeout=WAIT_SECONDS,
                check=False,
                # Ctrl-C is the demo's own to answer.
                start_new_session=True,
            )
        except subprocess.TimeoutExpired:
            raise DemoFailure(f"manage.py {name}", f"its end within {WAIT_SECONDS:.0f} s", "none") from None
        self.stack.check()
        if ended.returncode:
            raise DemoFailure(f"manage.py {name}", "exit code 0", f"{ended.returncode}: {ended.stderr.strip()}")
        return ended.stdout.strip()


@contextmanager
def open_stage(port: int | None, environ: Mapping[str, str]) -> Iterator[Stage]:
    """Start everything on a fresh data dir; end and remove it all afterwards, also after a signal or an error.

    Args:
        port: where the web server listens, and the gateway on the next; None is 5000, or any free one if that is taken.
        environ: the environment, of which `OVERRIDDEN` is left out. On a server named in DATABASE_URL only a database
            of our own is used.

    Raises:
        StackError: something cannot be started.
        StoppedBySignal: a signal came meanwhile.
    """
    kept = {name: value for name, value in environ.items() if name not in OVERRIDDEN}
    with _signals() as stop, _folder() as folder, ExitStack() as exits:
        # A worker that is ended early leaves a temporary folder of its own: that goes with ours.
        kept["TMPDIR"] = str(folder / "tmp")
        make_private_folder(folder / "tmp")
        if kept.get("DATABASE_URL"):
            kept["DATABASE_URL"] = exits.enter_context(own_database(kept["DATABASE_URL"]))
        if stop.count:
            raise StoppedBySignal
        stack = exits.enter_context(EmbeddedStack(folder, handle_signals=True, environ=kept))
        application = Application(stack, port or choose_port(), kept)
        application.migrate()
        application.start()
        # It is needed late: nobody waits while it loads.
        application.launch_realtime()
        yield Stage(stack, application, Mailbox(stack.mail_dir), _make_admin(application))


def log_ends(stage: Stage, lines: int = 12) -> str:
    """The last lines of what the processes logged, for a failure: the files themselves are removed."""
    ends = []
    for name in ("web", "worker", "realtime"):
        log = (stage.stack.data_dir / "log" / f"{name}.log").read_text(encoding="utf-8", errors="replace")
        ends.append("\n".join([f"the end of {name}.log:", *(f"  {line}" for line in log.splitlines()[-lines:])]))
    return "\n".join(ends)


@contextmanager
def _signals() -> Iterator[StopSignals]:
    """Only count signals while the stack does not: one that comes early or late must not leave the folder behind."""
    stop = StopSignals()
    stop.install()
    try:
        yield stop
    finally:
        stop.restore()


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="usher-demo-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def choose_port() -> int:
    """A port that is free and whose next is free too."""
    return DEFAULT_PORT if is_free(DEFAULT_PORT) and is_free(DEFAULT_PORT + 1) else free_port(2)


def _make_admin(application: Application) -> Login:
    """The one account that is not made over HTTP: an operator makes it with a command."""
    login = Login(ADMIN_ADDRESS, secrets.token_urlsafe(9))
    command = [sys.executable, "manage.py", "create-admin", login.email]
    command += ["--data-dir", str(application.stack.data_dir)]
    env = {**application.env, "USHER_ADMIN_PASSWORD": login.password}
    application.stack.run("create-admin", command, env=env, cwd=ROOT)
    return login
