"""Running stack, seen from other commands: DATA_DIR/runtime.json tells them where its servers are."""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from app.embedded.errors import StackError
from app.embedded.files import write_private
from app.embedded.lock import is_alive, is_locked


@dataclass(frozen=True)
class Runtime:
    """What a running stack tells about itself.

    Attributes:
        pid: of the process that supervises it.
        env: DATABASE_URL, REDIS_URL, SECRET_KEY and SETTINGS_KEY; secret.
        ports: of the servers on 127.0.0.1, by name: postgres, valkey, mailcatcher.
        addresses: FRONTEND_URL and REALTIME_URL, as far as the application was started.
    """

    pid: int
    mail_dir: str
    ports: dict[str, int]
    env: dict[str, str] = field(repr=False)
    addresses: dict[str, str] = field(default_factory=dict)

    def write(self, data_dir: Path) -> None:
        """Tell other commands; readable by the owner only."""
        write_private(_path(data_dir), json.dumps(asdict(self), indent=1))

    def put_into(self, environ: MutableMapping[str, str]) -> None:
        """Name these servers in an environment, and the addresses unless it has others."""
        environ.update(self.env)
        environ.update({name: url for name, url in self.addresses.items() if not environ.get(name)})


def read_runtime(data_dir: Path | str) -> Runtime:
    """Find the stack that runs on a data dir.

    Raises:
        StackError: when none does, or it is somebody else's.
    """
    folder = Path(data_dir).expanduser().absolute()
    try:
        runtime = Runtime(**json.loads(_path(folder).read_text(encoding="utf-8")))
        runs = is_alive(runtime.pid) and is_locked(folder)
    except PermissionError as error:
        raise StackError(f"cannot read {_path(folder)}: run as the user whose `manage.py dev` runs on it") from error
    except (OSError, ValueError, TypeError):
        # Not there, or not of this version of ours: either way there is nothing to use.
        runs = False
    if not runs:
        raise StackError(f"no `manage.py dev` runs on {folder}: start one")
    return runtime


def remove_runtime(data_dir: Path) -> None:
    """Forget the stack that ran."""
    _path(data_dir).unlink(missing_ok=True)


def _path(data_dir: Path) -> Path:
    return data_dir / "runtime.json"
