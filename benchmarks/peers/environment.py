"""The peers' virtual environments: of their own, so that Django and its friends never become requirements of ours.

Each is made once, in the user's cache folder, from pinned versions and the user's own package index.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

# What was the newest when this was written, for every Python that we run on; psycopg2 and gunicorn are of our versions.
_DJANGO: Final = ("Django==5.2.19", "asgiref==3.13.0", "psycopg2-binary==2.9.13", "sqlparse==0.6.1")
POST_OFFICE: Final = (*_DJANGO, "django-post-office==3.12.0", "nh3==0.3.8")
NOTIFICATIONS: Final = (
    *_DJANGO,
    "django-notifications-community==1.12.3",
    "gunicorn==27.0.1",
    "packaging==26.3",
)
# A file in the folder that says that the installation came to its end.
_COMPLETE: Final = "complete"


class PeerError(RuntimeError):
    """The peer cannot be had, or has failed; the message says what to do."""


def folder(pins: tuple[str, ...]) -> Path:
    """Where the environment of these packages is: other pins or another Python make another one."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    mark = hashlib.sha256("\n".join((sys.version, *pins)).encode()).hexdigest()[:12]
    return cache / "usher-benchmarks" / f"peers-{mark}"


def peer_python(pins: tuple[str, ...]) -> Path:
    """The interpreter of the environment of these packages, which is made first if it is not there.

    Raises:
        PeerError: a package could not be installed.
    """
    place = folder(pins)
    python = place / "bin" / "python"
    if (place / _COMPLETE).exists() and python.exists():
        return python
    print(f"  making the peer's virtual environment in {place} …", flush=True)
    _run([sys.executable, "-m", "venv", "--clear", str(place)])
    for pin in pins:
        print(f"  installing {pin} …", flush=True)
        _run([str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check", pin])
    (place / _COMPLETE).touch()
    return python


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.startswith("ERROR")]
        raise PeerError(
            f"{' '.join(command[1:])} failed: {lines[-1] if lines else 'no reason was given'}\n"
            "The benchmarks against a peer install it with pip: they need a network, or a package index on this "
            "machine that pip is configured for (PIP_INDEX_URL). All other benchmarks run without."
        )
