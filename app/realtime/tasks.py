"""The Celery task of the realtime part."""

from __future__ import annotations

import logging

import redis
from celery import shared_task
from flask import current_app

from app.models import db
from app.realtime.publisher import connect
from app.realtime.revocations import ended_lately
from app.realtime.telling import tell_versions

log = logging.getLogger(__name__)


@shared_task(name="usher.realtime.revocations")
def tell_revocations() -> None:
    """Repeat which tokens were ended in the last day: a Redis that was started again has forgotten it."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        ended = ended_lately(connection)
    if not ended:
        return
    try:
        tell_versions(connect(current_app.config["USHER"].redis_url), ended, aloud=False)
    except (redis.RedisError, OSError) as error:
        log.warning("The gateways could not be told of ended tokens (%s).", type(error).__name__)
