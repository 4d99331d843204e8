"""Beat as it is configured, only that it looks at the clock every second: `celery -A tests.support.quick_beat beat`."""

from __future__ import annotations

from celery_worker import celery

celery.conf.beat_schedule["periodic"]["schedule"] = 1.0
celery.conf.beat_max_loop_interval = 1.0
