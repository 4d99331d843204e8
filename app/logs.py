"""Logging: readable lines for people, one JSON object a line in production; never an address's mail or a secret."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from config import Config


class JsonFormatter(logging.Formatter):
    """One JSON object a line, with the time in UTC (RFC 3339)."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON."""
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def configure_logging(config: Config) -> None:
    """Send the records of our own modules to standard error, once per process."""
    logger = logging.getLogger("app")
    if logger.handlers:
        return
    handler = logging.StreamHandler(sys.stderr)
    plain = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(JsonFormatter() if config.is_production else plain)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = config.environment == "testing"
