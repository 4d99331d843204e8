"""The peer's side, run by the interpreter of its own environment: django-notifications-community, its views and `send`.

As a program it is driven line by line; under gunicorn `make_application()` is the site. It imports nothing of ours but
what the sides share. The database is in DATABASE_URL, not in the arguments: a password is in it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction

sys.path.append(str(Path(__file__).parent))
from django_side import answer, database

# The peer's own columns and their values in a row that `send` makes of an actor, a verb and a description.
_ROWS = """
INSERT INTO notifications_notification (level, recipient_id, unread, actor_content_type_id, actor_object_id, verb,
    description, timestamp, public, deleted, emailed)
SELECT 'info', 1 + n %% %(users)s, n / %(users)s %% 2 = 1,
    (SELECT id FROM django_content_type WHERE app_label = 'auth' AND model = 'user'), '1', 'New Session Proposal',
    'A new session was proposed for <strong>event ' || 1 + n / %(users)s || '</strong>.',
    now() - make_interval(secs => %(count)s - n), true, false, false
FROM generate_series(0, %(count)s - 1) AS n
"""
_USERS = """
INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined)
SELECT '!', false, 'user' || n, '', '', 'user' || n || '@example.org', false, true, now()
FROM generate_series(1, %s) AS n
"""


def configure() -> None:
    """What a site that uses it sets, with as little as possible besides: sessions ask no database, as our tokens."""
    settings.configure(
        DATABASES={"default": {**database(), "CONN_MAX_AGE": None}},
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "notifications"],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
        ROOT_URLCONF="notifications.urls",
        ALLOWED_HOSTS=["127.0.0.1"],
        USE_TZ=True,
        SECRET_KEY=os.environ["SECRET_KEY"],
    )
    django.setup()


def make_application() -> Any:
    """The site, for gunicorn."""
    from django.core.wsgi import get_wsgi_application  # noqa: PLC0415 - after the settings

    configure()
    return get_wsgi_application()


def users(count: int) -> dict[str, Any]:
    """Make so many accounts."""
    with connection.cursor() as cursor:
        cursor.execute(_USERS, [count])
        cursor.execute("VACUUM ANALYZE auth_user")
    return {}


def fill(count: int, users: int) -> dict[str, Any]:
    """Put so many notifications of the first so many users into the table; every second one is unread."""
    from django.contrib.auth.models import User  # noqa: PLC0415 - a model, which exists only after the setup
    from django.contrib.contenttypes.models import ContentType  # noqa: PLC0415 - as above

    ContentType.objects.get_for_model(User)
    with connection.cursor() as cursor:
        cursor.execute(_ROWS, {"count": count, "users": users})
    return settle()


def settle() -> dict[str, Any]:
    """Vacuum and checkpoint, as our side does between its rounds."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE notifications_notification")
        cursor.execute("CHECKPOINT")
    return {}


def cookies(ids: list[int]) -> dict[str, Any]:
    """Log these users in, and return the cookie of each."""
    from django.contrib.auth import login  # noqa: PLC0415 - as above
    from django.contrib.auth.models import User  # noqa: PLC0415 - as above
    from django.contrib.sessions.backends.signed_cookies import SessionStore  # noqa: PLC0415 - as above
    from django.http import HttpRequest  # noqa: PLC0415 - as above

    found = []
    for user in User.objects.filter(id__in=ids).order_by("id"):
        request = HttpRequest()
        request.session = SessionStore()
        login(request, user, "django.contrib.auth.backends.ModelBackend")
        request.session.save()
        found.append(f"sessionid={request.session.session_key}")
    return {"cookies": found}


def _all_at_once(send: Callable[[Any], object]) -> None:
    from django.contrib.auth.models import User  # noqa: PLC0415 - as above

    send(User.objects.all())


def _ids_at_once(send: Callable[[Any], object]) -> None:
    from django.contrib.auth.models import User  # noqa: PLC0415 - as above

    send(User.objects.only("id"))


def _ids_in_thousands(send: Callable[[Any], object]) -> None:
    from django.contrib.auth.models import User  # noqa: PLC0415 - as above

    last = 0
    while page := list(User.objects.only("id").filter(id__gt=last).order_by("id")[:1000]):
        send(page)
        last = page[-1].id


WAYS = {
    "a queryset": _all_at_once,
    "a queryset of ids": _ids_at_once,
    "ids in thousands": _ids_in_thousands,
}


def tell(how: str, verb: str, description: str) -> dict[str, Any]:
    """Tell all users of one thing in one transaction, and say how many seconds that took with its commit."""
    from django.contrib.auth.models import User  # noqa: PLC0415 - as above
    from notifications.models import Notification  # noqa: PLC0415 - as above
    from notifications.signals import notify  # noqa: PLC0415 - as above

    actor = User.objects.order_by("id").first()
    before = Notification.objects.count()
    begun = time.perf_counter()
    with transaction.atomic():
        WAYS[how](lambda people: notify.send(actor, recipient=people, verb=verb, description=description))
    seconds = time.perf_counter() - begun
    return {"seconds": seconds, "told": Notification.objects.count() - before}


if __name__ == "__main__":
    configure()
    call_command("migrate", verbosity=0)
    answer({"users": users, "fill": fill, "settle": settle, "cookies": cookies, "tell": tell})
