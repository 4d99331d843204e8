"""The peer's side, run by the interpreter of its own environment: django-post-office, driven line by line.

It imports nothing of ours but what the sides share.
The database is in DATABASE_URL, not in the arguments: a password is in it.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction

sys.path.append(str(Path(__file__).parent))
from django_side import answer, database


def configure() -> None:
    """What a project that uses post-office sets; its own settings come with each drain."""
    settings.configure(
        DATABASES={"default": database()},
        INSTALLED_APPS=["post_office"],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        DEFAULT_FROM_EMAIL="Usher <noreply@example.org>",
        USE_TZ=True,
        SECRET_KEY=os.urandom(16).hex(),
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
        EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend",
        EMAIL_HOST="127.0.0.1",
        EMAIL_PORT=int(os.environ["SINK_PORT"]),
        # A line of log for each batch and mail would be charged to the peer.
        LOGGING={
            "version": 1,
            "handlers": {"stderr": {"class": "logging.StreamHandler"}},
            "loggers": {"post_office": {"level": "ERROR", "handlers": ["stderr"]}},
        },
        POST_OFFICE={},
    )
    django.setup()
    call_command("migrate", verbosity=0)


def template(words: dict[str, str]) -> dict[str, Any]:
    """Keep the template under the name that `queue` uses."""
    from post_office.models import EmailTemplate  # noqa: PLC0415 - a model, which exists only after the setup

    EmailTemplate.objects.all().delete()
    EmailTemplate.objects.create(name="peer", **words)
    return {}


def queue(how: str, contexts: list[dict[str, str]]) -> dict[str, Any]:
    """Queue a mail for each context in one transaction, and say how many seconds that took with its commit."""
    from post_office import mail  # noqa: PLC0415 - as above
    from post_office.models import Email, EmailTemplate  # noqa: PLC0415 - as above

    _empty()
    words = EmailTemplate.objects.get(name="peer")
    begun = time.perf_counter()
    with transaction.atomic():
        if how == "send":
            for context in contexts:
                mail.send(context["email"], template=words, context=context)
        else:
            lazily = how == "send_many, rendered when delivered"
            mail.send_many(
                [
                    {
                        "recipients": context["email"],
                        "template": words,
                        "context": context,
                        "render_on_delivery": lazily,
                    }
                    for context in contexts
                ]
            )
    seconds = time.perf_counter() - begun
    return {"seconds": seconds, "queued": Email.objects.count()}


def drain(count: int, mail: dict[str, str], processes: int, options: dict[str, Any]) -> dict[str, Any]:
    """Queue the same mail to so many addresses, and time `send_queued_mail --processes`, whose work this is."""
    from post_office.mail import send_queued_mail_until_done  # noqa: PLC0415 - as above
    from post_office.models import PRIORITY, STATUS, Email  # noqa: PLC0415 - as above

    settings.POST_OFFICE = options
    _empty()
    Email.objects.bulk_create(
        Email(
            from_email=settings.DEFAULT_FROM_EMAIL,
            to=[f"user{number}@example.org"],
            status=STATUS.queued,
            priority=PRIORITY.medium,
            headers={"Message-Id": f"<{number}@example.org>", "Auto-Submitted": "auto-generated"},
            **mail,
        )
        for number in range(count)
    )
    _vacuum()
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        send_queued_mail_until_done(str(Path(folder) / "lock"), processes)
        seconds = time.perf_counter() - begun
    return {"seconds": seconds, "sent": Email.objects.filter(status=STATUS.sent).count()}


def _empty() -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE post_office_email CASCADE")


def _vacuum() -> None:
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE post_office_email")


if __name__ == "__main__":
    configure()
    answer({"template": template, "queue": queue, "drain": drain})
