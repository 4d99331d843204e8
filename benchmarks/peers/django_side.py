"""What the sides of both peers share: the settings of a database from its address, and answering line by line.

Run by the interpreters of their own environments; it imports nothing of ours.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import django

Command = Callable[..., dict[str, Any]]


def database() -> dict[str, Any]:
    """The database of DATABASE_URL, as Django names its parts."""
    parts = urlsplit(os.environ["DATABASE_URL"])
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname,
        "PORT": parts.port,
    }


def answer(commands: Mapping[str, Command]) -> None:
    """Answer until stdin ends: every line is a JSON object, `{"do": NAME, …}`; its answer is one on stdout."""
    print(json.dumps({"ready": django.get_version()}), flush=True)
    for line in sys.stdin:
        values = json.loads(line)
        print(json.dumps(commands[values.pop("do")](**values)), flush=True)
