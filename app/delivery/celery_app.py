"""Celery, made from the Flask application: the broker carries ids, the database carries everything else."""

from __future__ import annotations

from typing import Any, Final

from celery import Celery, Task
from flask import Flask

from config import Config

# Seconds between two sweeps: how long a mail waits at most when the broker has lost its hand-over.
SWEEP_INTERVAL: Final = 5.0
# Seconds between two looks at the clock: how late a reminder is at most.
PERIODIC_INTERVAL: Final = 60.0
# The same for mails that were held: how late a digest is at most.
HELD_INTERVAL: Final = 30.0
# The same for exports and imports, which nobody expects within a second.
TRANSFERS_INTERVAL: Final = 10.0
# The same for what is too old to be kept.
RETENTION_INTERVAL: Final = 600.0
# The same for telling the realtime gateways again which tokens were ended.
REVOCATIONS_INTERVAL: Final = 60.0
# What beat asks for, and every how many seconds.
_SCHEDULE: Final = {
    "usher.sweep": SWEEP_INTERVAL,
    "usher.fanout.sweep": SWEEP_INTERVAL,
    "usher.held": HELD_INTERVAL,
    "usher.periodic": PERIODIC_INTERVAL,
    "usher.transfers.sweep": TRANSFERS_INTERVAL,
    "usher.realtime.revocations": REVOCATIONS_INTERVAL,
    "usher.retention": RETENTION_INTERVAL,
}

# Seconds; RabbitMQ has its own ways (heartbeats), and knows none of these.
_REDIS_OPTIONS: Final = {"socket_connect_timeout": 2, "socket_timeout": 10, "socket_keepalive": True}


def make_celery(app: Flask) -> Celery:
    """Make the Celery application whose tasks run in `app`'s context, and keep it as `app.extensions["celery"]`."""

    class ContextTask(Task):
        """A task that sees the application, and leaves no database session behind."""

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            with app.app_context():
                return self.run(*args, **kwargs)

    config: Config = app.config["USHER"]
    tasks = [
        "app.delivery.tasks",
        "app.delivery.channels.tasks",
        "app.happenings.tasks",
        "app.periodic.tasks",
        "app.transfers.tasks",
        "app.realtime.tasks",
    ]
    celery = Celery("usher", task_cls=ContextTask, include=tasks)
    celery.conf.update(
        broker_url=config.broker_url or config.redis_url,
        # Nobody waits for results: outcomes are in the rows.
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        task_default_queue="usher",
        # A task is only a hint to look into the table, so losing one costs a sweep's interval and repeating one costs
        # nothing: tasks are acknowledged early, and the broker redelivers none (celery/kombu#337).
        task_acks_late=False,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=2,
        broker_transport_options={} if config.broker_url else _REDIS_OPTIONS,
        # A schedule in memory: there is nothing in it to remember, and a container needs no writable folder.
        beat_scheduler="celery.beat:Scheduler",
        beat_max_loop_interval=SWEEP_INTERVAL,
        beat_schedule={
            # With all workers away they do not pile up in the broker.
            task.removeprefix("usher."): {"task": task, "schedule": seconds, "options": {"expires": seconds}}
            for task, seconds in _SCHEDULE.items()
        },
    )
    celery.set_default()
    app.extensions["celery"] = celery
    return celery
