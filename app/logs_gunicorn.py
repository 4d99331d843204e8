"""gunicorn's log: in production JSON like ours; the access log, if it is asked for, without addresses' queries."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from gunicorn.glogging import Logger  # type: ignore[import-untyped]  # there are no types of it

from app.logs_json import JsonLines


class Lines(Logger):  # type: ignore[misc]  # as above
    """What `gunicorn.conf.py` names as its `logger_class`."""

    def setup(self, cfg: Any) -> None:
        """Make the handlers as gunicorn does, and change what they write."""
        super().setup(cfg)
        if os.environ.get("APP_ENVIRONMENT") == "production":
            for handler in (*self.error_log.handlers, *self.access_log.handlers):
                handler.setFormatter(JsonLines())

    def access(self, resp: Any, _req: Any, environ: dict[str, Any], request_time: timedelta) -> None:
        """A line for a request: a query may hold the token of a link, and so may the address of the page before it."""
        if not self.access_log_enabled:
            return
        status = str(resp.status).partition(" ")[0]
        seconds = round(request_time.total_seconds(), 6)
        self.access_log.info(
            *("%s %s %s %.3f s", environ.get("REQUEST_METHOD"), environ.get("PATH_INFO"), status, seconds),
            extra={"status": status, "seconds": seconds},
        )
