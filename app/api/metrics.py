"""Prometheus metrics: of the mails as the table has them, and of the workers as they told Redis; see operations.md.

They are the same whichever process answers. What cannot be asked is left out, and `usher_up` says which part is away.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from itertools import accumulate, product
from typing import Final

import redis
from flask import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.api.health import open_redis
from app.api.mail_totals import CHANNEL_TOTALS, TOTALS
from app.delivery.channels.drain import breaker_name
from app.delivery.services.breaker import Breaker
from app.delivery.services.shared_redis import SharedRedis
from app.delivery.watch.heartbeat import HEARD_WITHIN, SWEEPS, WORKERS, heard
from app.delivery.watch.telemetry import BUCKETS, Totals, read_totals
from app.models import db
from app.models.base import one_of
from app.models.channel import CHANNEL_STATUSES, TEXT_CHANNELS
from app.models.mail import BULK, MAIL_STATUSES, TRANSACTIONAL, WAITING

log = logging.getLogger(__name__)

# Seconds for each statement: a table that has become too large to be counted is no reason for a request that hangs.
_PATIENCE: Final = text("SET LOCAL statement_timeout = '3s'")
# By an index that has all of it.
_QUEUE: Final = text(
    f"""
    SELECT lane, count(*) AS mails, extract(epoch FROM now() - min(next_attempt_at)) AS oldest
    FROM mails WHERE {one_of("status", WAITING)} AND next_attempt_at <= now() GROUP BY lane
    """  # noqa: S608 - of our own words
)
_SUPPRESSIONS: Final = text("SELECT count(*) FROM suppressions")
_SERVICES: Final = text(
    "SELECT email_service FROM settings WHERE email_service <> 'disable'"
    " UNION ALL SELECT name FROM mail_services WHERE is_enabled"
)
_CHANNEL_SERVICES: Final = text("SELECT name FROM channel_services WHERE is_enabled")
_LANES: Final = {TRANSACTIONAL: "transactional", BULK: "bulk"}
_PHASES: Final = {"closed": 0, "half-open": 1, "open": 2}


class _Families(Collector):
    """What was found, as the library wants it."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Sequence[Metric]:
        return self._families


def metrics() -> Response:
    """All of them, in Prometheus's text format."""
    up = GaugeMetricFamily("usher_up", "Whether a part answers (1) or not (0).", labels=["part"])
    services, families = _of_the_table(up)
    registry = CollectorRegistry()
    registry.register(_Families([up, *families, *_of_redis(up, services)]))
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _of_the_table(up: GaugeMetricFamily) -> tuple[list[str], list[Metric]]:
    """The names of the services, and what the database knows."""
    try:
        db.session.execute(_PATIENCE)
        services = list(db.session.scalars(_SERVICES))
        services += map(breaker_name, db.session.scalars(_CHANNEL_SERVICES))
        families = [_mails(), *_queue(), _channel_messages(), _suppressions()]
    except SQLAlchemyError as error:
        db.session.rollback()
        log.warning("There are no metrics of the table: it could not be counted (%s).", type(error).__name__)
        up.add_metric(["database"], 0)
        return [], []
    up.add_metric(["database"], 1)
    return services, families


def _mails() -> Metric:
    family = GaugeMetricFamily(
        "usher_mails", "Mails by status, those included whose rows retention has deleted.", labels=["status"]
    )
    found = {row.status: row.mails for row in db.session.execute(TOTALS)}
    for status in MAIL_STATUSES:
        family.add_metric([status], found.get(status, 0))
    return family


def _queue() -> Iterator[Metric]:
    depth = GaugeMetricFamily("usher_queue_mails", "Mails that are due and wait, by lane.", labels=["lane"])
    oldest = GaugeMetricFamily(
        "usher_queue_oldest_seconds", "How long the mail has been due that waits the longest, by lane.", labels=["lane"]
    )
    found = {row.lane: row for row in db.session.execute(_QUEUE)}
    for lane, name in _LANES.items():
        depth.add_metric([name], found[lane].mails if lane in found else 0)
        oldest.add_metric([name], float(found[lane].oldest) if lane in found else 0.0)
    yield depth
    yield oldest


def _channel_messages() -> Metric:
    family = GaugeMetricFamily(
        "usher_channel_messages", "SMS and chat messages in the table, by status.", labels=["channel", "status"]
    )
    found = {(row.channel, row.status): row.messages for row in db.session.execute(CHANNEL_TOTALS)}
    for channel, status in product(TEXT_CHANNELS, CHANNEL_STATUSES):
        family.add_metric([channel, status], found.get((channel, status), 0))
    return family


def _suppressions() -> Metric:
    count = db.session.execute(_SUPPRESSIONS).scalar_one()
    return GaugeMetricFamily("usher_suppressions", "Addresses that get no mail.", value=count)


def _of_redis(up: GaugeMetricFamily, services: Sequence[str]) -> list[Metric]:
    """What the workers have told."""
    try:
        with open_redis() as client:
            workers, sweeps = heard(client, WORKERS), heard(client, SWEEPS)
            totals = read_totals(client)
            phases = Breaker(SharedRedis(client)).states(services)
    except (redis.RedisError, OSError) as error:
        log.warning("There are no metrics of the workers: Redis does not answer (%s).", type(error).__name__)
        up.add_metric(["broker"], 0)
        return []
    up.add_metric(["broker"], 1)
    up.add_metric(["worker"], int(min(workers.values(), default=HEARD_WITHIN) < HEARD_WITHIN))
    breakers = _by_label("usher_breaker_state", "Circuit breaker: 0 closed, 1 half-open, 2 open.", "service")
    for service, phase in sorted(phases.items()):
        breakers.add_metric([service], _PHASES[phase])
    return [breakers, *_signs(workers, sweeps), *_sends(totals)]


def _by_label(name: str, what: str, label: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, what, labels=[label])


def _signs(workers: dict[str, float], sweeps: dict[str, float]) -> Iterator[Metric]:
    family = _by_label("usher_worker_heard_seconds", "How long ago a worker was heard from.", "worker")
    for name, seconds in sorted(workers.items()):
        family.add_metric([name], seconds)
    yield family
    for seconds in sweeps.values():
        yield GaugeMetricFamily("usher_sweep_heard_seconds", "How long ago a sweep was carried out.", value=seconds)


def _sends(totals: Totals) -> Iterator[Metric]:
    sends = CounterMetricFamily(
        "usher_mail_sends", "Mails by the service and the status that a send ended with.", labels=["service", "outcome"]
    )
    for (service, status), count in sorted(totals.sends.items()):
        sends.add_metric([service, status], count)
    yield sends
    errors = CounterMetricFamily(
        "usher_mail_errors", "Tries that failed, by service and class of the error.", labels=["service", "error_class"]
    )
    for (service, error_class), count in sorted(totals.errors.items()):
        errors.add_metric([service, error_class], count)
    yield errors
    limits = [*(str(limit) for limit in BUCKETS), "+Inf"]
    yield HistogramMetricFamily(
        "usher_mail_handover_seconds",
        "From when a mail was due (mostly the commit) to its first hand-over to a transport.",
        buckets=list(zip(limits, accumulate(totals.handovers), strict=True)),
        sum_value=totals.seconds,
    )
