"""Logging: readable lines for people, one JSON object a line in production; never an address, a mail or a secret."""

from __future__ import annotations

import logging
import sys
from typing import Any

from celery.signals import setup_logging

from app.logs_json import JsonLines, PlainLines
from config import Config


def configure_logging(config: Config) -> None:
    """Send the records of our own modules to standard error, once per process; in production those of others too."""
    logger = logging.getLogger("app")
    if logger.handlers:
        return
    handler = make_handler(config)
    logger.addHandler(handler)
    logger.setLevel(config.log_level)
    logger.propagate = config.environment == "testing"
    if config.is_production:
        _take_over(handler)


def make_handler(config: Config) -> logging.Handler:
    """Standard error, with lines as the environment wants them."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if config.is_production else PlainLines())
    return handler


def _take_over(handler: logging.Handler) -> None:
    """Have the libraries, and Celery's worker and beat, write as we do: a log of two formats can be read by nobody."""

    def configure_celery(loglevel: int, **_: Any) -> None:
        logging.getLogger("celery").setLevel(loglevel)

    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    # With a receiver, Celery leaves the handlers alone.
    setup_logging.connect(configure_celery, weak=False)
