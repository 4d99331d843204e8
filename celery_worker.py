"""The Celery application of the worker and of beat: `celery -A celery_worker.celery worker`."""

from __future__ import annotations

import sys
from typing import Any

from celery import Celery
from celery.signals import worker_process_init, worker_process_shutdown

from app import create_app
from app.delivery.services import close_transport
from app.memory import settle
from app.models import db
from config import ConfigurationError

try:
    flask_app = create_app()
except ConfigurationError as error:
    sys.stderr.write(f"usher: {error}\n")
    raise SystemExit(1) from error
celery: Celery = flask_app.extensions["celery"]


@worker_process_init.connect
def begin_process(**_: Any) -> None:
    """A forked worker must not share its parent's database connections."""
    with flask_app.app_context():
        db.engine.dispose(close=False)
    settle()


@worker_process_shutdown.connect
def end_process(**_: Any) -> None:
    """Say goodbye to the mail server."""
    close_transport()
