"""Logging: readable lines for people, one JSON object a line in production; never an address's mail or a secret."""

from __future__ import annotations

import logging
import sys

from app.logs_json import JsonLines
from config import Config


def configure_logging(config: Config) -> None:
    """Send the records of our own modules to standard error, once per process."""
    logger = logging.getLogger("app")
    if logger.handlers:
        return
    handler = logging.StreamHandler(sys.stderr)
    plain = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(JsonLines() if config.is_production else plain)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = config.environment == "testing"
