"""What the operator's probes ask: does the process live, and can it, with all that it needs, do its work."""

from __future__ import annotations

import logging
from typing import Final

import redis
from flask import Response, jsonify
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.api.helpers.settings import get_config
from app.delivery.watch.heartbeat import HEARD_WITHIN, WORKERS, heard
from app.models import db

log = logging.getLogger(__name__)

OK: Final = "ok"


def health() -> Response:
    """The process answers."""
    return jsonify(status=OK)


def ready() -> tuple[Response, int]:
    """Whether database and broker answer and a worker was heard from: 200, or 503 naming what is missing."""
    broker, worker = _broker_and_worker()
    checks = {"database": _database(), "broker": broker, "worker": worker}
    is_good = all(found == OK for found in checks.values())
    return jsonify(status=OK if is_good else "unavailable", checks=checks), 200 if is_good else 503


def _database() -> str:
    try:
        db.session.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        log.warning("Not ready: the database does not answer (%s).", type(error).__name__)
        return "unreachable"
    return OK


def _broker_and_worker() -> tuple[str, str]:
    """Both are asked at the broker: without it nobody knows of a worker."""
    try:
        with open_redis() as client:
            workers = heard(client, WORKERS)
    except (redis.RedisError, OSError) as error:
        log.warning("Not ready: the broker does not answer (%s).", type(error).__name__)
        return "unreachable", "unknown"
    if min(workers.values(), default=HEARD_WITHIN) < HEARD_WITHIN:
        return OK, OK
    # No warning: while everything starts, the web server is there before the worker, and is asked.
    log.debug("Not ready: no worker was heard from in %.0f s.", HEARD_WITHIN)
    return OK, "not heard from"


def open_redis() -> redis.Redis:
    """The broker, for one request: it is to answer within a second."""
    options = {"socket_connect_timeout": 1, "socket_timeout": 1, "decode_responses": True}
    client: redis.Redis = redis.Redis.from_url(get_config().redis_url, **options)
    return client
