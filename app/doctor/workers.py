"""The workers: whether one answers, or has shown in the table that it lives."""

from __future__ import annotations

from typing import Any, Final

from celery import Celery
from kombu.exceptions import OperationalError
from sqlalchemy import Connection, text

from app.doctor.findings import Finding

CHECK: Final = "worker"
# Seconds for the workers to answer a ping.
SECONDS: Final = 1.5
QUEUE: Final = "usher"

_SIGNS: Final = text(
    """
    SELECT count(*) FILTER (WHERE status = 'sending' AND lease_until > now()) AS held,
        extract(epoch FROM now() - max(sent_at)) AS sent_ago
    FROM mails WHERE status = 'sending' OR sent_at > now() - interval '1 hour'
    """
)
_ADVICE: Final = (
    "Start one: `celery -A celery_worker.celery worker`, with the same REDIS_URL and SETTINGS_KEY. If one"
    " was started, its log says why it ended."
)


def ask_workers(url: str, seconds: float = SECONDS) -> dict[str, list[str]]:
    """The workers that answer at this broker, each with the queues that it takes tasks from.

    Raises:
        OSError: the broker does not answer.
    """
    options = {"socket_connect_timeout": seconds, "socket_timeout": seconds + 2.0}
    celery = Celery("usher-doctor", broker=url, set_as_current=False)
    celery.conf.update(broker_transport_options=options, broker_connection_timeout=seconds)
    try:
        answers: dict[str, Any] = celery.control.inspect(timeout=seconds).active_queues() or {}
    except OperationalError as error:
        raise OSError(str(error)) from error
    finally:
        celery.close()
    return {name: [queue["name"] for queue in queues or []] for name, queues in answers.items()}


def check_workers(url: str | None, connection: Connection | None) -> list[Finding]:
    """Look for a worker.

    Args:
        url: the broker, if it answers.
        connection: the database, if its tables can be read.
    """
    answers: dict[str, list[str]] = {}
    if url is not None:
        try:
            answers = ask_workers(url)
        except OSError:
            url = None  # it has gone since it was looked at
    if any(QUEUE in queues for queues in answers.values()):
        names = ", ".join(sorted(name for name, queues in answers.items() if QUEUE in queues))
        return [Finding("ok", CHECK, QUEUE, f"Workers answer: {names}.")]
    signs = _signs(connection)
    if signs:
        what = f"No worker has answered in {SECONDS:g} s, but {signs}."
        advice = "If this stays so, see the worker's log: it may be stuck, or at another broker."
        return [Finding("warning", CHECK, QUEUE, what, advice)]
    if answers:
        others = ", ".join(sorted(answers))
        what = f"Workers answer, but none takes from the queue {QUEUE!r}: {others}."
        return [Finding("problem", CHECK, QUEUE, what, f"Start one without -Q, or with -Q {QUEUE}.")]
    if url is None:
        what = "The workers could not be asked, since the broker does not answer; the table shows no sign of one."
        return [Finding("warning", CHECK, QUEUE, what, "Mend the broker first.")]
    return [Finding("problem", CHECK, QUEUE, "No worker answers: no mail leaves.", _ADVICE)]


def _signs(connection: Connection | None) -> str:
    """How the table shows that a worker lives; nothing if it does not."""
    if connection is None:
        return ""
    row = connection.execute(_SIGNS).one()
    if row.held:
        return f"one holds {row.held} mails"
    if row.sent_ago is not None and row.sent_ago < 60:  # noqa: PLR2004 - a minute is fresh
        return f"one has sent a mail {float(row.sent_ago):.0f} s ago"
    return ""
