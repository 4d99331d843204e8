"""The circuit breakers of the mail services, as the API shows and closes them."""

from __future__ import annotations

from typing import Final

from flask import request

from app.api.helpers.settings import get_config
from app.delivery.services.failover import counters

# Where a request keeps what it has read.
_READ: Final = "usher.service_states"
# A service that nothing was ever told of.
_UNKNOWN: Final = ""


def state_of(service: str) -> str | None:
    """`closed`, `open` or `half-open`; None while Redis is away. Redis is asked once in a request, for all services."""
    if _READ not in request.environ:
        request.environ[_READ] = counters(get_config().redis_url).breaker.states([_UNKNOWN])
    states: dict[str, str] = request.environ[_READ]
    return states.get(service, states.get(_UNKNOWN))


def close_breaker(*services: str) -> None:
    """Let these services be tried again at once: their settings have changed."""
    breaker = counters(get_config().redis_url).breaker
    for service in services:
        breaker.reset(service)
    request.environ.pop(_READ, None)
