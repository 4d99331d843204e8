"""The stage of the benchmarks: the embedded stack with durable PostgreSQL, and the application in this process."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flask import Flask
from flask_migrate import upgrade

from app import create_app
from app.embedded.application import Application
from app.embedded.ports import Ports
from app.embedded.stack import EmbeddedStack
from app.models.migrating import init_migrations


@dataclass
class Stage:
    """What a benchmark works with."""

    stack: EmbeddedStack
    app: Flask
    application: Application


@contextmanager
def stage(**environ: str) -> Iterator[Stage]:
    """Start everything but Usher's own processes, migrate, and push an application context.

    Args:
        environ: more for the environment, of this process and of Usher's own.
    """
    before = dict(os.environ)
    os.environ.update(environ)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="usher-bench-") as folder,
            EmbeddedStack(Path(folder) / "data") as stack,
        ):
            os.environ.update(stack.env)
            os.environ.update(APP_ENVIRONMENT="development", RATE_LIMITS="off")
            app = create_app()
            with app.app_context():
                init_migrations(app)
                upgrade()
                yield Stage(stack, app, Application(stack, Ports(stack.data_dir).choose("bench-web"), {**os.environ}))
    finally:
        # The next stage must not take this one's servers for its own.
        os.environ.clear()
        os.environ.update(before)
