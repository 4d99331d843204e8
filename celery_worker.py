"""The Celery application of the worker and of beat: `celery -A celery_worker.celery worker`."""

from __future__ import annotations

import sys
from typing import Any

from celery import Celery
from celery.signals import heartbeat_sent, worker_process_init, worker_process_shutdown, worker_shutdown

from app import create_app
from app.delivery.services.registry import close_transport
from app.delivery.services.shared_redis import shared_redis
from app.delivery.watch.heartbeat import WORKERS, leave, note
from app.memory import settle
from app.models import db
from app.realtime.publisher import FAREWELL, wait_for_publishing
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
    """Say goodbye to the mail server, and tell open pages what is still to be told."""
    close_transport()
    wait_for_publishing(FAREWELL)


@heartbeat_sent.connect
def show_life(sender: Any, **_: Any) -> None:
    """A worker that is connected shows every two seconds that it lives, also while its processes are busy."""
    note(shared_redis(flask_app.config["USHER"].redis_url), WORKERS, sender.eventer.hostname)


@worker_shutdown.connect
def end_worker(sender: Any, **_: Any) -> None:
    """A worker that ends as it should is not waited for."""
    leave(shared_redis(flask_app.config["USHER"].redis_url), WORKERS, sender.hostname)
