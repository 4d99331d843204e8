"""Beat in a hurry: `celery -A benchmarks.chaos.quick_beat beat` asks for a sweep twice a second, and for nothing else.

How long anything waits for a sweep is no part of what the chaos measures; production asks every five seconds.
"""

from __future__ import annotations

from celery_worker import celery

SECONDS = 0.5
celery.conf.beat_schedule = {"sweep": {**celery.conf.beat_schedule["sweep"], "schedule": SECONDS}}
celery.conf.beat_max_loop_interval = SECONDS
