"""What the operator's probes ask: does the process live, can it work, and what does it count."""

from __future__ import annotations

import logging
from typing import Final

import redis
from flask import Response, jsonify
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.api.helpers.settings import get_config
from app.models import db
from app.models.mail import DEFERRED, FAILED, QUEUED, SCHEDULED, SENDING, UNCERTAIN

log = logging.getLogger(__name__)

# The statuses that somebody or something still has to do with.
_OPEN: Final = (SCHEDULED, QUEUED, SENDING, DEFERRED, FAILED, UNCERTAIN)
_QUEUE: Final = text(
    """
    SELECT status, count(*) AS mails, coalesce(extract(epoch FROM now() - min(time)), 0) AS oldest
    FROM mails WHERE status = ANY(:statuses) GROUP BY status
    """
)


def health() -> Response:
    """The process answers."""
    return jsonify(status="ok")


def ready() -> tuple[Response, int]:
    """Whether database and broker answer: 200, or 503 naming the one that does not."""
    checks = {"database": _database(), "broker": _broker()}
    good = all(checks.values())
    shown = {name: "ok" if up else "unreachable" for name, up in checks.items()}
    return jsonify(status="ok" if good else "unavailable", checks=shown), 200 if good else 503


def metrics() -> Response:
    """Prometheus metrics of the queue, counted from the table: the same whichever process answers."""
    registry = CollectorRegistry()
    depth = Gauge("usher_mails", "Mails in the table by status.", ["status"], registry=registry)
    oldest = Gauge("usher_mails_oldest_seconds", "Age of the oldest mail by status.", ["status"], registry=registry)
    for status in _OPEN:
        depth.labels(status).set(0)
        oldest.labels(status).set(0)
    for row in db.session.execute(_QUEUE, {"statuses": list(_OPEN)}):
        depth.labels(row.status).set(row.mails)
        oldest.labels(row.status).set(float(row.oldest))
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _database() -> bool:
    try:
        db.session.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        log.warning("Not ready: the database does not answer (%s).", type(error).__name__)
        return False
    return True


def _broker() -> bool:
    try:
        with redis.Redis.from_url(get_config().redis_url, socket_connect_timeout=1, socket_timeout=1) as client:
            client.ping()
    except (redis.RedisError, OSError) as error:
        log.warning("Not ready: the broker does not answer (%s).", type(error).__name__)
        return False
    return True
