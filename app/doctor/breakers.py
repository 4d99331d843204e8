"""The circuit breakers: whether a service is left alone at this moment, and whether beat asks for sweeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import redis

from app.delivery.services.breaker import Breaker
from app.delivery.services.shared_redis import SharedRedis, connect
from app.delivery.watch.heartbeat import SWEEPS, heard
from app.doctor.findings import Finding

CHECK: Final = "breaker"
# Seconds without a sweep after which beat counts as away.
BEAT_WITHIN: Final = 60.0


def check_breakers(url: str, services: Sequence[str]) -> list[Finding]:
    """Look at the breaker of each of these services."""
    with connect(url) as client:
        phases = Breaker(SharedRedis(client)).states(services)
    found = []
    for name in services:
        phase = phases.get(name, "closed")
        if phase == "closed":
            found.append(Finding("ok", CHECK, name, "It is closed: mail goes through."))
        else:
            what = f"It is {phase}: the service has failed several times in a row, and is left alone for a while."
            advice = "See the errors below; it is tried again by itself, and at once when its settings are changed."
            found.append(Finding("warning", CHECK, name, what, advice))
    return found


def check_beat(url: str) -> list[Finding]:
    """Look for beat, by what a worker has told of the last sweep; for when a worker answers."""
    try:
        with connect(url) as client:
            seconds = min(heard(client, SWEEPS).values(), default=None)
    except (redis.RedisError, OSError):
        return []  # that the broker is away is told already
    if seconds is not None and seconds < BEAT_WITHIN:
        return [Finding("ok", "beat", "sweep", f"The last sweep was {seconds:.0f} s ago.")]
    since = "within the last hour" if seconds is None else f"for {seconds:.0f} s"
    what = f"There was no sweep {since}: mails that wait for a retry or for their time do not leave."
    advice = "Start beat, one and only one: `celery -A celery_worker.celery beat`. Or the workers have no process free."
    return [Finding("problem", "beat", "sweep", what, advice)]
